/** Pieces that are kept as they arrived; more are joined. A peer chooses the size of its pieces, down to one byte. */
const MAX_PIECES = 64

/**
 * Bytes that wait, in order. A Buffer of one byte costs about 300 bytes of memory, so many small pieces are joined and the
 * queue's memory stays in proportion to its bytes. The queue has no limit: its owner pauses the sender.
 */
export class ByteQueue {
  #pieces: Buffer[] = []
  #length = 0

  /** All bytes in the queue. */
  get length(): number {
    return this.#length
  }

  get empty(): boolean {
    return this.#pieces.length === 0
  }

  /** Adds bytes at the end. The buffer is kept. */
  push(bytes: Buffer): void {
    this.#length += bytes.length
    this.#pieces.push(bytes)
    if (this.#pieces.length >= MAX_PIECES) this.#pieces = [Buffer.concat(this.#pieces)]
  }

  /** Puts back, in front of everything else, what `take` returned and its caller did not use. */
  putBack(bytes: Buffer): void {
    this.#length += bytes.length
    if (bytes.length > 0) this.#pieces.unshift(bytes)
  }

  /** Removes and returns everything. A single piece is not copied. */
  take(): Buffer {
    const pieces = this.#pieces
    this.clear()
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
  }

  clear(): void {
    this.#pieces = []
    this.#length = 0
  }
}
