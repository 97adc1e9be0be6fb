/**
 * RELAY: copies one session in both directions, unchanged.
 *
 *   client --> `ToUpstream` ------> upstream       bytes go up immediately; the dialogue gets a copy
 *   client <-- complete replies <-- upstream       a reply is assembled, then written in one piece
 *
 * Four places change something: `intercept` (commands that the proxy answers itself), `EhloRewrites` (the list of
 * extensions), `local-replies` (what the proxy sends), and a 220 in mid-session, which ends the session: a parser upstream
 * then began TLS without the proxy. At the final dot the proxy never sends a reply of its own: see `Teardown`.
 *
 * Back-pressure: a reader is paused while the writer that its bytes, or the replies to them, go to is full.
 */
import type { ClientListener } from '../connection/client-connection.ts'
import type { UpstreamListener } from '../connection/upstream-connection.ts'
import type { CloseReason, CommandName, TransactionError } from '../events/closed-sets.ts'
import { EhloRewrites } from '../smtp/ehlo-rewrites.ts'
import { type Reply, ReplyReader } from '../smtp/reply.ts'
import { now } from '../upstream/dialer.ts'
import type { Link } from './link.ts'
import type { LocalReply } from './local-replies.ts'
import * as localReplies from './local-replies.ts'
import { type Ending, Teardown } from './teardown.ts'
import { ToUpstream } from './to-upstream.ts'

/** Shared by the sessions of this event loop. */
const ehlo = new EhloRewrites()

export class Relay {
  readonly #link: Link
  readonly #replies = new ReplyReader()
  readonly #teardown: Teardown
  readonly #toUpstream: ToUpstream
  /** The replies of one chunk, on their way to the client. */
  #out: Buffer[] = []
  /** The upstream sent 220 in mid-session: it began TLS with someone, and not with the proxy. */
  #foreignTls = false
  /** Application bytes relayed to the client. */
  receive = 0

  /** `ended` is called once, when both connections are gone. */
  constructor(link: Link, ended: (ending: Ending) => void) {
    this.#link = link
    this.#teardown = new Teardown(link, this.#replies, ended)
    this.#toUpstream = new ToUpstream(link, this.#teardown)
  }

  /** Application bytes relayed to the upstream. */
  get transmit(): number {
    return this.#toUpstream.transmit
  }

  /** True while a cut would end what a client or the upstream is doing. */
  get unfinished(): boolean {
    return this.#link.unfinished
  }

  /** Passes the greeting on, and then what the client sent before the upstream was ready. */
  start(greeting: Buffer, early: Buffer): void {
    const { client, upstream } = this.#link
    this.receive += greeting.length
    client.write(greeting)
    this.#listen()
    if (early.length > 0) this.#toUpstream.add(early)
    if (client.closed) this.#teardown.clientClosed(true)
    // a preconnected upstream, or one that waited for the client's handshake, may have closed before it was listened to
    if (upstream.closed) return this.#teardown.upstreamClosed()
    if (upstream.ended) this.#teardown.upstreamEnded()
    this.#toUpstream.pump()
  }

  /** From now on the next command between messages is answered 421, and from `from` on so is silence. */
  drain(from: number): void {
    this.#link.drain(from)
  }

  /** Called every second or so: ends what is idle or may be drained. */
  tick(at: number, idleMs: number): void {
    const link = this.#link
    const { finalReplyMs } = link.limits
    const quietMs = link.quietMs(at)
    if (link.client.closed && quietMs >= finalReplyMs) return this.cut('idle', 'final_reply_timeout')
    if (link.over || link.inHandshake) return
    // after the upstream's FIN nothing more can be sent to the client; the session ends within the linger
    if (link.upstreamEnded) return
    if (link.mayEndForDrain(at, quietMs)) return this.#teardown.closeUnasked(localReplies.DRAINING, 'drained')
    if (quietMs < idleMs) return
    const { betweenMessages, finalRepliesOwed, opaque } = link.position
    if (betweenMessages) return this.#teardown.closeUnasked(localReplies.IDLE, 'idle')
    // in an opaque session, the client may be waiting for a final reply
    if (finalRepliesOwed === 0 && !opaque) return this.cut('idle', 'idle_timeout')
    if (quietMs >= Math.max(idleMs, finalReplyMs)) this.cut('idle', 'final_reply_timeout')
  }

  /** Ends both connections at once, without a reply and without another byte to the upstream. */
  cut(reason: CloseReason, error: TransactionError): void {
    this.#teardown.cut(reason, error)
  }

  /** Ends the session with a last reply to a client that does not speak SMTP. */
  refuse(reply: LocalReply, reason: CloseReason): void {
    this.#link.observation.localReply('UNKNOWN', reply)
    this.#teardown.closeWith(reply, reason)
  }

  #listen(): void {
    this.#link.client.listen(new ClientSide(this.#link, this.#toUpstream, this.#teardown))
    this.#link.upstream.listen(new UpstreamSide(this, this.#toUpstream, this.#teardown))
  }

  /** Takes what the upstream sent. */
  fromUpstream(chunk: Buffer): void {
    const link = this.#link
    link.moved()
    if (link.over && !link.awaitsFinalReply) return
    this.receive += chunk.length
    if (link.position.inSaslLayer) return this.#deliver(chunk)
    const bounded = this.#replies.push(chunk, this.#relayReply)
    this.#deliverReplies()
    if (this.#foreignTls) return this.#teardown.dropUpstream()
    if (!bounded) return this.#closeForEndlessReply()
    if (link.awaitsFinalReply && link.position.finalRepliesOwed === 0) return this.#teardown.abortUpstream()
    this.#toUpstream.pump()
  }

  /** Shows the reply to the dialogue, and adds it to `out` as the client may see it. */
  readonly #relayReply = (reply: Reply): void => {
    if (this.#foreignTls) return
    const { observation, position, clientEnded, awaitsFinalReply } = this.#link
    const at = now()
    const owed = clientEnded ? position.finalRepliesOwed : 0
    const answered = observation.fromUpstream(reply, at)
    if (reply.code === 220) this.#foreignTls = true
    else if (awaitsFinalReply) observation.replyLost('undelivered', answered)
    else {
      this.#out.push(answered === 'EHLO' && reply.code === 250 ? this.#capabilities(reply, at) : reply.bytes)
      if (position.finalRepliesOwed < owed) this.#answeredAfterFin(reply, answered)
    }
  }

  /** An app that closes after its final dot mostly reads no reply, and may send an accepted message again. */
  #answeredAfterFin(reply: Reply, answered: CommandName): void {
    const accepted = reply.code >= 200 && reply.code < 300
    const { observation, position } = this.#link
    if (accepted && !position.quitSent) observation.replyLost('after_fin', answered)
  }

  #capabilities(reply: Reply, at: number): Buffer {
    const { bytes, removed, added } = ehlo.rewrite(reply.bytes, this.#link.security)
    if (bytes !== reply.bytes) this.#link.observation.report({ type: 'capabilities', at, removed, added })
    return bytes
  }

  /** All replies of one chunk leave in one write. */
  #deliverReplies(): void {
    const out = this.#out
    if (out.length === 0) return
    this.#out = []
    this.#deliver(out.length === 1 ? out[0]! : Buffer.concat(out))
  }

  #deliver(bytes: Buffer): void {
    if (!this.#link.client.write(bytes)) this.#link.upstream.pause()
  }

  /** If the reply could be the final reply to a message, or no one knows, the client gets not even this local reply. */
  #closeForEndlessReply(): void {
    const { opaque, finalRepliesOwed, inBody } = this.#link.position
    if (opaque || finalRepliesOwed > 0 || inBody) return this.cut('error', 'upstream_lost')
    this.#teardown.closeUnasked(localReplies.REPLY_TOO_LONG, 'error')
    this.#teardown.abortUpstream()
  }
}

// the two listeners are classes, because a closure for each of their methods would cost each session 600 bytes

/** Listens to the client of a relay. */
class ClientSide implements ClientListener {
  readonly #link: Link
  readonly #toUpstream: ToUpstream
  readonly #teardown: Teardown

  constructor(link: Link, toUpstream: ToUpstream, teardown: Teardown) {
    this.#link = link
    this.#toUpstream = toUpstream
    this.#teardown = teardown
  }

  data(chunk: Buffer, release?: () => void): void {
    this.#link.moved()
    if (this.#link.over) return release?.()
    this.#toUpstream.receive(chunk, release)
  }

  bulk(): boolean {
    return this.#link.position.inBody && !this.#link.over
  }

  ended(): void {
    this.#toUpstream.pump()
  }

  drained(): void {
    this.#link.upstream.resume()
    this.#toUpstream.pump()
  }

  closed(reset: boolean): void {
    this.#teardown.clientClosed(reset)
  }
}

/** Listens to the upstream of a relay. */
class UpstreamSide implements UpstreamListener {
  readonly #relay: Relay
  readonly #toUpstream: ToUpstream
  readonly #teardown: Teardown

  constructor(relay: Relay, toUpstream: ToUpstream, teardown: Teardown) {
    this.#relay = relay
    this.#toUpstream = toUpstream
    this.#teardown = teardown
  }

  data(chunk: Buffer): void {
    this.#relay.fromUpstream(chunk)
  }

  drained(): void {
    this.#toUpstream.pump()
  }

  ended(): void {
    this.#teardown.upstreamEnded()
    this.#toUpstream.pump()
  }

  failed(): void {
    this.#teardown.upstreamFailed()
  }

  closed(): void {
    this.#teardown.upstreamClosed()
  }
}
