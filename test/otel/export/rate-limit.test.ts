import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { createRateLimit, type RateLimit } from '../../../otel/export/rate-limit.ts'

/** A rate limit with fake time, and its reports. */
function limited(context: TestContext): { readonly limit: RateLimit; readonly reports: [string, number][] } {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  const reports: [string, number][] = []
  return { limit: createRateLimit((...report) => reports.push(report)), reports }
}

/** How many of `lines` are allowed. */
function allowed(limit: RateLimit, reason: string, lines: number): number {
  return Array.from({ length: lines }, () => limit.allows(reason)).filter(Boolean).length
}

test('ten lines per reason pass in the second after the first one; then the others are reported', (context) => {
  const { limit, reports } = limited(context)
  assert.equal(allowed(limit, 'a', 25), 10)
  context.mock.timers.tick(999)
  assert.equal(allowed(limit, 'a', 5), 0)
  assert.deepEqual(reports, [])
  context.mock.timers.tick(1)
  assert.deepEqual(reports, [['a', 20]])
  assert.equal(allowed(limit, 'a', 25), 10)
})

test('reasons do not share a limit', (context) => {
  const { limit, reports } = limited(context)
  assert.deepEqual([allowed(limit, 'a', 12), allowed(limit, 'b', 10)], [10, 10])
  context.mock.timers.tick(1000)
  assert.deepEqual(reports, [['a', 2]])
})

test('flush reports what is suppressed so far, once', (context) => {
  const { limit, reports } = limited(context)
  allowed(limit, 'a', 13)
  allowed(limit, 'b', 3)
  limit.flush()
  limit.flush()
  context.mock.timers.tick(1000)
  assert.deepEqual(reports, [['a', 3]])
})
