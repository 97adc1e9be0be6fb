import { seededRandom } from '../../simulator/random.ts'

/** Random choices that are the same for the same seed. */
export class SeededRandom {
  readonly #random: () => number

  constructor(seed: number) {
    this.#random = seededRandom(seed)
  }

  /** An integer from 0 to below `limit`. */
  below(limit: number): number {
    return Math.floor(this.#random() * limit)
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.#random() < probability
  }

  /** One item of the list. */
  one<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!
  }

  /** `count` random bytes. */
  bytes(count: number): Buffer {
    return Buffer.from(Array.from({ length: count }, () => this.below(256)))
  }

  /** Another generator, so that the choices of two users do not depend on the order in which they choose. */
  another(): SeededRandom {
    return new SeededRandom(this.below(2 ** 32))
  }
}
