import type { SeededRandom } from '../traffic/seeded-random.ts'

/** The number of letters by which a piece is recognised. Eight letters out of 40 do not match by chance. */
const PIECE = 8
/** No hexadecimal digits: some of millions of random ids would contain a piece. */
const LETTERS = 'GHIJKLMNOPQRSTUVWXYZghijklmnopqrstuvwxyz'

/**
 * Random letters that peers send in every place and that telemetry must not contain. All pieces come from one block, so
 * any eight consecutive letters of the block in an output are a leak.
 */
export class SecretText {
  readonly #block: string
  readonly #pieces: ReadonlySet<string>

  constructor(random: SeededRandom, length = 32 * 1024) {
    this.#block = Array.from({ length }, () => LETTERS[random.below(LETTERS.length)]).join('')
    this.#pieces = new Set(Array.from({ length: length - PIECE + 1 }, (_, at) => this.#block.slice(at, at + PIECE)))
  }

  /** A random piece of `least` to `most` letters. */
  word(random: SeededRandom, least = PIECE, most = 24): string {
    const length = least + random.below(most - least + 1)
    const at = random.below(this.#block.length - length)
    return this.#block.slice(at, at + length)
  }

  /** All places where an output contains a piece, with their context. */
  foundIn(output: string): string[] {
    const found: string[] = []
    for (let at = 0; at + PIECE <= output.length; at += 1) {
      const piece = output.slice(at, at + PIECE)
      if (this.#pieces.has(piece)) found.push(output.slice(Math.max(0, at - 60), at + PIECE + 20))
    }
    return found
  }
}
