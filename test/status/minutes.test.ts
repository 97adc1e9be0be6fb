import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Counts, MINUTES, Minutes, sumByApp, sumOf } from '../../status/minutes.ts'

const MINUTE = 60_000
const NOON = Date.UTC(2026, 0, 1, 12)

/** The sessions of each of the last 60 minutes. */
function sessions(minutes: Minutes, now: number): number[] {
  return minutes.last(now).map(({ apps }) => sumOf(apps.values()).sessions)
}

test('an event counts in the minute in which it happened, for its app', () => {
  const minutes = new Minutes()
  minutes.of('billing', NOON).sessions += 1
  minutes.of('billing', NOON + 59_999).sessions += 1
  minutes.of('shop', NOON + MINUTE).sessions += 1
  const last = minutes.last(NOON + MINUTE)
  assert.equal(last.length, MINUTES)
  assert.equal(last.at(-2)?.apps.get('billing')?.sessions, 2)
  assert.deepEqual([...(last.at(-1)?.apps.keys() ?? [])], ['shop'])
})

test('after an hour a minute is forgotten, also when nothing has happened since', () => {
  const minutes = new Minutes()
  minutes.of('billing', NOON).sessions += 1
  assert.equal(sessions(minutes, NOON + 59 * MINUTE)[0], 1)
  assert.deepEqual(sessions(minutes, NOON + 60 * MINUTE), Array(60).fill(0))
  assert.deepEqual(sessions(minutes, NOON + 600 * MINUTE), Array(60).fill(0))
})

test('an event that is older than the ring changes no minute', () => {
  const minutes = new Minutes()
  minutes.of('billing', NOON).sessions += 1
  minutes.of('billing', NOON - 60 * MINUTE).sessions += 5
  assert.deepEqual(sessions(minutes, NOON).at(-1), 1)
})

test('codes that a peer invents take no more than a limit, and none is lost', () => {
  const counts: Counts = new Minutes().of('billing', NOON)
  for (let code = 200; code < 600; code += 1) counts.replied({ code, cause: 'none' })
  assert.ok(counts.replies.size <= 65)
  assert.equal(
    [...counts.replies.values()].reduce((sum, { count }) => sum + count, 0),
    400,
  )
})

test('sums hold what each part holds', () => {
  const minutes = new Minutes()
  for (const at of [NOON, NOON + MINUTE]) {
    const counts = minutes.of('billing', at)
    counts.outcomes.accepted += 2
    counts.refusedSessions += 1
    counts.replied({ code: 421, cause: 'load_shedding' })
    counts.tlsFailed('app_tls_version')
    counts.finalReplies.add(20)
  }
  const sum = sumByApp(minutes.last(NOON + MINUTE)).get('billing')!
  assert.equal(sum.outcomes.accepted, 4)
  assert.equal(sum.refusedSessions, 2)
  assert.deepEqual([...sum.replies.values()], [{ code: 421, cause: 'load_shedding', count: 2 }])
  assert.equal(sum.tlsFailures.get('app_tls_version'), 2)
  assert.ok(sum.finalReplies.quantile(0.5)! < 25)
})
