/** Percentiles, medians and spreads. */

/** The median of some rounds, with the lowest and the highest of them. */
export interface Spread {
  readonly median: number
  readonly lowest: number
  readonly highest: number
  readonly rounds: number
}

/**
 * The value that this share (0 to 1) of the values does not exceed (nearest rank). Undefined if too few values are there to
 * tell it from the highest one: p99.9 needs 1,000 values.
 */
export function percentile(values: readonly number[], share: number): number | undefined {
  // 1e-6: 1 - 0.999 is a little more than 0.001
  if (values.length === 0 || values.length * (1 - share) < 1 - 1e-6) return undefined
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.ceil(share * sorted.length - 1e-6) - 1]
}

/** The middle value, or the mean of the two middle values. NaN without a value. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other)
  const middle = sorted.length / 2
  return ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2
}

/** The spread of the values that are known. Undefined if none is. */
export function spread(values: readonly (number | undefined)[]): Spread | undefined {
  const known = values.filter((value) => value !== undefined)
  if (known.length === 0) return undefined
  return { median: median(known), lowest: Math.min(...known), highest: Math.max(...known), rounds: known.length }
}

/** The items in the same cyclic order, beginning with another one. */
export function rotated<Item>(items: readonly Item[], by: number): Item[] {
  return items.map((_, index) => items[(index + by) % items.length]!)
}
