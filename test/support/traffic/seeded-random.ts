import { seededRandom } from '../../simulator/random.ts'

/** Chooses, the same for the same seed. */
export class Dice {
  readonly #random: () => number

  constructor(seed: number) {
    this.#random = seededRandom(seed)
  }

  /** An integer from 0 to below `limit`. */
  below(limit: number): number {
    return Math.floor(this.#random() * limit)
  }

  chance(probability: number): boolean {
    return this.#random() < probability
  }

  one<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!
  }

  /** So many octets of any value. */
  octets(count: number): Buffer {
    return Buffer.from(Array.from({ length: count }, () => this.below(256)))
  }

  /** A generator of its own, so that two who choose in turn do not depend on whose turn it is. */
  another(): Dice {
    return new Dice(this.below(2 ** 32))
  }
}
