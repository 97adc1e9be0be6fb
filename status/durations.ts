/** A histogram of durations with a fixed size: enough for a median and a 99th percentile on a page. */

/** Each bound is a quarter above the one before, so a quantile is at most 12 % off. */
const GROWTH = 1.25
/** 1 ms to about 11 minutes: AhaSend's final reply may take 10 (RFC 5321 4.5.3.2.6). */
const BOUNDS = 61

export class Durations {
  /** Made with the first duration: most minutes of most apps have none. */
  #counts: Uint32Array | undefined
  #total = 0

  /** Takes one duration, in milliseconds. Negative values count as 0. */
  add(milliseconds: number): void {
    this.#all()[bucketOf(milliseconds)]! += 1
    this.#total += 1
  }

  /** Adds what another histogram holds. */
  merge(other: Durations): void {
    if (!other.#counts) return
    const counts = this.#all()
    for (let bucket = 0; bucket < counts.length; bucket += 1) counts[bucket]! += other.#counts[bucket]!
    this.#total += other.#total
  }

  /** The duration below which this share (0 to 1) of all durations lies, in milliseconds; undefined without any. */
  quantile(share: number): number | undefined {
    if (!this.#counts) return undefined
    const rank = Math.max(1, Math.ceil(share * this.#total))
    let seen = 0
    const bucket = this.#counts.findIndex((count) => {
      seen += count
      return seen >= rank
    })
    return middleOf(bucket)
  }

  #all(): Uint32Array {
    this.#counts ??= new Uint32Array(BOUNDS + 1)
    return this.#counts
  }
}

function bucketOf(milliseconds: number): number {
  if (milliseconds <= 1) return 0
  return Math.min(BOUNDS, Math.ceil(Math.log(milliseconds) / Math.log(GROWTH)))
}

/** The geometric middle of a bucket. */
function middleOf(bucket: number): number {
  return bucket === 0 ? 1 : GROWTH ** (bucket - 0.5)
}
