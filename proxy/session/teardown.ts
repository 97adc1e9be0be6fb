/**
 * TEARDOWN: how a session ends: what the other side sees of it, and what it means for a message in flight.
 *
 * The rules:
 * 1. A close is mirrored, FIN for FIN and RST for RST, separately in each direction.
 * 2. Nothing is added upstream: after half a body any byte would belong to the message, and a polite QUIT could complete
 *    it.
 * 3. A client that got a last reply is read for a while, and the bytes are dropped (linger): closing at once would destroy
 *    the reply on its way (RST).
 * 4. The final reply to a message whose client has gone is still awaited, because no one else will ever know it.
 * 5. Every wait is bounded.
 */
import type { CloseReason, TransactionError } from '../events/closed-sets.ts'
import type { ReplyReader } from '../smtp/reply.ts'
import type { Link } from './link.ts'
import type { LocalReply } from './local-replies.ts'

/** Who ended a session first, and how. */
export interface Ending {
  readonly by: 'client' | 'upstream' | 'proxy'
  readonly reason: CloseReason
  readonly error: TransactionError
  /** What exactly happened, from a closed set. */
  readonly detail?: string
}

const CLOSED_BY_UPSTREAM: Ending = { by: 'upstream', reason: 'upstream_closed', error: 'upstream_lost' }

export class Teardown {
  readonly #link: Link
  readonly #replies: ReplyReader
  readonly #ended: (ending: Ending) => void
  #ending: Ending | undefined
  #observationClosed = false
  #reported = false
  #abortTimer: NodeJS.Timeout | undefined

  /** `replies` knows whether a reply is incomplete. `ended` is called once, when both connections are gone. */
  constructor(link: Link, replies: ReplyReader, ended: (ending: Ending) => void) {
    this.#link = link
    this.#replies = replies
    this.#ended = ended
  }

  /** Everything that the client sent was relayed: its FIN goes up. */
  clientEnded(): void {
    this.#ending ??= { by: 'client', reason: 'client_closed', error: 'upstream_lost' }
    this.#link.relayClientEnd()
    if (this.#link.upstreamEnded) this.#endClient()
  }

  /** The client connection is gone; `reset` if it did not end in an orderly way. */
  clientClosed(reset: boolean): void {
    const link = this.#link
    if (link.over) return this.#finish()
    this.#ending ??= { by: 'client', reason: reset ? 'client_reset' : 'client_closed', error: 'upstream_lost' }
    if (link.position.finalRepliesOwed > 0 && !link.upstreamEnded && !link.upstream.destroyed) {
      link.awaitFinalReply()
      link.upstream.resume()
    } else {
      link.stop()
      if (reset) this.abortUpstream()
      else this.#releaseUpstream()
    }
    this.#finish()
  }

  /** The upstream's FIN goes to the client. The upstream may still read: what the client sends goes up, for a limited time. */
  upstreamEnded(): void {
    const link = this.#link
    this.#reportIncomplete()
    link.upstreamEnds()
    this.#ending ??= CLOSED_BY_UPSTREAM
    this.#closeObservation()
    if (link.client.closed) return this.#releaseUpstream()
    if (link.clientEndRelayed) this.#endClient()
    else link.client.halfClose()
    this.#abortUpstreamLater()
  }

  /** What the client sends from here on cannot go anywhere: it is read and dropped. */
  stopRelaying(): void {
    this.#stop(CLOSED_BY_UPSTREAM)
    this.#endClient()
    this.#releaseUpstream()
  }

  /** RST for RST. A client that was refused while it sends must not be reset: it could not read the refusal. */
  upstreamFailed(): void {
    const link = this.#link
    this.#reportIncomplete()
    this.#stop({ by: 'upstream', reason: 'upstream_reset', error: 'upstream_lost' })
    const { upstreamSent421, refusedWhileSending } = link.position
    if (link.upstreamEnded || upstreamSent421 || refusedWhileSending) this.#endClient()
    else link.client.reset()
  }

  /** The upstream connection is gone. */
  upstreamClosed(): void {
    this.#link.upstreamCloses()
    clearTimeout(this.#abortTimer)
    this.#ending ??= CLOSED_BY_UPSTREAM
    this.#link.stop()
    this.#endClient()
    this.#finish()
  }

  /** Ends the session with a local reply to a client that asked nothing. */
  closeUnasked(reply: LocalReply, reason: CloseReason): void {
    this.#link.observation.unsolicited(reply)
    this.closeWith(reply, reason)
  }

  /** Sends the last reply and a FIN both ways, and relays nothing more. Not while a final reply may be owed. */
  closeWith(reply: LocalReply, reason: CloseReason): void {
    this.#stop({ by: 'proxy', reason, error: reason === 'drained' ? 'drained' : 'upstream_lost' })
    this.#endClient(reply.bytes)
    this.#releaseUpstream()
  }

  /** Ends both connections at once, without a reply and without another byte to the upstream. */
  cut(reason: CloseReason, error: TransactionError): void {
    const finSent = this.#link.over || this.#link.upstreamEnded
    this.#stop({ by: 'proxy', reason, error })
    if (finSent) this.#link.client.destroy()
    else this.#link.client.abort()
    this.abortUpstream()
  }

  /** The upstream did what it must not do. The client keeps the replies that it got before. */
  dropUpstream(): void {
    this.#stop({ by: 'proxy', reason: 'error', error: 'upstream_lost' })
    this.#endClient()
    this.abortUpstream()
  }

  /** RST, and not one byte more. */
  abortUpstream(): void {
    this.#link.upstream.abort()
  }

  /** To some clients half a final reply and a close mean success, so the half is not passed on. */
  #reportIncomplete(): void {
    const { over, awaitsFinalReply, upstreamEnded, observation, position } = this.#link
    if (this.#replies.unfinished === 0 || upstreamEnded || (over && !awaitsFinalReply)) return
    observation.replyLost('incomplete', position.awaitedCommand)
  }

  #endClient(last?: Buffer): void {
    this.#link.client.end(last, this.#link.limits.linger)
  }

  /** FIN after everything that was written. */
  #releaseUpstream(): void {
    this.#link.upstream.release()
    this.#abortUpstreamLater()
  }

  /** An upstream that takes no more bytes, or does not close, must not keep the session open. */
  #abortUpstreamLater(): void {
    if (this.#link.upstreamClosed || this.#abortTimer) return
    this.#abortTimer = setTimeout(() => this.abortUpstream(), this.#link.limits.linger.ms)
  }

  /** Who left first stays recorded. What an open transaction lacks is decided now. */
  #stop(ending: Ending): void {
    this.#ending = { ...ending, ...this.#ending, error: ending.error }
    this.#link.stop()
    this.#closeObservation()
  }

  #closeObservation(): void {
    if (this.#observationClosed) return
    this.#observationClosed = true
    const { by, error } = this.#ending!
    this.#link.observation.close(by, error)
  }

  #finish(): void {
    if (this.#reported || !this.#link.client.closed || !this.#link.upstreamClosed) return
    this.#reported = true
    this.#closeObservation()
    this.#ended(this.#finalEnding())
  }

  #finalEnding(): Ending {
    const ending = this.#ending!
    const { upstreamSent421, quitSent } = this.#link.position
    if (ending.by === 'proxy') return ending
    if (upstreamSent421) return { ...ending, reason: 'upstream_421' }
    return quitSent ? { ...ending, reason: 'quit' } : ending
  }
}
