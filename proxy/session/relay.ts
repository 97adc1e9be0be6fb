/**
 * RELAY: copies one session both ways, untouched.
 *
 *   client --> uplink --> upstream             bytes go up at once; the dialogue sees a copy
 *   client <-- whole replies <-- upstream      a reply is assembled, then written in one piece
 *
 * What it changes is in four places: `screen` (commands the proxy answers itself), `rewriteEhlo` (the list of
 * extensions), `own-words` (what it says), and a 220 in mid-session, which ends the session: some parser upstream then
 * began TLS behind our back. At the final dot it never speaks: see `endings`.
 *
 * Back-pressure: a reader is paused while the writer that its bytes, or the replies to them, go to is full.
 */
import type { SecureContext } from 'node:tls'
import type { ClientConnection, Linger } from '../connection/client-connection.ts'
import { UpstreamConnection } from '../connection/upstream-connection.ts'
import type { Dialogue } from '../dialogue/dialogue.ts'
import type { CloseReason, CommandName, TransactionError } from '../events/closed-sets.ts'
import type { SessionEvent } from '../events/session-event.ts'
import { type ClientSecurity, rewriteEhlo } from '../smtp/ehlo.ts'
import { type Reply, ReplyReader } from '../smtp/reply.ts'
import { type DialledUpstream, now } from '../upstream/dialer.ts'
import type { OwnWord } from './local-replies.ts'
import * as words from './local-replies.ts'
import { type Ending, Endings } from './teardown.ts'
import { Uplink } from './to-upstream.ts'

/** Times and sizes that are no settings. Tests shorten them. */
export interface Limits {
  readonly linger: Linger
  readonly handshakeMs: number
  /** RFC 5321 4.5.3.2.6: how long the verdict on a mail may take. */
  readonly finalReplyMs: number
  /** How long a session that is to be drained must have been quiet: a 421 glued to a 250 fails a mail in Go's client. */
  readonly drainQuietMs: number
}

export interface RelayOptions {
  readonly client: ClientConnection
  readonly upstream: DialledUpstream
  readonly dialogue: Dialogue
  /** How the client connection is secured now; `starttls-…` only if there is a certificate. */
  readonly security: ClientSecurity
  /** The listener's current certificate. */
  readonly secureContext: () => SecureContext | undefined
  readonly limits: Limits
  readonly emit: (event: SessionEvent) => void
  /** The dialogue threw: a bug, which must not stop the mail. */
  readonly dialogueFailed: (error: unknown) => void
  /** Both connections are gone. Called once. */
  readonly ended: (ending: Ending) => void
}

export class Relay {
  readonly #options: RelayOptions
  readonly #client: ClientConnection
  readonly #upstream: UpstreamConnection
  readonly #dialogue: Dialogue
  readonly #replies = new ReplyReader()
  readonly #endings: Endings
  readonly #uplink: Uplink
  #drainFrom = Number.POSITIVE_INFINITY
  #lastMove = now()
  /** The replies of one chunk, on their way down. */
  #out: Buffer[] = []
  /** The client's FIN was read. */
  #clientEnded = false
  /** The upstream said 220 in mid-session: it began TLS with somebody, and not with us. */
  #fatal = false
  /** Application octets relayed down. */
  receive = 0

  constructor(options: RelayOptions) {
    const { client, upstream, dialogue, limits } = options
    this.#options = options
    this.#client = client
    this.#upstream = new UpstreamConnection(upstream)
    this.#dialogue = dialogue
    this.#endings = new Endings({ ...options, upstream: this.#upstream, replies: this.#replies, linger: limits.linger })
    this.#uplink = new Uplink({
      ...options,
      connection: this.#upstream,
      endings: this.#endings,
      handshakeMs: limits.handshakeMs,
      secured: () => {
        this.#moved()
        // the TCP socket may have been full when TLS took it over, and its drain event is not heard any more
        this.#upstream.resume()
      },
    })
  }

  /** Application octets relayed up. */
  get transmit(): number {
    return this.#uplink.transmit
  }

  /** True until the session is over or its upstream closed, and while the final reply of a client that has gone is awaited. */
  get unfinished(): boolean {
    const { over, upstreamEnded, awaitsVerdict } = this.#endings
    return (!over && !upstreamEnded) || awaitsVerdict
  }

  /** Passes the greeting on, and then what the client said before the upstream was ready. */
  start(early: Buffer, clientEnded: boolean): void {
    const { bytes } = this.#options.upstream.greeting
    this.receive += bytes.length
    this.#client.write(bytes)
    this.#listen()
    if (early.length > 0) this.#uplink.add(early)
    if (clientEnded) this.#clientEnds()
    if (this.#client.closed) this.#clientClosed(true)
    // a connection that was dialled ahead, or waited for the client's handshake, may have ended unheard
    if (this.#upstream.closed) return this.#endings.upstreamGone()
    if (this.#upstream.ended) this.#endings.upstreamFinished()
    this.#uplink.pump()
  }

  /** From now on the next command between mails is answered 421, and from `from` on so is silence. */
  drain(from: number): void {
    this.#drainFrom = from
    this.#uplink.drain()
  }

  /** Called now and then: ends what is idle or may be drained. */
  tick(at: number, idleMs: number): void {
    const quiet = at - this.#lastMove
    const { finalReplyMs, drainQuietMs } = this.#options.limits
    if (this.#client.closed && quiet >= finalReplyMs) return this.cut('idle', 'final_reply_timeout')
    if (this.#endings.over || this.#uplink.securing) return
    // after the upstream's FIN nothing more can be said to the client; the session ends within the linger
    if (this.#endings.upstreamEnded) return
    if (at >= this.#drainFrom && quiet >= drainQuietMs && this.#uplink.mayDrain) {
      return this.#endings.say(words.DRAINING, 'drained')
    }
    if (quiet < idleMs) return
    if (this.#dialogue.betweenMails) return this.#endings.say(words.IDLE, 'idle')
    // where the thread was lost, a verdict may be what is waited for
    const { awaitingVerdict, opaque } = this.#dialogue
    if (!awaitingVerdict && !opaque) return this.cut('idle', 'idle_timeout')
    if (quiet >= Math.max(idleMs, finalReplyMs)) this.cut('idle', 'final_reply_timeout')
  }

  /** Ends both connections at once, without a word and without a byte more to the upstream. */
  cut(reason: CloseReason, error: TransactionError): void {
    this.#endings.cut(reason, error)
  }

  /** Ends the session with a last reply to a client that does not speak SMTP. */
  refuse(word: OwnWord, reason: CloseReason): void {
    const at = now()
    this.#dialogue.own('UNKNOWN', words.factsOf(word), at, at)
    this.#endings.closeWith(word, reason)
  }

  #listen(): void {
    this.#client.listen({
      data: (chunk, release) => this.#fromClient(chunk, release),
      bulk: () => this.#dialogue.inBody && !this.#endings.over,
      ended: () => {
        this.#clientEnds()
        this.#uplink.pump()
      },
      drained: () => {
        this.#upstream.resume()
        this.#uplink.pump()
      },
      closed: (reset) => this.#clientClosed(reset),
    })
    this.#upstream.listen({
      data: (chunk) => this.#fromUpstream(chunk),
      drained: () => this.#uplink.pump(),
      ended: () => {
        this.#endings.upstreamFinished()
        this.#uplink.pump()
      },
      failed: () => this.#endings.upstreamLost(),
      closed: () => this.#endings.upstreamGone(),
    })
  }

  #moved(): void {
    this.#lastMove = now()
  }

  #clientEnds(): void {
    this.#clientEnded = true
    this.#uplink.end()
  }

  #clientClosed(reset: boolean): void {
    this.#endings.clientClosed(reset, reset ? 'client_reset' : 'client_closed')
  }

  #fromClient(chunk: Buffer, release?: () => void): void {
    this.#moved()
    if (this.#endings.over) return release?.()
    this.#uplink.add(chunk, release)
    this.#uplink.pump()
  }

  #fromUpstream(chunk: Buffer): void {
    this.#moved()
    if (this.#endings.over && !this.#endings.awaitsVerdict) return
    this.receive += chunk.length
    if (this.#dialogue.wrapped) return this.#deliver(chunk)
    const bounded = this.#replies.push(chunk, this.#pair)
    this.#deliverReplies()
    if (this.#fatal) return this.#endings.dropUpstream()
    if (!bounded) return this.#endless()
    if (this.#endings.awaitsVerdict && !this.#dialogue.awaitingVerdict) return this.#endings.abortUpstream()
    this.#uplink.pump()
  }

  /** Tells the dialogue; the reply, as the client may see it, goes to `out`. */
  readonly #pair = (reply: Reply): void => {
    if (this.#fatal) return
    const at = now()
    const owed = this.#clientEnded ? this.#dialogue.verdictsOwed : 0
    const answered = this.#look(reply, at)
    if (reply.code === 220) this.#fatal = true
    else if (this.#endings.awaitsVerdict) this.#endings.reportLost('undelivered', answered)
    else {
      this.#out.push(answered === 'EHLO' && reply.code === 250 ? this.#capabilities(reply, at) : reply.bytes)
      if (this.#dialogue.verdictsOwed < owed) this.#answeredAfterFin(reply, answered)
    }
  }

  /** An app that closes after its final dot mostly reads no reply, and may send an accepted message again. */
  #answeredAfterFin(reply: Reply, answered: CommandName): void {
    const accepted = reply.code >= 200 && reply.code < 300
    if (accepted && !this.#dialogue.quitSent) this.#endings.reportLost('after_fin', answered)
  }

  #look(reply: Reply, at: number): CommandName {
    try {
      return this.#dialogue.reply(reply, at)
    } catch (error) {
      this.#options.dialogueFailed(error)
      this.#dialogue.giveUp('observer_failure', at)
      return 'OTHER'
    }
  }

  #capabilities(reply: Reply, at: number): Buffer {
    const { bytes, removed, added } = rewriteEhlo(reply.bytes, this.#uplink.security)
    if (bytes !== reply.bytes) this.#options.emit({ type: 'capabilities', at, removed, added })
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
    if (!this.#client.write(bytes)) this.#upstream.pause()
  }

  /** Where the reply could be the verdict on a mail, or nobody knows, not even this gets a word. */
  #endless(): void {
    const { opaque, awaitingVerdict, inBody } = this.#dialogue
    if (opaque || awaitingVerdict || inBody) return this.cut('error', 'upstream_lost')
    this.#endings.say(words.REPLY_TOO_LONG, 'error')
    this.#endings.abortUpstream()
  }
}
