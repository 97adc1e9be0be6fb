import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { SessionEvent } from '../../../proxy/events/session-event.ts'
import { Batch, type BatchEntry, MAX_UNPROCESSED, ProcessedCount } from '../../../proxy/server/event-batch.ts'
import { reply, SessionStory } from '../../support/telemetry/session-events.ts'

/** A batch, and the entries that it sent. `process` counts all sent entries as processed. */
function batch() {
  const sent: BatchEntry[] = []
  const processed = new ProcessedCount()
  let counted = 0
  const all = new Batch((entries) => sent.push(...entries), new ProcessedCount(processed.memory))
  const process = () => {
    processed.add(sent.length - counted)
    counted = sent.length
  }
  return { all, sent, process }
}

const noop: SessionEvent = { type: 'exchange', at: 2, end: 3, command: 'NOOP', reply: reply(250) }
const close: SessionEvent = new SessionStory().closed('quit').events[0]!

const { opening } = new SessionStory()

function typesOf(entries: readonly BatchEntry[]): string[] {
  return entries.map((entry) => ('failure' in entry ? 'failure' : entry.event.type))
}

test('the events of one turn are sent together, once', async () => {
  const { all, sent } = batch()
  const observe = all.open(opening)
  observe(noop)
  assert.equal(sent.length, 0)
  await turn()
  assert.deepEqual(typesOf(sent), ['session-open', 'exchange'])
})

test('while no event is processed, sessions become opaque: only their close is still sent', async () => {
  const { all, sent } = batch()
  const busy = all.open(opening)
  for (let event = 0; event < 3 * MAX_UNPROCESSED; event += 1) busy(noop)
  const late = all.open(opening)
  for (const event of [noop, noop, close]) late(event)
  busy(close)
  await turn()
  assert.equal(sent.length, MAX_UNPROCESSED + 6)
  assert.deepEqual(typesOf(sent.slice(-5)), [
    'session-opaque',
    'session-open',
    'session-opaque',
    'session-close',
    'session-close',
  ])
})

test('once all events are processed, new sessions are sent again; opaque ones stay opaque', async () => {
  const { all, sent, process } = batch()
  const busy = all.open(opening)
  for (let event = 0; event < 2 * MAX_UNPROCESSED; event += 1) busy(noop)
  await turn()
  process()
  const before = sent.length
  busy(noop)
  all.open(opening)(noop)
  await turn()
  assert.deepEqual(typesOf(sent.slice(before)), ['session-open', 'exchange'])
})

test('dials and failures of observers are sent without a session, and a flush sends even nothing', () => {
  let flushes = 0
  const sent: BatchEntry[] = []
  const all = new Batch((entries) => {
    flushes += 1
    sent.push(...entries)
  }, new ProcessedCount())
  all.observerFailed(new RangeError('secret'))
  all.observerFailed('no error')
  const lookup = { type: 'lookup', at: 0, end: 1, serverAddress: 'send.example' } as const
  all.upstream(lookup)
  all.flush()
  all.flush()
  assert.deepEqual([flushes, sent], [2, [{ failure: 'RangeError' }, { failure: 'unknown' }, { event: lookup }]])
})

test('the counts may wrap around', () => {
  const processed = new ProcessedCount()
  processed.add(0x7fffffff)
  processed.add(10)
  assert.equal(processed.missingOf((0x7fffffff + 15) | 0), 5)
})
