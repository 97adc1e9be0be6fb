/** Bytes in the order of their arrival, with the time of each chunk and the position up to which a test has read. */
export class ByteLog {
  #buffer = Buffer.alloc(1024)
  #length = 0
  #read = 0
  readonly #arrivals: { readonly at: number; readonly end: number }[] = []

  append(chunk: Buffer): void {
    if (this.#length + chunk.length > this.#buffer.length) this.#grow(this.#length + chunk.length)
    chunk.copy(this.#buffer, this.#length)
    this.#length += chunk.length
    this.#arrivals.push({ at: performance.now(), end: this.#length })
  }

  /** The number of bytes that have arrived. */
  get length(): number {
    return this.#length
  }

  /** A copy of all bytes. */
  get all(): Buffer {
    return Buffer.from(this.#buffer.subarray(0, this.#length))
  }

  /** The bytes that were not taken yet. A view that is valid until the next append. */
  get unread(): Buffer {
    return this.#buffer.subarray(this.#read, this.#length)
  }

  /**
   * One entry per chunk: its time of arrival (`performance.now()`, milliseconds) and the total number of bytes after
   * it.
   */
  get arrivals(): readonly { readonly at: number; readonly end: number }[] {
    return this.#arrivals
  }

  /** Takes the next `count` bytes and returns a copy. */
  take(count: number): Buffer {
    const taken = Buffer.from(this.unread.subarray(0, count))
    this.#read += taken.length
    return taken
  }

  #grow(needed: number): void {
    const larger = Buffer.alloc(Math.max(needed, 2 * this.#buffer.length))
    this.#buffer.copy(larger, 0, 0, this.#length)
    this.#buffer = larger
  }
}
