/** Numbers as text. */
import type { Spread } from '../figures/statistics.ts'

/** Three significant digits at most, and no exponent: `0.0853`, `1.23`, `12.3`, `4567`. */
export function number(value: number): string {
  if (value === 0 || Math.abs(value) >= 100) return value.toFixed(0)
  const digits = Math.min(4, Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value)))))
  return value.toFixed(digits)
}

/** The median, and the lowest and highest value of the rounds: `1.23 (1.20 to 1.31)`. */
export function spreadText(value: Spread): string {
  const text = number(value.median)
  return value.rounds === 1 ? text : `${text} (${number(value.lowest)} to ${number(value.highest)})`
}

/** With a sign: `+1.2`, `-0.3`. */
export function signed(value: number): string {
  return (value < 0 ? '' : '+') + number(value)
}
