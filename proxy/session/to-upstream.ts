/**
 * The way up: client bytes go to the upstream at once, in order and untouched, and the dialogue sees a copy.
 *
 *   client --> backlog --> screen --> upstream
 *
 * Bytes wait in the backlog, and the client is not read, while the upstream takes no more, while the client does not read
 * what it is sent, while too many commands are unanswered, while a local reply waits for the replies before it, after a
 * turn's share of local replies, and after an EHLO in plain text where STARTTLS may follow. Commands are looked at line by
 * line (`local-replies` answers a few of them); bodies and what waits for a reply to say what it is are not.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { SecureContext } from 'node:tls'
import type { ClientConnection } from '../connection/client-connection.ts'
import type { UpstreamConnection } from '../connection/upstream-connection.ts'
import { UpstreamWriter } from '../connection/upstream-writer.ts'
import { ByteQueue } from '../dialogue/byte-queue.ts'
import type { Dialogue } from '../dialogue/dialogue.ts'
import { verbOf } from '../smtp/command.ts'
import type { ClientSecurity } from '../smtp/ehlo.ts'
import { type DialledUpstream, now } from '../upstream/dialer.ts'
import * as words from './local-replies.ts'
import { LocalReplies } from './local-responder.ts'
import type { Endings } from './teardown.ts'

/** Octets of a command line without an end that wait for the screen; a longer line is relayed as it comes. */
export const MAX_SCREENED_LINE = 2048

/** Bytes of the backlog up to which the client is read while replies are awaited. */
const MAX_BACKLOG_BYTES = 64 * 1024

const LF = 0x0a

export interface UplinkOptions {
  readonly client: ClientConnection
  readonly upstream: DialledUpstream
  /** The connection of `upstream`. */
  readonly connection: UpstreamConnection
  readonly dialogue: Dialogue
  readonly endings: Endings
  /** How the client connection is secured now; `starttls-…` only if there is a certificate. */
  readonly security: ClientSecurity
  /** The listener's current certificate. */
  readonly secureContext: () => SecureContext | undefined
  readonly handshakeMs: number
  /** The client connection is inside TLS now. */
  readonly secured: () => void
  /** The dialogue threw: a bug, which must not stop the mail. */
  readonly dialogueFailed: (error: unknown) => void
}

export class Uplink {
  readonly #options: UplinkOptions
  readonly #client: ClientConnection
  readonly #upstream: UpstreamWriter
  readonly #dialogue: Dialogue
  readonly #endings: Endings
  /** Client bytes that were read and not yet relayed. */
  readonly #backlog = new ByteQueue()
  readonly #replies: LocalReplies
  /** An own answer, or bytes behind an EHLO in the clear, wait until no reply is owed. */
  #awaitsReplies = false
  #swallowing = false
  #clientEnded = false
  security: ClientSecurity
  /** True from the 220 to STARTTLS to the end of the handshake. */
  securing = false

  constructor(options: UplinkOptions) {
    this.#options = options
    this.#client = options.client
    this.#upstream = new UpstreamWriter(options.connection, () => this.pump())
    this.#dialogue = options.dialogue
    this.#endings = options.endings
    this.security = options.security
    this.#replies = new LocalReplies({ ...options, refused: options.upstream.refused, rested: () => this.pump() })
  }

  /** Application bytes relayed to the upstream. */
  get transmit(): number {
    return this.#upstream.transmit
  }

  /** From now on the next command between messages is answered 421. */
  drain(): void {
    this.#replies.drain()
  }

  /** True when the session is to be drained and no message is under way. */
  get mayDrain(): boolean {
    return this.#replies.mayDrain
  }

  /**
   * Takes what the client said; call `pump` behind it. With `release` the chunk is a block of the read pool: the octets of
   * a body go up from it, and it is free again when they have left; anything else is copied out of it.
   */
  add(chunk: Buffer, release?: () => void): void {
    if (!release) this.#backlog.push(chunk)
    else if (this.#backlog.empty && this.#dialogue.inBody && !this.#blocked()) this.#sendBlock(chunk, release)
    else {
      this.#backlog.push(Buffer.from(chunk))
      release()
    }
  }

  #sendBlock(chunk: Buffer, release: () => void): void {
    const end = this.#lookAtBody(chunk, now())
    if (end < chunk.length) this.#backlog.push(Buffer.from(chunk.subarray(end)))
    this.#upstream.write(chunk.subarray(0, end), release)
  }

  /** The client says no more: its FIN goes up behind all that waits. An unfinished line goes up as it is. */
  end(): void {
    this.#clientEnded = true
  }

  /** Relays what is waiting, as far as it may go, and paces the reader. */
  pump(): void {
    if (this.#awaitsReplies && this.#dialogue.pending === 0) this.#awaitsReplies = false
    while (!this.#backlog.empty && !this.#blocked()) {
      const chunk = this.#backlog.take()
      const rest = this.#relay(chunk)
      this.#backlog.putBack(rest)
      if (rest.length === chunk.length) break // an unfinished line
    }
    this.#replies.flush()
    this.#pace()
  }

  #blocked(): boolean {
    return (
      this.#awaitsReplies ||
      this.securing ||
      this.#endings.over ||
      this.#upstream.full ||
      this.#client.full ||
      this.#dialogue.full ||
      this.#replies.resting
    )
  }

  #pace(): void {
    if (this.#endings.over) return this.#backlog.clear()
    if (this.securing) return
    if (this.#blocked()) return this.#wait()
    this.#client.resume()
    if (this.#clientEnded && this.#backlog.empty) this.#endings.clientFinished()
  }

  /**
   * A paused reader does not see its client leave. So the uplink never waits for replies of an upstream that has finished,
   * and while it awaits replies it reads a little further, to notice a client that resets its connection.
   */
  #wait(): void {
    const waitsForReplies = this.#awaitsReplies || this.#dialogue.full
    if (waitsForReplies && this.#endings.upstreamEnded) this.#endings.stopRelaying()
    else if (waitsForReplies && !this.#client.full && this.#backlog.length < MAX_BACKLOG_BYTES) this.#client.resume()
    else this.#client.pause()
  }

  /** Relays `read`; returns what has to wait. */
  #relay(read: Buffer): Buffer {
    const at = now()
    const chunk = this.#swallowing ? this.#swallow(read) : read
    if (this.#dialogue.inBody) return this.#relayBody(chunk, at)
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
      if (this.security !== 'tls' && this.security !== 'plain') this.#watchClearText(line)
    }
    return this.#sendUpTo(chunk, done, at)
  }

  /** What follows the body in the same segment are commands, which the screen wants to see. */
  #relayBody(chunk: Buffer, at: number): Buffer {
    const end = this.#lookAtBody(chunk, at)
    this.#upstream.write(chunk.subarray(0, end))
    return chunk.subarray(end)
  }

  #relayUnscreened(chunk: Buffer, at: number): Buffer {
    // in an opaque session no byte may go up unencrypted, nor come unencrypted or without EHLO where that is demanded
    if (this.#options.upstream.refused) this.#replies.give('UNKNOWN', words.REFUSED)
    else if (this.security === 'starttls-required' || this.#replies.ehloOwed)
      this.#endings.cut('error', 'upstream_lost')
    else {
      this.#upstream.write(chunk)
      this.#look(chunk, at)
    }
    return chunk.subarray(chunk.length)
  }

  /** The lines up to `done` were looked at. After a DATA, what follows is relayed without a look at its lines. */
  #sendUpTo(chunk: Buffer, done: number, at: number): Buffer {
    const { inCommand, inBody, full } = this.#dialogue
    const waits = inCommand || inBody || full || this.#awaitsReplies
    this.#upstream.write(waits ? chunk.subarray(0, done) : chunk)
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
    const screened = this.#replies.answerTo(line, this.security)
    if (!screened) return false
    if (this.#dialogue.pending > 0) {
      this.#awaitsReplies = true
      return false
    }
    this.#upstream.write(chunk.subarray(0, from))
    if (this.#clientEnded && line.at(-1) !== LF) return true // half a line is no command: it is dropped without a reply
    if (screened.answer !== 'upgrade') this.#replies.give(screened.verb, screened.answer, line)
    else if (end < chunk.length) this.#replies.give('STARTTLS', words.STARTTLS_INJECTION)
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
    return this.#endings.over ? chunk.subarray(chunk.length) : chunk.subarray(end)
  }

  /** Unencrypted, where STARTTLS may follow: a whole EHLO decides what comes next, and some commands rule it out. */
  #watchClearText(line: Buffer): void {
    this.#replies.relayedClear(line)
    if (verbOf(line) === 'EHLO' && line.at(-1) === LF) this.#awaitsReplies = true
  }

  #look(bytes: Buffer, at: number): void {
    try {
      this.#dialogue.client(bytes, at)
    } catch (error) {
      this.#blind(error, at)
    }
  }

  #lookAtBody(bytes: Buffer, at: number): number {
    try {
      return this.#dialogue.clientBody(bytes, at)
    } catch (error) {
      this.#blind(error, at)
      return bytes.length
    }
  }

  #blind(error: unknown, at: number): void {
    this.#options.dialogueFailed(error)
    this.#dialogue.giveUp('observer_failure', at)
  }

  /** RFC 3207: 220, then nothing in the clear. */
  async #upgrade(): Promise<void> {
    const context = this.#options.secureContext()
    if (!context) return this.#replies.give('STARTTLS', words.STARTTLS_REFUSED)
    this.securing = true
    if (await this.#moreInTheClear()) return this.#replies.give('STARTTLS', words.STARTTLS_INJECTION)
    if (this.#endings.over) return
    this.#replies.give('STARTTLS', words.READY_FOR_TLS)
    this.#replies.flush()
    const socket = await this.#client.secureWith(context, 'starttls', this.#options.handshakeMs)
    if (!socket) return
    this.securing = false
    this.security = 'tls'
    this.#replies.upgraded()
    this.#dialogue.tls(socket.getProtocol() ?? 'unknown', socket.getCipher().standardName, now())
    this.#options.secured()
    this.pump()
  }

  /** Reads on for one round of the event loop: what came with STARTTLS, or while it waited, shows now. */
  async #moreInTheClear(): Promise<boolean> {
    this.#client.resume()
    await nextTurn()
    await nextTurn() // the first may come before the loop has looked at the sockets
    return !this.#endings.over && (!this.#backlog.empty || this.#client.hasUnread)
  }
}
