/**
 * RELAY: copies one session both ways, untouched.
 *
 *   client --> backlog --> screen --> upstream      bytes go up at once; the dialogue sees a copy
 *   client <-- whole replies <------- upstream      a reply is assembled, then written in one piece
 *
 * What it changes is in four places: `screen` (commands the proxy answers itself), `rewriteEhlo` (the list of
 * extensions), `own-words` (what it says), and a 220 in mid-session, which ends the session: some parser upstream then
 * began TLS behind our back. At the final dot it never speaks: a close is mirrored, FIN for FIN, RST for RST.
 *
 * Back-pressure: a reader is paused while the other side's writer is full, while too many commands are unanswered, and
 * while an answer of the proxy's own waits for the answers before it.
 */
import type net from 'node:net'
import type { SecureContext } from 'node:tls'
import type { ClientConnection, Linger } from './client-leg.ts'
import type { Dialogue } from './dialogue.ts'
import type { CloseReason, CommandName, SessionEvent, TransactionError } from './events.ts'
import type { OwnWord } from './own-words.ts'
import * as words from './own-words.ts'
import { screen, taints } from './screen.ts'
import { verbOf } from './smtp/command.ts'
import { type ClientLeg, rewriteEhlo } from './smtp/ehlo.ts'
import { type Reply, ReplyReader } from './smtp/reply.ts'
import { now, type UpstreamLeg } from './upstream.ts'

/** Times and sizes that are no settings. Tests shorten them. */
export interface Limits {
  readonly linger: Linger
  readonly handshakeMs: number
  /** RFC 5321 4.5.3.2.6: how long the verdict on a mail may take. */
  readonly finalReplyMs: number
  /** How long a session that is to be drained must have been quiet: a 421 glued to a 250 fails a mail in Go's client. */
  readonly drainQuietMs: number
}

/** Octets of a command line without an end that wait for the screen; a longer line is relayed as it comes. */
const MAX_SCREENED_LINE = 2048

const LF = 0x0a

/** Who ended a session first, and how. */
export interface Ending {
  readonly by: 'client' | 'upstream' | 'proxy'
  readonly reason: CloseReason
  readonly error: TransactionError
}

export interface RelayOptions {
  readonly client: ClientConnection
  readonly upstream: UpstreamLeg
  readonly dialogue: Dialogue
  /** How the client's leg is now; `clear-starttls…` only when there is a certificate. */
  readonly leg: ClientLeg
  /** The listener's current certificate. */
  readonly secureContext: () => SecureContext | undefined
  readonly limits: Limits
  readonly emit: (event: SessionEvent) => void
  /** The dialogue threw: a bug, which must not stop the mail. */
  readonly dialogueFailed: (error: unknown) => void
  /** Both connections are gone. */
  readonly ended: (ending: Ending) => void
}

export class Relay {
  readonly #options: RelayOptions
  readonly #client: ClientConnection
  readonly #upstream: net.Socket
  readonly #dialogue: Dialogue
  readonly #replies = new ReplyReader()
  #leg: ClientLeg
  #tainted = false
  #drainFrom: number | undefined
  /** Client bytes that were read and not yet relayed. */
  #backlog: Buffer[] = []
  /** An own answer, or bytes behind an EHLO in the clear, wait until no reply is owed. */
  #awaitsReplies = false
  #securing = false
  #swallowing = false
  #clientEnded = false
  #upstreamClosed = false
  #upstreamEnded = false
  /** Set when the session is being closed with a last word, or was lost: nothing is relayed any more. */
  #over = false
  /** The client has gone, and the verdict on its mail is still read. */
  #awaitsVerdict = false
  #ending: Ending | undefined
  #dialogueClosed = false
  #finished = false
  #lastMove = now()
  /** Application octets relayed up. */
  transmit = 0
  /** Application octets relayed down. */
  receive = 0

  constructor(options: RelayOptions) {
    this.#options = options
    this.#client = options.client
    this.#upstream = options.upstream.socket
    this.#dialogue = options.dialogue
    this.#leg = options.leg
  }

  /** Passes the greeting on, and then what the client said before the upstream was ready. */
  start(early: readonly Buffer[], clientEnded: boolean): void {
    const { bytes } = this.#options.upstream.greeting
    this.receive += bytes.length
    this.#client.write(bytes)
    this.#client.listen({
      data: (chunk) => this.#fromClient(chunk),
      ended: () => this.#clientFinished(),
      drained: () => this.#upstream.resume(),
      closed: (reset) => this.#clientClosed(reset),
    })
    this.#upstream.on('data', (chunk) => this.#fromUpstream(chunk))
    this.#upstream.on('drain', () => this.#pump())
    this.#upstream.on('end', () => this.#upstreamFinished())
    this.#upstream.on('error', () => this.#upstreamLost())
    this.#upstream.on('close', () => this.#upstreamGone())
    this.#upstream.resume()
    this.#backlog.push(...early)
    if (this.#client.closed) this.#clientClosed(true)
    if (clientEnded) this.#clientEnded = true
    // a connection that was dialled ahead, or waited for the client's handshake, may have ended unheard
    if (this.#upstream.closed) return this.#upstreamGone()
    if (this.#upstream.readableEnded) this.#upstreamFinished()
    this.#pump()
  }

  /** Milliseconds in which nothing moved. */
  quietMs(at: number): number {
    return at - this.#lastMove
  }

  /** From now on the next command between mails is answered 421, and from `from` on so is silence. */
  drain(from: number): void {
    this.#drainFrom = from
  }

  /** Called now and then: ends what is idle or may be drained. */
  tick(at: number, idleMs: number): void {
    const quiet = this.quietMs(at)
    if (this.#client.closed && quiet >= this.#options.limits.finalReplyMs) return this.#abortUpstream()
    if (this.#over || this.#securing) return
    if (this.#mayDrain() && at >= this.#drainFrom! && quiet >= this.#options.limits.drainQuietMs) {
      return this.#say(words.DRAINING, 'drained')
    }
    if (quiet < idleMs) return
    if (this.#dialogue.betweenMails) return this.#say(words.IDLE, 'idle')
    if (!this.#dialogue.awaitingVerdict) return this.cut('idle', 'idle_timeout')
    if (quiet >= Math.max(idleMs, this.#options.limits.finalReplyMs)) this.cut('idle', 'final_reply_timeout')
  }

  /** Ends both connections at once, without a word and without a byte more to the upstream. */
  cut(reason: CloseReason, error: TransactionError): void {
    const finSent = this.#over || this.#upstreamEnded
    this.#lose({ by: 'proxy', reason, error })
    finSent ? this.#client.destroy() : this.#client.abort()
    this.#abortUpstream()
  }

  // ------------------------------------------------------------------------------------------- client to upstream

  #fromClient(chunk: Buffer): void {
    this.#lastMove = now()
    if (this.#over) return
    this.#backlog.push(chunk)
    this.#pump()
  }

  /** Relays what is waiting, as far as it may go, and paces the reader. */
  #pump(): void {
    if (this.#awaitsReplies && this.#dialogue.pending === 0) this.#awaitsReplies = false
    while (this.#backlog.length > 0 && !this.#blocked()) {
      const chunk = this.#backlog.length === 1 ? this.#backlog[0]! : Buffer.concat(this.#backlog)
      this.#backlog = []
      const rest = this.#relay(chunk)
      if (rest.length > 0) this.#backlog.unshift(rest)
      if (rest.length === chunk.length) break // an unfinished line
    }
    this.#pace()
  }

  #blocked(): boolean {
    return (
      this.#awaitsReplies || this.#securing || this.#over || this.#upstream.writableNeedDrain || this.#dialogue.full
    )
  }

  #pace(): void {
    if (this.#over || this.#securing) return
    if (this.#blocked()) return this.#client.pause()
    this.#client.resume()
    if (this.#clientEnded) this.#passEnd()
  }

  /** Relays `read`; returns what has to wait. */
  #relay(read: Buffer): Buffer {
    const at = now()
    const chunk = this.#swallowing ? this.#swallow(read) : read
    if (!this.#dialogue.inCommand) return this.#relayUnscreened(chunk, at)
    let done = 0
    while (done < chunk.length && this.#dialogue.inCommand && !this.#dialogue.full && !this.#awaitsReplies) {
      const end = this.#endOfLine(chunk, done)
      if (end < 0) break
      const line = chunk.subarray(done, end)
      if (!this.#dialogue.inLine && this.#answerItself(line, chunk, done, end)) return this.#afterAnswer(chunk, end)
      if (this.#awaitsReplies) break
      this.#look(line, at)
      done = end
      if (this.#leg !== 'tls' && this.#leg !== 'clear') this.#watchClearText(line)
    }
    return this.#sendUpTo(chunk, done, at)
  }

  #relayUnscreened(chunk: Buffer, at: number): Buffer {
    // a dialogue that lost the thread must not let bytes go up in the clear
    if (this.#options.upstream.refused) this.#answer('UNKNOWN', words.REFUSED)
    else {
      this.#send(chunk)
      this.#look(chunk, at)
    }
    return chunk.subarray(chunk.length)
  }

  /** The lines up to `done` were looked at. Behind a DATA, what follows goes up unseen by the screen. */
  #sendUpTo(chunk: Buffer, done: number, at: number): Buffer {
    const waits = this.#dialogue.inCommand || this.#dialogue.full || this.#awaitsReplies
    this.#send(waits ? chunk.subarray(0, done) : chunk)
    if (waits) return chunk.subarray(done)
    if (done < chunk.length) this.#look(chunk.subarray(done), at)
    return chunk.subarray(chunk.length)
  }

  /** The index behind the line at `from`; -1 when its end, and so the whole of it, has to be waited for. */
  #endOfLine(chunk: Buffer, from: number): number {
    const lf = chunk.indexOf(LF, from)
    if (lf >= 0) return lf + 1
    const unfinished = chunk.length - from
    return this.#dialogue.inLine || unfinished > MAX_SCREENED_LINE || this.#clientEnded ? chunk.length : -1
  }

  /** True when the proxy answers this line itself. When replies are owed before, everything from here on waits. */
  #answerItself(line: Buffer, chunk: Buffer, from: number, end: number): boolean {
    const screened = screen(line, {
      leg: this.#leg,
      refused: this.#options.upstream.refused,
      tainted: this.#tainted,
      mayDrain: this.#mayDrain(),
    })
    if (!screened) return false
    if (this.#dialogue.pending > 0) {
      this.#awaitsReplies = true
      return false
    }
    this.#send(chunk.subarray(0, from))
    if (screened.answer !== 'upgrade') this.#answer(screened.verb, screened.answer)
    else if (end < chunk.length || this.#client.hasUnread) this.#answer('STARTTLS', words.STARTTLS_INJECTION)
    else void this.#upgrade()
    return true
  }

  /** Drops the rest of a long line that was answered here. */
  #swallow(chunk: Buffer): Buffer {
    const lf = chunk.indexOf(LF)
    this.#swallowing = lf < 0
    return chunk.subarray(lf < 0 ? chunk.length : lf + 1)
  }

  #afterAnswer(chunk: Buffer, end: number): Buffer {
    this.#swallowing = chunk[end - 1] !== LF
    return this.#over ? chunk.subarray(chunk.length) : chunk.subarray(end)
  }

  #mayDrain(): boolean {
    return this.#drainFrom !== undefined && this.#dialogue.betweenMails
  }

  #answer(verb: ReturnType<typeof verbOf>, word: OwnWord): void {
    const at = now()
    const { code, enhancedCode, cause } = word
    this.#dialogue.own(verb, { code, enhancedCode, cause, origin: 'proxy' }, at, at)
    if (word.closes) this.#closeWith(word, word === words.DRAINING ? 'drained' : 'error')
    else this.#client.write(word.bytes)
  }

  /** In the clear, where STARTTLS may follow: an EHLO decides what comes next, and some commands rule it out. */
  #watchClearText(line: Buffer): void {
    if (taints(line)) this.#tainted = true
    if (verbOf(line) === 'EHLO') this.#awaitsReplies = true
  }

  #send(bytes: Buffer): void {
    if (bytes.length === 0 || !this.#upstream.writable) return
    this.transmit += bytes.length
    this.#upstream.write(bytes)
  }

  #look(bytes: Buffer, at: number): void {
    try {
      this.#dialogue.client(bytes, at)
    } catch (error) {
      this.#blind(error, at)
    }
  }

  #blind(error: unknown, at: number): void {
    this.#options.dialogueFailed(error)
    this.#dialogue.giveUp('observer_failure', at)
  }

  /** RFC 3207: 220, then nothing in the clear. */
  async #upgrade(): Promise<void> {
    const context = this.#options.secureContext()
    if (!context) return this.#answer('STARTTLS', words.STARTTLS_REFUSED)
    this.#securing = true
    this.#answer('STARTTLS', words.READY_FOR_TLS)
    const socket = await this.#client.secureWith(context, this.#options.limits.handshakeMs)
    if (!socket) return
    this.#securing = false
    this.#leg = 'tls'
    this.#dialogue.tls(socket.getProtocol() ?? 'unknown', socket.getCipher().standardName, now())
    this.#lastMove = now()
    this.#pump()
  }

  // ------------------------------------------------------------------------------------------- upstream to client

  #fromUpstream(chunk: Buffer): void {
    this.#lastMove = now()
    if (this.#over && !this.#awaitsVerdict) return
    this.receive += chunk.length
    if (this.#dialogue.wrapped) return this.#deliver([chunk])
    const out: Buffer[] = []
    const bounded = this.#replies.push(chunk, (reply) => this.#pair(reply, out))
    this.#deliver(out)
    if (!bounded) return this.#endless()
    if (this.#awaitsVerdict && !this.#dialogue.awaitingVerdict) return this.#abortUpstream()
    this.#pump()
  }

  /** Tells the dialogue; the reply, as the client may see it, goes to `out`. */
  #pair(reply: Reply, out: Buffer[]): void {
    const at = now()
    let answered: CommandName = 'OTHER'
    try {
      answered = this.#dialogue.reply(reply, at)
    } catch (error) {
      this.#blind(error, at)
    }
    if (reply.code === 220) this.cut('error', 'upstream_lost')
    else if (this.#awaitsVerdict) this.#emitLost('undelivered', answered)
    else out.push(answered === 'EHLO' && reply.code === 250 ? this.#capabilities(reply, at) : reply.bytes)
  }

  #capabilities(reply: Reply, at: number): Buffer {
    const { bytes, removed, added } = rewriteEhlo(reply.bytes, this.#leg)
    if (bytes !== reply.bytes) this.#options.emit({ type: 'capabilities', at, removed, added })
    return bytes
  }

  #deliver(out: readonly Buffer[]): void {
    if (out.length === 0) return
    if (!this.#client.write(out.length === 1 ? out[0]! : Buffer.concat(out))) this.#upstream.pause()
  }

  #emitLost(loss: 'incomplete' | 'undelivered', command: CommandName): void {
    this.#options.emit({ type: 'reply-lost', at: now(), loss, command })
  }

  /** Where the reply could be the verdict on a mail, or nobody knows, not even this gets a word. */
  #endless(): void {
    const { opaque, awaitingVerdict, inBody } = this.#dialogue
    if (opaque || awaitingVerdict || inBody) return this.cut('error', 'upstream_lost')
    this.#say(words.REPLY_TOO_LONG, 'error')
  }

  // ------------------------------------------------------------------------------------------------------- endings

  #clientFinished(): void {
    this.#clientEnded = true
    this.#pump()
  }

  /** The client's FIN, behind all that it sent. An unfinished line goes up as it is. */
  #passEnd(): void {
    if (this.#backlog.length > 0) return
    this.#ending ??= { by: 'client', reason: 'client_closed', error: 'upstream_lost' }
    if (this.#upstream.writable) this.#upstream.end()
    if (this.#upstreamEnded) this.#endClient()
  }

  #clientClosed(reset: boolean): void {
    if (this.#over) return this.#finish()
    const reason = this.#securing ? 'error' : reset ? 'client_reset' : 'client_closed'
    this.#lose({ by: 'client', reason, error: 'upstream_lost' }, true)
    // the verdict on a mail is worth waiting for: nobody else will ever know it
    this.#awaitsVerdict = this.#dialogue.awaitingVerdict && !this.#upstreamEnded && !this.#upstream.destroyed
    if (this.#awaitsVerdict) this.#upstream.resume()
    else if (reset) this.#abortUpstream()
    else this.#releaseUpstream()
    this.#finish()
  }

  #upstreamFinished(): void {
    this.#dropIncomplete()
    this.#upstreamEnded = true
    this.#ending ??= { by: 'upstream', reason: 'upstream_closed', error: 'upstream_lost' }
    this.#closeDialogue()
    if (this.#client.closed) return this.#releaseUpstream()
    if (this.#clientEnded) this.#endClient()
    else this.#client.halfClose()
    // the upstream may still read: what the client sends goes up, but not for ever
    this.#abortUpstreamLater()
  }

  /** RST for RST; but a client that was told why, and still sends, must come to read it. */
  #upstreamLost(): void {
    this.#dropIncomplete()
    this.#lose({ by: 'upstream', reason: 'upstream_reset', error: 'upstream_lost' })
    if (this.#upstreamEnded || this.#dialogue.upstreamSaid421) this.#endClient()
    else this.#client.reset()
  }

  #endClient(last?: Buffer): void {
    this.#client.end(last, this.#options.limits.linger)
  }

  /** FIN behind all that was written. */
  #releaseUpstream(): void {
    this.#upstream.destroySoon()
    this.#abortUpstreamLater()
  }

  /** An upstream that takes no more bytes, or does not close, must not keep the session. */
  #abortUpstreamLater(): void {
    if (this.#upstreamClosed) return
    const timer = setTimeout(() => this.#abortUpstream(), this.#options.limits.linger.ms)
    this.#upstream.once('close', () => clearTimeout(timer))
  }

  #upstreamGone(): void {
    this.#upstreamClosed = true
    this.#ending ??= { by: 'upstream', reason: 'upstream_closed', error: 'upstream_lost' }
    this.#over = true
    this.#endClient()
    this.#finish()
  }

  #dropIncomplete(): void {
    if (this.#replies.unfinished === 0 || this.#upstreamEnded || (this.#over && !this.#awaitsVerdict)) return
    this.#emitLost('incomplete', this.#dialogue.awaited)
  }

  /** The proxy's last word. Only when no reply is owed. */
  #say(word: OwnWord, reason: CloseReason): void {
    const { code, enhancedCode, cause } = word
    const at = now()
    const facts = { code, enhancedCode, cause, origin: 'proxy' } as const
    this.#options.emit({ type: 'exchange', at, end: at, command: 'UNSOLICITED', reply: facts })
    this.#closeWith(word, reason)
  }

  #closeWith(word: OwnWord, reason: CloseReason): void {
    this.#lose({ by: 'proxy', reason, error: reason === 'drained' ? 'drained' : 'upstream_lost' })
    this.#endClient(word.bytes)
    this.#upstream.end()
    this.#upstream.resume()
    this.#abortUpstreamLater()
  }

  #lose(ending: Ending, keepReading = false): void {
    this.#ending ??= ending
    this.#over = true
    this.#backlog = []
    if (!keepReading) this.#closeDialogue()
  }

  /** RST, and not one byte more: behind half a body any byte would belong to the mail. */
  #abortUpstream(): void {
    // a reset while the FIN is on its way fails in libuv, and the handle would never be closed
    const finUnderWay = this.#upstream.writableEnded && !this.#upstream.writableFinished
    if (!finUnderWay) this.#options.upstream.tcp.resetAndDestroy()
    this.#upstream.destroy()
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
    if (this.#dialogue.upstreamSaid421) return { ...ending, reason: 'upstream_421' }
    return this.#dialogue.quitSent ? { ...ending, reason: 'quit' } : ending
  }
}
