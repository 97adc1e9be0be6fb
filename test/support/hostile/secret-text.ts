import type { Dice } from '../traffic/seeded-random.ts'

/** Octets of a piece by which it is recognised. Eight letters of 40 do not come about by chance. */
const PIECE = 8
/** No hexadecimal digits among them: some of millions of random ids would hold a piece. */
const LETTERS = 'GHIJKLMNOPQRSTUVWXYZghijklmnopqrstuvwxyz'

/**
 * What nobody's telemetry has any business to know: random letters, of which peers write pieces into every
 * place. All pieces are cut from one block, so any eight of its octets in an output are a leak.
 */
export class Noise {
  readonly #block: string
  readonly #pieces: ReadonlySet<string>

  constructor(dice: Dice, length = 32 * 1024) {
    this.#block = Array.from({ length }, () => LETTERS[dice.below(LETTERS.length)]).join('')
    this.#pieces = new Set(Array.from({ length: length - PIECE + 1 }, (_, at) => this.#block.slice(at, at + PIECE)))
  }

  /** Some of it: `least` to `most` letters. */
  word(dice: Dice, least = PIECE, most = 24): string {
    const length = least + dice.below(most - least + 1)
    const at = dice.below(this.#block.length - length)
    return this.#block.slice(at, at + length)
  }

  /** Where an output holds a piece of it, with what stands around. */
  foundIn(output: string): string[] {
    const found: string[] = []
    for (let at = 0; at + PIECE <= output.length; at += 1) {
      const piece = output.slice(at, at + PIECE)
      if (this.#pieces.has(piece)) found.push(output.slice(Math.max(0, at - 60), at + PIECE + 20))
    }
    return found
  }
}
