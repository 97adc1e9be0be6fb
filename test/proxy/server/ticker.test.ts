import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Ticker } from '../../../proxy/server/ticker.ts'

const INTERVAL_MS = 1000

/** Ticks with these pauses between them, in milliseconds. Returns which of them were late. */
function ticks(t: TestContext, pauses: readonly number[]): boolean[] {
  let now = 0
  t.mock.method(performance, 'now', () => now)
  t.mock.timers.enable({ apis: ['setInterval'] })
  const late: boolean[] = []
  const ticker = new Ticker(INTERVAL_MS, (_, isLate) => late.push(isLate))
  for (const pause of pauses) {
    now += pause
    t.mock.timers.tick(INTERVAL_MS)
  }
  ticker.stop()
  t.mock.timers.tick(10 * INTERVAL_MS)
  assert.equal(late.length, pauses.length, 'no tick after the stop')
  return late
}

test('a tick after more than three intervals is late, and the next one is not', (t) => {
  assert.deepEqual(ticks(t, [1000, 3000, 3001, 1000]), [false, false, true, false])
})

test('after ten late ticks in a row, one counts as on time', (t) => {
  const late = ticks(t, new Array(22).fill(60_000))
  assert.deepEqual(
    late.flatMap((isLate, index) => (isLate ? [] : [index])),
    [10, 21],
  )
})
