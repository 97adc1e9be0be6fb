/** The notation of durations in Prometheus. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { durationOf } from '../../../dashboards/promql/durations.ts'

const DURATIONS: readonly (readonly [seconds: number, text: string])[] = [
  [0, '0s'],
  [60, '1m'],
  [90, '1m30s'],
  [3600, '1h'],
  [259_200, '3d'],
  [0.25, '250ms'],
  [1.5, '1s500ms'],
]

for (const [seconds, text] of DURATIONS) {
  test(`${seconds} seconds are ${text}`, () => assert.equal(durationOf(seconds), text))
}
