/**
 * Reads message bodies byte for byte as they are on the wire. This is faster than smtp-server, which removes
 * dot-stuffing.
 */
import { createHash } from 'node:crypto'
import { SMTPStream } from 'smtp-server/lib/smtp-stream.js'

/** The bytes between the 354 and the final dot. */
export interface Body {
  /** Bytes, including dot-stuffing and the last line's CRLF, without the line of the final dot. */
  readonly size: number
  /** SHA-256 of these bytes in hexadecimal. */
  readonly sha256: string
  /** True if a line ends in LF alone. */
  readonly bareLineFeed: boolean
  /** The bytes; only if the simulator keeps bodies. */
  readonly bytes?: Buffer
}

/** Receives a body. `resume` reads what the client sent after it. */
export type TakeBody = (body: Body, resume: () => void) => void

const START = Buffer.from('\r\n')
const END_OF_BODY = Buffer.from('\r\n.\r\n')
const LF = 0x0a
const CR = 0x0d

/**
 * Hashes and measures one body. A body ends at CRLF.CRLF only. Right after the 354, the first CRLF counts as sent (RFC
 * 5321 section 4.1.1.4).
 */
class BodyReader {
  readonly #hash = createHash('sha256')
  readonly #kept: Buffer[] | undefined
  // The last bytes: they may belong to the end of the body, so they are not counted yet.
  #held: Buffer = START
  #uncounted = START.length
  #size = 0
  #last = LF
  #bareLineFeed = false

  constructor(keep: boolean) {
    this.#kept = keep ? [] : undefined
  }

  /** Reads a chunk. Returns the bytes after the line of the final dot, or undefined if the body continues. */
  push(chunk: Buffer): Buffer | undefined {
    const data = this.#held.length > 0 ? Buffer.concat([this.#held, chunk]) : chunk
    const end = data.indexOf(END_OF_BODY)
    if (end >= 0) {
      this.#count(data.subarray(0, end + 2))
      return data.subarray(end + END_OF_BODY.length)
    }
    const safe = Math.max(0, data.length - (END_OF_BODY.length - 1))
    this.#count(data.subarray(0, safe))
    this.#held = data.subarray(safe)
    return undefined
  }

  result(): Body {
    const sha256 = this.#hash.digest('hex')
    const bytes = this.#kept && { bytes: Buffer.concat(this.#kept) }
    return { size: this.#size, sha256, bareLineFeed: this.#bareLineFeed, ...bytes }
  }

  #count(data: Buffer): void {
    const skipped = Math.min(this.#uncounted, data.length)
    this.#uncounted -= skipped
    const part = data.subarray(skipped)
    if (part.length === 0) return
    this.#hash.update(part)
    this.#size += part.length
    this.#kept?.push(Buffer.from(part))
    this.#lookForBareLineFeed(part)
  }

  #lookForBareLineFeed(part: Buffer): void {
    for (let at = part.indexOf(LF); at >= 0 && !this.#bareLineFeed; at = part.indexOf(LF, at + 1)) {
      this.#bareLineFeed = (at === 0 ? this.#last : part[at - 1]) !== CR
    }
    this.#last = part[part.length - 1] ?? this.#last
  }
}

/**
 * smtp-server's parser with our own body reader. Unlike smtp-server's, it does not perform a last line without a line
 * end.
 */
export class BodyStream extends SMTPStream {
  #reader: BodyReader | undefined
  #take: TakeBody = () => {}

  /** True between a 354 and the final dot. */
  get inBody(): boolean {
    return this.#reader !== undefined
  }

  /** Reads the next bytes as a body. */
  beginBody(keep: boolean, take: TakeBody): void {
    this._dataMode = true
    this.#reader = new BodyReader(keep)
    this.#take = take
  }

  override _feedDataStream(chunk: Buffer, done: (error?: Error | null) => void): void {
    const reader = this.#reader
    const rest = reader?.push(chunk)
    if (!reader || !rest) return done()
    this.#reader = undefined
    this._dataMode = false
    this._remainder = ''
    this.#take(reader.result(), () => this._write(rest, 'buffer', done))
  }

  override _flushData(): void {}
}
