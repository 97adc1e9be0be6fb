import { BodyScanner } from '../smtp/body.ts'
import { type Chunk, chunkOf, type Verb, verbOf } from '../smtp/command.ts'
import { HeaderScanner } from '../smtp/header.ts'
import { HeldBytes } from './held-bytes.ts'

/** Client bytes copied while a reply decides what they are, above which the reader should pause. */
export const MAX_HELD_BYTES = 64 * 1024
/** Copies that are held for a reader that does not pause. At more, the copies are given up. */
const OVERFLOW_BYTES = 4 * MAX_HELD_BYTES
/** Bytes of a command line that are kept: RFC 5321 4.5.3.1.4 allows 512. */
const MAX_HEAD_BYTES = 512

const LF = 0x0a

/** After these a BDAT chunk is the first of its message (RFC 3030 2, RFC 5321 4.1.4). */
const FORGET_CHUNKS: ReadonlySet<Verb> = new Set(['MAIL', 'RSET', 'EHLO', 'HELO'])

/**
 * What the next client byte is. `waiting`: a reply decides. `unknown`: after a verb whose payload is unknown, bytes are
 * not parsed.
 */
export type Phase = 'command' | 'waiting' | 'sasl' | 'body' | 'chunk' | 'unknown'

/** What the bytes turned out to be. Each method is called when the last byte was read. */
export interface FramingListener {
  /** A command line; `line` is its head and is not kept. `chunk` is set if BDAT bytes follow. */
  command(verb: Verb, line: Buffer, chunk: Chunk | undefined, at: number): void
  /** A response in an AUTH exchange. It may look like a command but is none. Nothing of it is passed on (RFC 4954 4). */
  saslResponse(at: number): void
  /** The final dot. */
  endOfBody(at: number): void
  /** More bytes were held than allowed. */
  overflow(at: number): void
}

/**
 * Cuts the client's bytes into commands, AUTH responses and bodies. A reply decides what the bytes after AUTH or DATA are.
 * Until it comes, copies of them wait here, bounded.
 */
export class Framing {
  readonly #listener: FramingListener
  readonly #messageIds: boolean
  #phase: Phase = 'command'
  /** The unfinished command line: its head only. */
  #head: Buffer[] = []
  #headBytes = 0
  readonly #held = new HeldBytes()
  #scanner = new BodyScanner()
  #headers: HeaderScanner | undefined
  #chunkLeft = 0
  #lastChunk = false
  #blocked = false
  /** True if CHUNKING was offered: only then can the length of a BDAT be trusted (RFC 3030 2). */
  chunking = false
  /** True if bytes came after an unknown verb and before its reply. */
  sawUnknownBytes = false

  /** With `messageIds`, header sections are also searched for `Message-ID`. */
  constructor(listener: FramingListener, messageIds = false) {
    this.#listener = listener
    this.#messageIds = messageIds
  }

  get phase(): Phase {
    return this.#phase
  }

  /** True if the next byte certainly begins or continues a command line. */
  get inCommand(): boolean {
    return this.#phase === 'command' && this.#held.length === 0
  }

  /** True if part of a command line was read and its end was not. */
  get inLine(): boolean {
    return this.#headBytes > 0
  }

  get heldBytes(): number {
    return this.#held.length
  }

  /** Bytes of the current BDAT chunk that are still to come; 0 outside a chunk. */
  get chunkLeft(): number {
    return this.#chunkLeft
  }

  /** Bytes of the current body so far. */
  get bodySize(): number {
    return this.#scanner.size
  }

  /**
   * The header section of the body, or of the message that the last BDAT chunk belongs to. Callers keep it with the
   * transaction that it belongs to, while it is being filled.
   */
  get headers(): HeaderScanner | undefined {
    return this.#headers
  }

  /** Reads bytes that went up at `at`; the buffer is not kept. */
  push(bytes: Buffer, at: number): void {
    const end = this.#held.length > 0 ? 0 : this.#read(bytes, at)
    if (end === bytes.length) return
    this.#held.push(bytes.subarray(end), at)
    if (this.#held.length > OVERFLOW_BYTES) this.#listener.overflow(at)
  }

  /**
   * Reads the bytes of a body or of a BDAT chunk, and no more. Returns their number. What follows is something else, for
   * `push`.
   */
  pushBody(bytes: Buffer, at: number): number {
    let offset = 0
    while (offset < bytes.length && (this.#phase === 'body' || this.#phase === 'chunk')) {
      offset = this.#step(bytes, offset, at)
    }
    return offset
  }

  /** A reply decided what the next bytes are. Call `release` afterwards. */
  next(phase: 'command' | 'sasl' | 'body'): void {
    this.#phase = phase
    if (phase !== 'body') return
    this.#scanner = new BodyScanner()
    this.#headers = new HeaderScanner(this.#messageIds)
  }

  /** Stops reading (and holds) while `blocked`. */
  block(blocked: boolean): void {
    this.#blocked = blocked
  }

  /** Reads what was held, as far as it can be read now. */
  release(): void {
    while (this.#held.length > 0 && this.#canRead()) {
      const { bytes, at } = this.#held.shift()!
      const end = this.#read(bytes, at)
      if (end < bytes.length) this.#held.putBack(bytes.subarray(end), at)
    }
  }

  /** Forgets everything. */
  clear(): void {
    this.#head = []
    this.#headBytes = 0
    this.#held.clear()
    this.#phase = 'command'
    this.#chunkLeft = 0
    this.#headers = undefined
  }

  #canRead(): boolean {
    return this.#phase !== 'waiting' && !this.#blocked
  }

  /** Returns the index at which a reply must decide first, or the length. */
  #read(bytes: Buffer, at: number): number {
    let offset = 0
    while (offset < bytes.length && this.#canRead()) offset = this.#step(bytes, offset, at)
    return offset
  }

  #step(bytes: Buffer, offset: number, at: number): number {
    switch (this.#phase) {
      case 'command':
        return this.#readLine(bytes, offset, at)
      case 'sasl':
        return this.#readSasl(bytes, offset, at)
      case 'body':
        return this.#readBody(bytes, offset, at)
      case 'chunk':
        return this.#readChunk(bytes, offset)
      default:
        this.sawUnknownBytes = true
        return bytes.length
    }
  }

  #readLine(bytes: Buffer, offset: number, at: number): number {
    const lf = bytes.indexOf(LF, offset)
    const end = lf < 0 ? bytes.length : lf + 1
    const room = Math.max(0, MAX_HEAD_BYTES - this.#headBytes)
    const part = bytes.subarray(offset, Math.min(end, offset + room))
    if (lf < 0) {
      if (part.length > 0) this.#head.push(Buffer.from(part))
      this.#headBytes += end - offset
      return end
    }
    const line = this.#headBytes === 0 ? part : Buffer.concat([...this.#head, part])
    this.#head = []
    this.#headBytes = 0
    this.#command(line, at)
    return end
  }

  #command(line: Buffer, at: number): void {
    const verb = verbOf(line)
    const chunk = verb === 'BDAT' && this.chunking ? chunkOf(line) : undefined
    if (FORGET_CHUNKS.has(verb)) this.#headers = undefined
    if (verb === 'AUTH' || verb === 'DATA' || verb === 'STARTTLS') this.#phase = 'waiting'
    else if (chunk) this.#beginChunk(chunk)
    else if (verb === 'BDAT' || verb === 'UNKNOWN') {
      this.#phase = 'unknown'
      this.sawUnknownBytes = false
    }
    this.#listener.command(verb, line, chunk, at)
  }

  #beginChunk(chunk: Chunk): void {
    this.#chunkLeft = chunk.size
    if (this.#lastChunk) this.#headers = undefined
    this.#headers ??= new HeaderScanner(this.#messageIds)
    this.#lastChunk = chunk.last
    if (chunk.size > 0) this.#phase = 'chunk'
  }

  #readSasl(bytes: Buffer, offset: number, at: number): number {
    const lf = bytes.indexOf(LF, offset)
    if (lf < 0) return bytes.length
    this.#phase = 'waiting'
    this.#listener.saslResponse(at)
    return lf + 1
  }

  #readBody(bytes: Buffer, offset: number, at: number): number {
    const end = this.#scanner.push(bytes, offset)
    this.#lookAtHeader(bytes, offset, end < 0 ? bytes.length : end)
    if (end < 0) return bytes.length
    this.#phase = 'command'
    this.#headers = undefined
    this.#listener.endOfBody(at)
    return end
  }

  #readChunk(bytes: Buffer, offset: number): number {
    const taken = Math.min(this.#chunkLeft, bytes.length - offset)
    this.#chunkLeft -= taken
    this.#lookAtHeader(bytes, offset, offset + taken)
    if (this.#chunkLeft === 0) this.#phase = 'command'
    return offset + taken
  }

  #lookAtHeader(bytes: Buffer, from: number, to: number): void {
    const headers = this.#headers
    if (headers && !headers.done) headers.push(bytes, from, to)
  }
}
