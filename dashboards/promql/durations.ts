/** Durations in seconds, and their notation in Prometheus. */

export const MINUTE = 60
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
] as const

/** Seconds in Prometheus's notation, to the millisecond: `5m`, `1m30s`. */
export function durationOf(seconds: number): string {
  let rest = Math.round(seconds * 1000)
  if (rest === 0) return '0s'
  let text = ''
  for (const [unit, milliseconds] of UNITS) {
    const amount = Math.floor(rest / milliseconds)
    if (amount > 0) text += `${amount}${unit}`
    rest -= amount * milliseconds
  }
  return text
}
