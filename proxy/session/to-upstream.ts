/**
 * TO UPSTREAM: client bytes go to the upstream immediately, in order and unchanged. The dialogue gets a copy.
 *
 *   client --> backlog --> intercept --> upstream
 *
 * Bytes wait in the backlog, and the client is not read, while the upstream takes no more, while the client does not read
 * the replies, while too many commands are unanswered, while a local reply waits for the replies before it, after a turn's
 * share of local replies, and after an unencrypted EHLO where STARTTLS may follow. Commands are looked at line by line
 * (`intercept` answers a few of them). Bodies, and bytes of which a reply decides what they are, are not.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { UpstreamWriter } from '../connection/upstream-writer.ts'
import { ByteQueue } from '../dialogue/byte-queue.ts'
import type { Position } from '../dialogue/position.ts'
import { verbOf } from '../smtp/command.ts'
import { now } from '../upstream/dialer.ts'
import type { Link } from './link.ts'
import * as localReplies from './local-replies.ts'
import { LocalResponder } from './local-responder.ts'
import type { Teardown } from './teardown.ts'

/** Bytes of a command line that wait for its end; a longer line is relayed as it arrives. */
export const MAX_UNFINISHED_LINE = 2048

/** Bytes of the backlog up to which the client is read while replies are awaited. */
const MAX_BACKLOG_BYTES = 64 * 1024

const LF = 0x0a

export class ToUpstream {
  readonly #link: Link
  readonly #position: Position
  readonly #teardown: Teardown
  readonly #writer: UpstreamWriter
  readonly #responder: LocalResponder
  /** Client bytes that were read and not yet relayed. */
  readonly #backlog = new ByteQueue()
  /** A local reply, or what follows an unencrypted EHLO, waits until no reply is owed. */
  #awaitsReplies = false
  /** The rest of a long line that was answered here is dropped. */
  #droppingLine = false

  constructor(link: Link, teardown: Teardown) {
    this.#link = link
    this.#position = link.position
    this.#teardown = teardown
    this.#writer = new UpstreamWriter(link.upstream, () => this.pump())
    this.#responder = new LocalResponder(link, teardown, () => this.pump())
  }

  /** Application bytes relayed to the upstream. */
  get transmit(): number {
    return this.#writer.transmit
  }

  /** Takes what the client sent, as `add` does, and relays it. */
  receive(chunk: Buffer, release?: () => void): void {
    this.add(chunk, release)
    this.pump()
  }

  /**
   * Takes what the client sent; call `pump` afterwards. With `release` the chunk is a block of the read pool: the bytes of
   * a body go up from it, and it is free again when they have left. Anything else is copied out of it.
   */
  add(chunk: Buffer, release?: () => void): void {
    if (!release) this.#backlog.push(chunk)
    else if (this.#backlog.empty && this.#position.inBody && !this.#blocked()) this.#sendBlock(chunk, release)
    else {
      this.#backlog.push(Buffer.from(chunk))
      release()
    }
  }

  #sendBlock(chunk: Buffer, release: () => void): void {
    const at = now()
    const end = this.#link.observation.bodyFromClient(chunk, at)
    if (end === chunk.length) return this.#writer.write(chunk, release)
    const copy = Buffer.from(chunk)
    release()
    // a copy of what is left, because a few bytes would keep the memory of the whole block
    this.#backlog.putBack(Buffer.from(this.#relayAfterBody(copy, end, at)))
  }

  /**
   * Relays what is waiting, as far as it may go, and paces the reader. After the client's FIN an unfinished line goes up as
   * it is, and the FIN goes up after everything else.
   */
  pump(): void {
    if (this.#awaitsReplies && this.#position.repliesOwed === 0) this.#awaitsReplies = false
    while (!this.#backlog.empty && !this.#blocked()) {
      const chunk = this.#backlog.take()
      const rest = this.#relay(chunk)
      this.#backlog.putBack(rest)
      if (rest.length === chunk.length) break // an unfinished line
    }
    this.#responder.flush()
    this.#pace()
  }

  #blocked(): boolean {
    const link = this.#link
    return (
      this.#awaitsReplies ||
      link.inHandshake ||
      link.over ||
      this.#writer.full ||
      link.client.full ||
      this.#position.full ||
      this.#responder.resting
    )
  }

  #pace(): void {
    const link = this.#link
    if (link.over) return this.#backlog.clear()
    if (link.inHandshake) return
    if (this.#blocked()) return this.#wait()
    link.client.resume()
    if (link.clientEnded && this.#backlog.empty) this.#teardown.clientEnded()
  }

  /**
   * A paused reader does not see its client leave. So this never waits for replies of an upstream that has finished, and
   * while it awaits replies it reads a little further, to notice a client that resets its connection.
   */
  #wait(): void {
    const { client, upstreamEnded } = this.#link
    const waitsForReplies = this.#awaitsReplies || this.#position.full
    if (waitsForReplies && upstreamEnded) this.#teardown.stopRelaying()
    else if (waitsForReplies && !client.full && this.#backlog.length < MAX_BACKLOG_BYTES) client.resume()
    else client.pause()
  }

  /** Relays `read`; returns what must wait. */
  #relay(read: Buffer): Buffer {
    const at = now()
    const chunk = this.#droppingLine ? this.#afterLine(read) : read
    if (this.#position.inBody) return this.#relayBody(chunk, at)
    return this.#position.inCommand ? this.#relayCommands(chunk, at) : this.#relayUnseen(chunk, at)
  }

  /** The bytes before `from` go up together with the commands after them. */
  #relayCommands(chunk: Buffer, at: number, from = 0): Buffer {
    let done = from
    while (done < chunk.length && this.#position.inCommand && !this.#position.full && !this.#awaitsReplies) {
      const end = this.#endOfLine(chunk, done)
      if (end < 0) break
      const line = chunk.subarray(done, end)
      if (!this.#position.inLine && this.#answerLocally(line, chunk, done, end)) return this.#afterAnswer(chunk, end)
      if (this.#awaitsReplies) break
      this.#link.observation.fromClient(line, at)
      done = end
      if (this.#link.offersStarttls) this.#watchUnencrypted(line)
    }
    return this.#sendUpTo(chunk, done, at)
  }

  #relayBody(chunk: Buffer, at: number): Buffer {
    const end = this.#link.observation.bodyFromClient(chunk, at)
    return this.#relayAfterBody(chunk, end, at)
  }

  /** What follows a body, up to `end`, in the same segment are commands: they are looked at, and go up in the same write. */
  #relayAfterBody(chunk: Buffer, end: number, at: number): Buffer {
    if (end < chunk.length && this.#position.inCommand) return this.#relayCommands(chunk, at, end)
    this.#writer.write(chunk.subarray(0, end))
    return chunk.subarray(end)
  }

  #relayUnseen(chunk: Buffer, at: number): Buffer {
    const { upstreamRefused, security, ehloOwed, observation } = this.#link
    // in an opaque session no byte may go up unencrypted, nor arrive unencrypted or without EHLO where that is demanded
    if (upstreamRefused) this.#responder.answer('UNKNOWN', localReplies.REFUSED)
    else if (security === 'starttls-required' || ehloOwed) this.#teardown.cut('error', 'upstream_lost')
    else {
      this.#writer.write(chunk)
      observation.fromClient(chunk, at)
    }
    return chunk.subarray(chunk.length)
  }

  /** The lines up to `done` were looked at. After a DATA, what follows is relayed without a look at its lines. */
  #sendUpTo(chunk: Buffer, done: number, at: number): Buffer {
    const { inCommand, inBody, full } = this.#position
    const waits = inCommand || inBody || full || this.#awaitsReplies
    this.#writer.write(waits ? chunk.subarray(0, done) : chunk)
    if (waits) return chunk.subarray(done)
    if (done < chunk.length) this.#link.observation.fromClient(chunk.subarray(done), at)
    return chunk.subarray(chunk.length)
  }

  /** The index after the line at `from`; -1 if the whole line must wait for its end. */
  #endOfLine(chunk: Buffer, from: number): number {
    const lf = chunk.indexOf(LF, from)
    if (lf >= 0) return lf + 1
    const unfinished = chunk.length - from
    const mayGo = this.#position.inLine || unfinished > MAX_UNFINISHED_LINE || this.#link.clientEnded
    return mayGo ? chunk.length : -1
  }

  /** Returns true if the proxy answers this line itself. If replies are owed before, everything from here on waits. */
  #answerLocally(line: Buffer, chunk: Buffer, from: number, end: number): boolean {
    const intercepted = this.#responder.intercept(line)
    if (!intercepted) return false
    if (this.#position.repliesOwed > 0) {
      this.#awaitsReplies = true
      return false
    }
    this.#writer.write(chunk.subarray(0, from))
    // half a line is no command: it is dropped without a reply
    if (this.#link.clientEnded && line.at(-1) !== LF) return true
    if (intercepted.answer !== 'upgrade') this.#responder.answer(intercepted.verb, intercepted.answer, line)
    else if (end < chunk.length) this.#responder.answer('STARTTLS', localReplies.STARTTLS_INJECTION)
    else void this.#startTls()
    return true
  }

  #afterAnswer(chunk: Buffer, end: number): Buffer {
    this.#droppingLine = chunk[end - 1] !== LF
    return this.#link.over ? chunk.subarray(chunk.length) : chunk.subarray(end)
  }

  /** Drops the rest of a long line that was answered here. */
  #afterLine(chunk: Buffer): Buffer {
    const lf = chunk.indexOf(LF)
    this.#droppingLine = lf < 0
    return chunk.subarray(lf < 0 ? chunk.length : lf + 1)
  }

  /** Where STARTTLS may follow: a complete EHLO decides what comes next, and some commands rule STARTTLS out. */
  #watchUnencrypted(line: Buffer): void {
    this.#responder.relayedUnencrypted(line)
    if (verbOf(line) === 'EHLO' && line.at(-1) === LF) this.#awaitsReplies = true
  }

  /** RFC 3207: 220, then nothing unencrypted. */
  async #startTls(): Promise<void> {
    const link = this.#link
    const context = link.secureContext()
    if (!context) return this.#responder.answer('STARTTLS', localReplies.STARTTLS_REFUSED)
    link.beginHandshake()
    if (await this.#moreUnencrypted()) return this.#responder.answer('STARTTLS', localReplies.STARTTLS_INJECTION)
    if (link.over) return
    this.#responder.answer('STARTTLS', localReplies.READY_FOR_TLS)
    this.#responder.flush()
    const socket = await link.client.secureWith(context, 'starttls', link.limits.handshakeMs)
    if (!socket) return
    link.endHandshake()
    link.observation.tls(socket)
    link.moved()
    // the TCP socket may have been full when TLS took it over, and its drain event is no longer heard
    link.upstream.resume()
    this.pump()
  }

  /** Reads on for one round of the event loop: what came with STARTTLS, or while it waited, shows now. */
  async #moreUnencrypted(): Promise<boolean> {
    const { client } = this.#link
    client.resume()
    await nextTurn()
    await nextTurn() // the first may come before the loop has looked at the sockets
    return !this.#link.over && (!this.#backlog.empty || client.hasUnread)
  }
}
