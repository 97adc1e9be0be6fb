/**
 * How a session ends: who goes first, what the other side sees of it, and what that makes of a mail under way.
 *
 * The rules: a close is mirrored, FIN for FIN, RST for RST, direction by direction. Nothing is added upstream: behind half
 * a body any byte would belong to the mail, and a polite QUIT could complete it. A client that was given a last reply is
 * read and dropped for a while (linger), because closing at once would destroy the reply on its way (RST). The verdict on
 * a mail whose client has gone is still awaited: nobody else will ever know it. Each wait has its end.
 */
import type { ClientConnection, Linger } from '../connection/client-connection.ts'
import type { UpstreamConnection } from '../connection/upstream-connection.ts'
import type { Dialogue } from '../dialogue/dialogue.ts'
import type { CloseReason, CommandName, ReplyLoss, TransactionError } from '../events/closed-sets.ts'
import type { SessionEvent } from '../events/session-event.ts'
import type { ReplyReader } from '../smtp/reply.ts'
import { now } from '../upstream/dialer.ts'
import { factsOf, type OwnWord } from './local-replies.ts'

/** Who ended a session first, and how. */
export interface Ending {
  readonly by: 'client' | 'upstream' | 'proxy'
  readonly reason: CloseReason
  readonly error: TransactionError
  /** What exactly happened, from a closed set. */
  readonly detail?: string
}

/** The two connections of a session, and who has to hear of their ends. */
export interface EndingsOptions {
  readonly client: ClientConnection
  readonly upstream: UpstreamConnection
  readonly dialogue: Dialogue
  /** Where an unfinished reply would be. */
  readonly replies: ReplyReader
  readonly linger: Linger
  readonly emit: (event: SessionEvent) => void
  /** Both connections are gone. Called once. */
  readonly ended: (ending: Ending) => void
}

export class Endings {
  readonly #options: EndingsOptions
  readonly #client: ClientConnection
  readonly #upstream: UpstreamConnection
  readonly #dialogue: Dialogue
  #clientEnded = false
  #upstreamClosed = false
  #ending: Ending | undefined
  #dialogueClosed = false
  #finished = false
  #abortTimer: NodeJS.Timeout | undefined
  /** Set when the session is being closed with a last word, or was lost: nothing is relayed any more. */
  over = false
  /** The client has gone, and the verdict on its mail is still read. */
  awaitsVerdict = false
  /** The upstream will say no more. */
  upstreamEnded = false

  constructor(options: EndingsOptions) {
    this.#options = options
    this.#client = options.client
    this.#upstream = options.upstream
    this.#dialogue = options.dialogue
  }

  /** The client's FIN, behind all that it sent, goes up. */
  clientFinished(): void {
    this.#clientEnded = true
    this.#ending ??= { by: 'client', reason: 'client_closed', error: 'upstream_lost' }
    this.#upstream.finish()
    if (this.upstreamEnded) this.#endClient()
  }

  /** The client's connection is gone; `reason` unless the session was over already. */
  clientClosed(reset: boolean, reason: CloseReason): void {
    if (this.over) return this.#finish()
    this.#ending ??= { by: 'client', reason, error: 'upstream_lost' }
    this.over = true
    this.awaitsVerdict =
      this.#dialogue.position.finalRepliesOwed > 0 && !this.upstreamEnded && !this.#upstream.destroyed
    if (this.awaitsVerdict) this.#upstream.resume()
    else if (reset) this.abortUpstream()
    else this.#releaseUpstream()
    this.#finish()
  }

  /** The upstream's FIN goes down. It may still read: what the client sends goes up, but not for ever. */
  upstreamFinished(): void {
    this.#dropIncomplete()
    this.upstreamEnded = true
    this.#ending ??= { by: 'upstream', reason: 'upstream_closed', error: 'upstream_lost' }
    this.#closeDialogue()
    if (this.#client.closed) return this.#releaseUpstream()
    if (this.#clientEnded) this.#endClient()
    else this.#client.halfClose()
    this.#abortUpstreamLater()
  }

  /** What the client says from here on can go nowhere: it is read and dropped. */
  stopRelaying(): void {
    this.#lose({ by: 'upstream', reason: 'upstream_closed', error: 'upstream_lost' })
    this.#endClient()
    this.#releaseUpstream()
  }

  /** RST for RST. A client that was refused while it sends must not be reset: it could not read the refusal. */
  upstreamLost(): void {
    this.#dropIncomplete()
    this.#lose({ by: 'upstream', reason: 'upstream_reset', error: 'upstream_lost' })
    const { upstreamSent421, refusedWhileSending } = this.#dialogue.position
    if (this.upstreamEnded || upstreamSent421 || refusedWhileSending) this.#endClient()
    else this.#client.reset()
  }

  /** The upstream's connection is gone. */
  upstreamGone(): void {
    this.#upstreamClosed = true
    clearTimeout(this.#abortTimer)
    this.#ending ??= { by: 'upstream', reason: 'upstream_closed', error: 'upstream_lost' }
    this.over = true
    this.#endClient()
    this.#finish()
  }

  /** The proxy's last word to a client that asked nothing. */
  say(word: OwnWord, reason: CloseReason): void {
    const at = now()
    this.#options.emit({ type: 'exchange', at, end: at, command: 'UNSOLICITED', reply: factsOf(word) })
    this.closeWith(word, reason)
  }

  /** The last word, a FIN both ways, and nothing more is relayed. Not while a verdict may be owed. */
  closeWith(word: OwnWord, reason: CloseReason): void {
    this.#lose({ by: 'proxy', reason, error: reason === 'drained' ? 'drained' : 'upstream_lost' })
    this.#endClient(word.bytes)
    this.#releaseUpstream()
  }

  /** Ends both connections at once, without a word and without a byte more to the upstream. */
  cut(reason: CloseReason, error: TransactionError): void {
    const finSent = this.over || this.upstreamEnded
    this.#lose({ by: 'proxy', reason, error })
    if (finSent) this.#client.destroy()
    else this.#client.abort()
    this.abortUpstream()
  }

  /** The upstream did what it must not. The client keeps what it was told before. */
  dropUpstream(): void {
    this.#lose({ by: 'proxy', reason: 'error', error: 'upstream_lost' })
    this.#endClient()
    this.abortUpstream()
  }

  /** RST, and not one byte more. */
  abortUpstream(): void {
    this.#upstream.abort()
  }

  /** Reports that the reply to `command` did not reach the client, or may not have. */
  reportLost(loss: ReplyLoss, command: CommandName): void {
    this.#options.emit({ type: 'reply-lost', at: now(), loss, command })
  }

  /** Half a final reply and a close are a success to some clients, so the half is not passed on. */
  #dropIncomplete(): void {
    const { unfinished } = this.#options.replies
    if (unfinished === 0 || this.upstreamEnded || (this.over && !this.awaitsVerdict)) return
    this.reportLost('incomplete', this.#dialogue.position.awaitedCommand)
  }

  #endClient(last?: Buffer): void {
    this.#client.end(last, this.#options.linger)
  }

  /** FIN behind all that was written. */
  #releaseUpstream(): void {
    this.#upstream.release()
    this.#abortUpstreamLater()
  }

  /** An upstream that takes no more bytes, or does not close, must not keep the session. */
  #abortUpstreamLater(): void {
    if (this.#upstreamClosed || this.#abortTimer) return
    this.#abortTimer = setTimeout(() => this.abortUpstream(), this.#options.linger.ms)
  }

  /** Who left first stays. What an unfinished message lacks is decided now. */
  #lose(ending: Ending): void {
    this.#ending = { ...ending, ...this.#ending, error: ending.error }
    this.over = true
    this.#closeDialogue()
  }

  #closeDialogue(): void {
    if (this.#dialogueClosed) return
    this.#dialogueClosed = true
    const { by, error } = this.#ending!
    this.#dialogue.close(by, error, now())
  }

  #finish(): void {
    if (this.#finished || !this.#client.closed || !this.#upstreamClosed) return
    this.#finished = true
    this.#closeDialogue()
    this.#options.ended(this.#finalEnding())
  }

  #finalEnding(): Ending {
    const ending = this.#ending!
    if (ending.by === 'proxy') return ending
    if (this.#dialogue.position.upstreamSent421) return { ...ending, reason: 'upstream_421' }
    return this.#dialogue.position.quitSent ? { ...ending, reason: 'quit' } : ending
  }
}
