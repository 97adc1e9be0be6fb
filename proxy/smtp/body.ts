/** Finds the end of a message body (RFC 5321 4.1.1.4): exactly CRLF.CRLF, however the bytes are split into chunks. */

const NEEDLE = Buffer.from('\r\n.\r\n')
const CR = 0x0d
const LF = 0x0a
const DOT = 0x2e

/** Bytes of the line that ends the body and is not part of it. */
const END_LINE = 3

/**
 * After this number of dots that are not the end, the search switches from one byte to all five. Base64 has no dots, so
 * the search for one byte, the fastest there is, covers attachments; in text with many dots the search for five bytes is
 * faster.
 */
const FALSE_DOTS = 8

/** Searches the end of one body. Create one per body. */
export class BodyScanner {
  /**
   * How many bytes of the needle match at the end of the stream; two at the start, because the line before ended in CRLF.
   */
  #matched = 2
  #size = 0

  /** Bytes of the body so far, including dot-stuffing, without the line that ends it. */
  get size(): number {
    return this.#size
  }

  /** Reads `chunk` from `from`. Returns the index after the end of the body, or -1 if the body continues. */
  push(chunk: Buffer, from = 0): number {
    const end = this.#find(chunk, from)
    const read = (end < 0 ? chunk.length : end) - from
    this.#size += end < 0 ? read : read - END_LINE
    return end
  }

  #find(chunk: Buffer, from: number): number {
    let at = from
    while (this.#matched > 0 && at < chunk.length) {
      this.#matched = advance(this.#matched, chunk[at]!)
      at += 1
      if (this.#matched === NEEDLE.length) return at
    }
    if (at === chunk.length) return -1
    const start = search(chunk, at)
    if (start >= 0) return start + NEEDLE.length
    this.#matched = endsIn(chunk, at)
    return -1
  }
}

/** One step of the five-state automaton. Returns how many bytes of the needle match now. */
function advance(matched: number, byte: number): number {
  if (byte === NEEDLE[matched]) return matched + 1
  return byte === CR ? 1 : 0
}

/** The index of the needle at or after `from`, or -1. */
function search(chunk: Buffer, from: number): number {
  let dot = from
  for (let misses = 0; misses < FALSE_DOTS; misses += 1) {
    dot = chunk.indexOf(DOT, dot)
    if (dot < 0) return -1
    if (dot >= from + 2 && isEnd(chunk, dot)) return dot - 2
    dot += 1
  }
  return chunk.indexOf(NEEDLE, dot)
}

function isEnd(chunk: Buffer, dot: number): boolean {
  return chunk[dot - 2] === CR && chunk[dot - 1] === LF && chunk[dot + 1] === CR && chunk[dot + 2] === LF
}

/** How many bytes of the needle match at the end of `chunk`, not before `from`. */
function endsIn(chunk: Buffer, from: number): number {
  let matched = 0
  for (let at = Math.max(from, chunk.length - NEEDLE.length + 1); at < chunk.length; at += 1) {
    matched = advance(matched, chunk[at]!)
  }
  return matched
}
