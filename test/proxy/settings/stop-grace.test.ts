import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EXIT_MS, graceLeft } from '../../../proxy/settings/stop-grace.ts'

test('the grace that is left ends before the exit begins', () => {
  const left = graceLeft(60_000, performance.now() - 10_000)
  assert.ok(left <= 50_000 - EXIT_MS && left > 49_000 - EXIT_MS, String(left))
  assert.ok(graceLeft(1000, performance.now()) < 0)
})
