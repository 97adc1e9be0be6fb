/** Counts SMTP replies in a stream of bytes, without a string per chunk. */

const LF = 10
const SPACE = 32
const TWO = 50
const THREE = 51

export class ReplyCounter {
  /** Replies that begin with 4 or 5, or with no digit of a reply. */
  refusals = 0
  /** The last refusal, for messages about failures. */
  refusal = ''
  #rest: Buffer | undefined

  /** Returns the number of replies that end in this chunk. Only their last lines count: the fourth byte is a space. */
  push(chunk: Buffer): number {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk])
    let [replies, start] = [0, 0]
    for (let end = bytes.indexOf(LF); end !== -1; end = bytes.indexOf(LF, start)) {
      if (bytes[start + 3] === SPACE) {
        replies += 1
        if (bytes[start] !== TWO && bytes[start] !== THREE) this.#refuse(bytes.subarray(start, end))
      }
      start = end + 1
    }
    this.#rest = start === bytes.length ? undefined : Buffer.from(bytes.subarray(start))
    return replies
  }

  #refuse(line: Buffer): void {
    this.refusals += 1
    this.refusal = line.toString('latin1').trim()
  }
}
