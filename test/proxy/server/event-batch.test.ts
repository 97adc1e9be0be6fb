import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { SessionEvent } from '../../../proxy/events/session-event.ts'
import { Batch, Heard, MAX_UNHEARD, type News } from '../../../proxy/server/event-batch.ts'
import { reply, SessionStory } from '../../support/session-events.ts'

/** A batch whose news are kept; `hear` counts as heard what was told so far. */
function batch() {
  const told: News[] = []
  const heard = new Heard()
  let counted = 0
  const all = new Batch((news) => told.push(...news), new Heard(heard.memory))
  const hear = () => {
    heard.add(told.length - counted)
    counted = told.length
  }
  return { all, told, hear }
}

const noop: SessionEvent = { type: 'exchange', at: 2, end: 3, command: 'NOOP', reply: reply(250) }
const close: SessionEvent = new SessionStory().closed('quit').events[0]!

const { opening } = new SessionStory()

function typesOf(news: readonly News[]): string[] {
  return news.map((one) => ('failure' in one ? 'failure' : one.event.type))
}

test('what happens in one turn is told together, once', async () => {
  const { all, told } = batch()
  const observe = all.open(opening)
  observe(noop)
  assert.equal(told.length, 0)
  await turn()
  assert.deepEqual(typesOf(told), ['session-open', 'exchange'])
})

test('while nobody hears, sessions go blind: opaque and closed is all that is told of them', async () => {
  const { all, told } = batch()
  const busy = all.open(opening)
  for (let event = 0; event < 3 * MAX_UNHEARD; event += 1) busy(noop)
  const late = all.open(opening)
  for (const event of [noop, noop, close]) late(event)
  busy(close)
  await turn()
  assert.equal(told.length, MAX_UNHEARD + 6)
  assert.deepEqual(typesOf(told.slice(-5)), [
    'session-opaque',
    'session-open',
    'session-opaque',
    'session-close',
    'session-close',
  ])
})

test('once all is heard, new sessions are told again; blind ones stay blind', async () => {
  const { all, told, hear } = batch()
  const busy = all.open(opening)
  for (let event = 0; event < 2 * MAX_UNHEARD; event += 1) busy(noop)
  await turn()
  hear()
  const before = told.length
  busy(noop)
  all.open(opening)(noop)
  await turn()
  assert.deepEqual(typesOf(told.slice(before)), ['session-open', 'exchange'])
})

test('the counts may begin anew', () => {
  const heard = new Heard()
  heard.add(0x7fffffff)
  heard.add(10)
  assert.equal(heard.missing((0x7fffffff + 15) | 0), 5)
})
