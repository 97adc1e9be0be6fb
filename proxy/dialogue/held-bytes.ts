import { ByteQueue } from './byte-queue.ts'

/** Pieces that keep their own time; all later ones share the time of the first of these. Arbitrary: clients send a few. */
const MAX_TIMED_PIECES = 64

interface Piece {
  readonly bytes: Buffer
  readonly at: number
}

/** Copies of client bytes that wait for a reply, each with the time at which it was sent. */
export class HeldBytes {
  #timed: Piece[] = []
  readonly #later = new ByteQueue()
  #laterAt = 0
  /** All bytes held. */
  length = 0

  /** Adds a copy of `bytes`, which were sent at `at`. */
  push(bytes: Buffer, at: number): void {
    this.length += bytes.length
    const copy = Buffer.from(bytes)
    if (this.#timed.length < MAX_TIMED_PIECES && this.#later.empty) return void this.#timed.push({ bytes: copy, at })
    if (this.#later.empty) this.#laterAt = at
    this.#later.push(copy)
  }

  /** Puts the end of a piece that `shift` returned back in front of everything else. */
  putBack(bytes: Buffer, at: number): void {
    this.length += bytes.length
    this.#timed.unshift({ bytes, at })
  }

  /** Removes and returns the first piece. */
  shift(): Piece | undefined {
    const piece =
      this.#timed.shift() ?? (this.#later.empty ? undefined : { bytes: this.#later.take(), at: this.#laterAt })
    if (piece) this.length -= piece.bytes.length
    return piece
  }

  clear(): void {
    this.#timed = []
    this.#later.clear()
    this.length = 0
  }
}
