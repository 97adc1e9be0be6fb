/** The live tail: who gets which line. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Tail } from '../../../status/tail/tail.ts'
import { reply, SessionStory } from '../../support/telemetry/session-events.ts'

/** A reader of a tail. `lines` has what was flushed. */
function reader(context: TestContext, tail: Tail, query: string) {
  const sent: string[] = []
  const stop = tail.stream({ send: (text) => void sent.push(text), waiting: () => 0 }, new URLSearchParams(query))
  assert.ok(typeof stop === 'function', String(stop))
  context.after(stop)
  const lines = () => {
    tail.stop()
    return [...sent.join('').matchAll(/data: ({.*)\n/g)].map(([, json = '']) => JSON.parse(json).code as number)
  }
  return { lines, stop }
}

const STORY = new SessionStory().exchange('EHLO', reply(250)).exchange('AUTH', reply(421, { cause: 'load_shedding' }))

test('each reader gets the lines that pass its filters', (context) => {
  const tail = new Tail(['billing'])
  const all = reader(context, tail, '')
  const refused = reader(context, tail, 'code=4xx&app=billing')
  STORY.tell(tail)
  assert.deepEqual(all.lines(), [250, 421])
  assert.deepEqual(refused.lines(), [421])
})

test('a reader gets what happens after it came, and before it left', (context) => {
  const tail = new Tail(['billing'])
  const observe = STORY.tell(tail)
  const late = reader(context, tail, '')
  observe(STORY.events[0]!)
  assert.deepEqual(late.lines(), [250])
  late.stop()
  observe(STORY.events[0]!)
  assert.deepEqual(late.lines(), [250])
})

test('without readers, no line is made: not even the type of an event is read', (context) => {
  const tail = new Tail(['billing'])
  const untouchable = new Proxy({}, { get: (_, name) => assert.fail(`read ${String(name)}`) })
  const observe = tail.open(STORY.opening)
  observe(untouchable as never)
  tail.message(untouchable as never, undefined)
  tail.session(untouchable as never, undefined)
  assert.deepEqual(reader(context, tail, '').lines(), [])
})

test('a query with mistakes is refused with a line for each', () => {
  const read = (query: string) =>
    new Tail(['billing']).stream({ send() {}, waiting: () => 0 }, new URLSearchParams(query))
  assert.equal(
    read('app=shop&lines=1'),
    '--app: got "shop", expected one of billing\nunknown filter, expected one of app, code, cause, outcome, slow',
  )
})
