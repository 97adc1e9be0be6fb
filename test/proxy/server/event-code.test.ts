import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decode, encode } from '../../../proxy/server/event-code.ts'
import { reply, SessionStory } from '../../support/telemetry/session-events.ts'

/** What the other thread gets. */
function received(objects: readonly object[]): object[] {
  return decode(structuredClone(encode(objects)))
}

test('the events of a session arrive as they were, with their keys in the same order', () => {
  const { opening, events } = new SessionStory().closed('quit')
  const exchange = { type: 'exchange', at: 1_796_081_984_992.735, end: 2, command: 'MAIL', reply: reply(250) }
  const capabilities = { type: 'capabilities', at: 1, removed: ['CHUNKING', 'XCLIENT'], added: [] }
  const entries = [opening, exchange, capabilities, ...events].map((event, session) => ({ session, event }))
  assert.equal(JSON.stringify(received(entries)), JSON.stringify(entries))
})

test('any plain objects arrive as they were', () => {
  const value = fc.oneof(
    fc.double(),
    fc.integer(),
    fc.string(),
    fc.boolean(),
    fc.constant(undefined),
    fc.constant(null),
    fc.array(fc.object({ maxDepth: 1 }), { maxLength: 2 }),
  )
  const flat = fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), value, { noNullPrototype: true })
  const nested = fc.record({ session: fc.nat(), event: flat, more: fc.oneof(flat, value) }, { noNullPrototype: true })
  fc.assert(fc.property(fc.array(fc.oneof(flat, nested)), (objects) => assert.deepEqual(received(objects), objects)))
})

test('more numbers than ever before arrive, and the next batch is independent of them', () => {
  const many = Array.from({ length: 20_000 }, (_, at) => ({ at }))
  assert.deepEqual(received(many), many)
  assert.deepEqual(received([{ at: 'once' }]), [{ at: 'once' }])
  assert.deepEqual(received([]), [])
})

test('a string that all events have is sent once', () => {
  const { others, keys } = encode(Array.from({ length: 100 }, (_, at) => ({ type: 'tx-data', at })))
  assert.deepEqual({ others, keys }, { others: ['tx-data'], keys: [['type', 'at']] })
})
