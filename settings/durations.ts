/** Durations as settings write them: 250ms, 10s, 1m30s. */
import { type Reader, wrong } from './readers.ts'

/** A duration from `min` to `max`, in milliseconds; both bounds are written like the value. `why` explains the upper bound. */
export function duration(min: string, max: string, why = `Choose ${max} or less.`): Reader<number> {
  const lowest = milliseconds(min) ?? 0
  const highest = milliseconds(max) ?? 0
  const expected = `a duration from ${min} to ${max}, written like 250ms, 10s or 1m30s`
  return (text) => {
    const isNegative = text.startsWith('-')
    const value = milliseconds(isNegative ? text.slice(1) : text)
    if (value === undefined) return wrong(text, expected)
    if (isNegative || value < lowest) return wrong(text, expected, `Choose ${min} or more.`)
    return value > highest ? wrong(text, expected, why) : { value }
  }
}

function milliseconds(text: string): number | undefined {
  const parts = /^(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?(?:(\d{1,6})ms)?$/.exec(text)
  if (parts === null || text === '') return undefined
  const [hours = 0, minutes = 0, seconds = 0, rest = 0] = parts.slice(1).map((digits) => Number(digits ?? 0))
  return hours * 3_600_000 + minutes * 60_000 + seconds * 1000 + rest
}

const UNITS = [
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
] as const

/** A duration as settings write it: in the largest unit that needs no fraction. */
export function durationText(ms: number): string {
  const [unit, size] = UNITS.find(([, unitMs]) => ms >= unitMs && ms % unitMs === 0) ?? ['ms', 1]
  return `${ms / size}${unit}`
}
