import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clock, count, daysUntil, duration, percent, uptime } from '../../../status/page/numbers.ts'

const plain = (text: string) => text.replaceAll('\u00a0', ' ')

const CASES: readonly [shown: string, expected: string][] = [
  [count(1_234_567), '1,234,567'],
  [duration(undefined), '–'],
  [duration(0.42), '0.4 ms'],
  [duration(312), '312 ms'],
  [duration(1310), '1.3 s'],
  [duration(130_000), '2 min'],
  [percent(undefined), '–'],
  [percent(1), '100.0%'],
  [percent(0.9999), '99.9%'],
  [percent(0.005), '0.5%'],
  [uptime(0), '0 s'],
  [uptime(59.9), '59 s'],
  [uptime(3600), '1 h 0 min'],
  [uptime(93_784), '1 d 2 h'],
  [clock(Date.UTC(2026, 0, 1, 4, 5, 6)), '04:05:06'],
  [`${daysUntil(10 * 86_400_000, 86_400_000)}`, '9'],
]

for (const [shown, expected] of CASES) {
  test(expected, () => {
    assert.equal(plain(shown), expected)
  })
}
