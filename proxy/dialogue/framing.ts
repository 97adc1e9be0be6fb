import { BodyScanner } from '../smtp/body.ts'
import { type Chunk, chunkOf, type Verb, verbOf } from '../smtp/command.ts'
import { HeaderScanner } from '../smtp/header.ts'
import { HeldBytes } from './held-bytes.ts'

/** Octets of client bytes copied while a reply decides what they are, above which the reader should pause. */
export const MAX_HELD_BYTES = 64 * 1024
/** Where a reader that did not pause has gone too far: the copies are given up. */
const OVERFLOW_BYTES = 4 * MAX_HELD_BYTES
/** Octets of a command line that are kept: RFC 5321 4.5.3.1.4 allows 512. */
const MAX_HEAD_BYTES = 512

const LF = 0x0a

/** Behind these a BDAT chunk is the first of its message (RFC 3030 2, RFC 5321 4.1.4). */
const FORGET_CHUNKS: ReadonlySet<Verb> = new Set(['MAIL', 'RSET', 'EHLO', 'HELO'])

/**
 * What the next client octet is. `waiting`: a reply decides. `unknown`: behind a verb whose payload nobody knows, the
 * bytes are not parsed.
 */
export type Phase = 'command' | 'waiting' | 'sasl' | 'body' | 'chunk' | 'unknown'

/** What the bytes turned out to be. Each is told when its last octet was read. */
export interface FramingListener {
  /** A command line; `line` is its head and not kept. `chunk` is there when BDAT octets follow. */
  command(verb: Verb, line: Buffer, chunk: Chunk | undefined, at: number): void
  /** A response in an AUTH exchange. It may spell a command and is none; nothing of it is handed on (RFC 4954 4). */
  saslResponse(at: number): void
  /** The final dot. */
  endOfBody(at: number): void
  /** More was held than is allowed. */
  overflow(at: number): void
}

/**
 * Cuts the client's bytes into commands, AUTH responses and bodies. What the bytes behind EHLO, AUTH or DATA are is
 * decided by a reply; until it comes, copies wait here, bounded.
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
  /** True when BDAT was offered: only then is its length to be believed (RFC 3030 2). */
  chunking = false
  /** True when bytes came behind a verb that nobody knows, before its reply. */
  sawUnknownBytes = false

  /** With `messageIds` the header sections are searched for `Message-ID`, too. */
  constructor(listener: FramingListener, messageIds = false) {
    this.#listener = listener
    this.#messageIds = messageIds
  }

  get phase(): Phase {
    return this.#phase
  }

  /** True when the next octet to come begins or continues a command line, for sure. */
  get inCommand(): boolean {
    return this.#phase === 'command' && this.#held.length === 0
  }

  /** True when part of a command line was read and its end was not. */
  get inLine(): boolean {
    return this.#headBytes > 0
  }

  get heldBytes(): number {
    return this.#held.length
  }

  /** Octets of the present BDAT chunk that are still to come; 0 outside one. */
  get chunkLeft(): number {
    return this.#chunkLeft
  }

  /** Octets of the current body so far. */
  get bodySize(): number {
    return this.#scanner.size
  }

  /**
   * The header section of the body, or of the message that the last BDAT chunk belongs to. What the mail of these octets
   * is, is for others to know: they keep it while it is filled.
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
   * Reads the octets of a body or of a BDAT chunk, and no more. Returns how many they were: what follows is something else,
   * for `push`.
   */
  pushBody(bytes: Buffer, at: number): number {
    let offset = 0
    while (offset < bytes.length && (this.#phase === 'body' || this.#phase === 'chunk')) {
      offset = this.#step(bytes, offset, at)
    }
    return offset
  }

  /** A reply decided what the next octets are. Call `release` afterwards. */
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

  /** Returns the index at which a reply has to decide first, or the length. */
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
