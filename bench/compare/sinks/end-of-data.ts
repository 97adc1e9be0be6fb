/** Finds the end of a message (`CRLF . CRLF`) in chunks of any size. */

const END = Buffer.from('\r\n.\r\n')

export class EndOfData {
  /** The last bytes before the next chunk, at most four. At the beginning, the line end after DATA. */
  #tail = Buffer.from('\r\n')

  /** The number of bytes of the chunk that belong to the message, its final dot included; -1 if it continues. */
  find(chunk: Buffer): number {
    const head = Buffer.concat([this.#tail, chunk.subarray(0, END.length - 1)])
    const across = head.indexOf(END)
    if (across !== -1) return this.#ended(across + END.length - this.#tail.length)
    const inside = chunk.indexOf(END)
    if (inside !== -1) return this.#ended(inside + END.length)
    this.#tail = Buffer.from((chunk.length < END.length ? head : chunk).subarray(-(END.length - 1)))
    return -1
  }

  #ended(length: number): number {
    this.#tail = Buffer.from('\r\n')
    return length
  }
}
