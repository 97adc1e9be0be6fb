import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LastSession } from '../../../proxy/upstream/last-session.ts'

const NOW = Date.UTC(2040, 0, 1)

test('no session is recent before the first one', () => {
  assert.equal(new LastSession().isWithin(180_000, 1000), false)
})

test('a session is recent for the given time, in every event loop', () => {
  const one = new LastSession()
  const other = new LastSession(one.memory)
  one.begins(NOW)
  assert.equal(other.isWithin(180_000, NOW), true)
  assert.equal(other.isWithin(180_000, NOW + 179_999), true)
  assert.equal(other.isWithin(180_000, NOW + 180_000), false)
})

test('the first session may begin at time 0', () => {
  const session = new LastSession()
  session.begins(0)
  assert.equal(session.isWithin(1000, 0), true)
})
