/** Thresholds that depend on each other, on AhaSend's limits or on the buckets of a histogram. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  BURN_RATES,
  CERTIFICATE,
  LIMITS,
  REFUSED_LOGINS,
  SLOW_FINAL_REPLY,
  SLOW_QUANTILES,
  WITHOUT_HEADER,
} from '../../../dashboards/alerts/thresholds.ts'
import { DAY, HOUR } from '../../../dashboards/promql/durations.ts'
import { metrics } from '../../../otel/names/names.ts'

/** The share of a 30-day budget that each burn rate spends within its long window, from the SRE workbook. */
const SPENT = [0.02, 0.05, 0.1]

for (const [index, { factor, long }] of BURN_RATES.entries()) {
  test(`a burn rate of ${factor} over ${long / HOUR} h spends ${SPENT[index]} of the budget`, () => {
    assert.ok(Math.abs((factor * long) / (30 * DAY) - SPENT[index]!) < 1e-9)
  })
}

test('the short window of each burn rate is a twelfth of the long one', () => {
  for (const { long, short } of BURN_RATES) assert.equal(long / short, 12)
})

for (const [metric, limit] of Object.entries(LIMITS)) {
  test(`${metric} has buckets that end at the limit of ${limit} and below it`, () => {
    const buckets: readonly number[] = metrics[metric as keyof typeof LIMITS].buckets
    assert.ok(buckets.includes(limit), 'values up to the limit must be distinguishable from values above it')
    assert.ok(buckets.some((bound) => bound < limit && bound >= limit * 0.7))
  })
}

test('the time of a final reply has a bucket that ends at the threshold', () => {
  assert.ok((metrics.commandDuration.buckets as readonly number[]).includes(SLOW_FINAL_REPLY))
})

test('more than three final replies must be slow', () => {
  for (const { quantile, replies } of SLOW_QUANTILES) assert.ok(Math.round((1 - quantile) * replies) >= 3)
})

test('a certificate is a warning before it is critical', () => {
  for (const { warning, critical } of Object.values(CERTIFICATE)) assert.ok(warning > critical)
})

test('every window for refused logins is at least as long as new credentials take to work', () => {
  for (const window of REFUSED_LOGINS.windows) assert.ok(window >= REFUSED_LOGINS.takenUpWithin)
})

test('an hour is a whole number of windows for sessions without a PROXY header', () => {
  assert.equal(HOUR % WITHOUT_HEADER.window, 0)
})
