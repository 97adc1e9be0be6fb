/** The grammar of replies (RFC 5321 4.2). Replies are assembled whole and byte-exact, up to a limit. */

/** The longest reply in bytes. AhaSend's longest has about 200; RFC 5321 4.5.3.1.5 requires 512 per line. */
export const MAX_REPLY_BYTES = 64 * 1024
/** The number of lines of one reply. Arbitrary: like the limits of Postfix and Dovecot, far above any EHLO list. */
export const MAX_REPLY_LINES = 1000

/** Shared, because each Buffer costs about 200 bytes of memory, however few bytes it has. */
const EMPTY: Buffer = Buffer.alloc(0)

const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20
const DASH = 0x2d

/** One complete reply, all its lines. */
export interface Reply {
  /**
   * Exactly the bytes that the upstream wrote, including line endings. They stay unchanged as long as the buffer is kept.
   */
  readonly bytes: Buffer
  /** The last line's code, 200 to 599, or 0 if it is not a reply line. */
  readonly code: number
}

/** The code of the line at `from`, or 0. A fourth digit, a letter or a code outside 200 to 599 makes it no code. */
function codeAt(bytes: Buffer, from: number): number {
  const code = digit(bytes[from]) * 100 + digit(bytes[from + 1]) * 10 + digit(bytes[from + 2])
  return code >= 200 && code <= 599 && isSeparator(bytes[from + 3]) ? code : 0
}

/** NaN makes the sum NaN, so one test at the end covers all three digits. */
function digit(byte: number | undefined): number {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39 ? byte - 0x30 : Number.NaN
}

function isSeparator(byte: number | undefined): boolean {
  return byte === SPACE || byte === DASH || byte === CR || byte === LF || byte === undefined
}

/** True if another line follows the line at `from`: it begins with three digits and a dash. */
function continues(bytes: Buffer, from: number): boolean {
  return bytes[from + 3] === DASH && !Number.isNaN(digit(bytes[from]) + digit(bytes[from + 1]) + digit(bytes[from + 2]))
}

/** Splits a stream of bytes into whole replies. A line ends at LF. A line without the continuation dash ends a reply. */
export class ReplyReader {
  #tail = EMPTY
  #tailLength = 0
  /** The index in the tail at which the unfinished line begins. */
  #lineStart = 0
  #lines = 0

  /** Bytes of an unfinished reply. */
  get unfinished(): number {
    return this.#tailLength
  }

  /**
   * Calls `whole` for each reply that `chunk` completes. Returns false if a reply, finished or not, is longer than allowed.
   * After that, do not use the reader any more.
   */
  push(chunk: Buffer, whole: (reply: Reply) => void): boolean {
    const searched = this.#tailLength
    const data = this.#tailLength === 0 ? chunk : this.#append(chunk)
    let start = 0
    let lineStart = this.#lineStart
    for (let lf = data.indexOf(LF, searched); lf >= 0; lf = data.indexOf(LF, lf + 1)) {
      this.#lines += 1
      if (!continues(data, lineStart)) {
        if (!this.#isBounded(lf + 1 - start)) return false
        const reply = { bytes: data.subarray(start, lf + 1), code: codeAt(data, lineStart) }
        start = lf + 1
        this.#lines = 0
        whole(reply)
      }
      lineStart = lf + 1
    }
    this.#keep(data, start, lineStart)
    return this.#isBounded(this.#tailLength)
  }

  #isBounded(bytes: number): boolean {
    return bytes <= MAX_REPLY_BYTES && this.#lines <= MAX_REPLY_LINES
  }

  /** Grows by doubling, so that a reply that arrives byte by byte costs linear time. */
  #append(chunk: Buffer): Buffer {
    const length = this.#tailLength + chunk.length
    if (this.#tail.length < length) {
      const grown = Buffer.alloc(Math.max(length, this.#tail.length * 2))
      this.#tail.copy(grown, 0, 0, this.#tailLength)
      this.#tail = grown
    }
    chunk.copy(this.#tail, this.#tailLength)
    this.#tailLength = length
    return this.#tail.subarray(0, length)
  }

  /**
   * Keeps the unfinished reply. Never writes again to a buffer that a returned reply uses: the reply may still be unsent.
   */
  #keep(data: Buffer, start: number, lineStart: number): void {
    this.#lineStart = lineStart - start
    if (start === 0 && this.#tailLength > 0) return
    this.#tailLength = data.length - start
    this.#tail = this.#tailLength === 0 ? EMPTY : Buffer.from(data.subarray(start))
  }
}

/** The text of the last line after its code, as latin1, at most 2,000 characters. It is never kept or exported. */
export function lastLineText(reply: Buffer): string {
  const end = reply.at(-1) === LF ? reply.length - 1 : reply.length
  const start = reply.lastIndexOf(LF, end - 1) + 1
  return reply.toString('latin1', start + 4, Math.min(end, start + 2000)).trimEnd()
}

/**
 * The enhanced status code (RFC 2034) at the start of the text of a reply's last line. Undefined if it is missing or
 * malformed, or if its class differs from that of the code.
 */
export function enhancedCodeOf(code: number, text: string): string | undefined {
  const found = /^([245])\.[0-9]{1,3}\.[0-9]{1,3}(?= |$)/.exec(text)
  return found && Number(found[1]) === Math.floor(code / 100) ? found[0] : undefined
}

/**
 * The message ids of a final 250 (`OK ids=…`, also `PARTIAL ids=…`; 32 hexadecimal digits each), or undefined.
 * At most 50, AhaSend's limit of recipients.
 */
export function messageIdsOf(text: string): readonly string[] | undefined {
  const found = /\bids=([0-9a-f]{32}(?: [0-9a-f]{32}){0,49})\b/.exec(text)
  return found ? found[1]!.split(' ') : undefined
}
