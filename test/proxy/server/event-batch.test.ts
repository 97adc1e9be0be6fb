import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { SessionEvent } from '../../../proxy/events/session-event.ts'
import {
  afterWrites,
  Batch,
  type BatchEntry,
  BETWEEN_THREADS,
  EACH_TURN,
  MAX_UNPROCESSED,
  ProcessedCount,
} from '../../../proxy/server/event-batch.ts'
import { startServer } from '../../../proxy/server/server.ts'
import { startSimulator } from '../../simulator/simulator.ts'
import { reply, SessionStory } from '../../support/telemetry/session-events.ts'
import { configBefore, NO_TELEMETRY } from '../../support/traffic/traffic.ts'

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

test('a turn with very many events sends the first ones before its end', async () => {
  const { all, sent } = batch()
  const observe = all.open(opening)
  for (let event = 1; event < EACH_TURN.entries; event += 1) observe(noop)
  assert.equal(sent.length, EACH_TURN.entries)
  observe(noop)
  assert.equal(sent.length, EACH_TURN.entries)
  await turn()
  assert.equal(sent.length, EACH_TURN.entries + 1)
})

test('between threads, the events of several turns are sent together, at most 20 ms late', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  const sent: number[] = []
  const all = new Batch((entries) => sent.push(entries.length), new ProcessedCount(), BETWEEN_THREADS)
  const observe = all.open(opening)
  context.mock.timers.tick(15)
  observe(noop)
  context.mock.timers.tick(4)
  assert.deepEqual(sent, [])
  context.mock.timers.tick(1)
  assert.deepEqual(sent, [2])
  observe(noop)
  context.mock.timers.tick(20)
  assert.deepEqual(sent, [2, 1])
})

test('between threads, very many events are sent immediately, and nothing is left for the timer', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  const sent: number[] = []
  const all = new Batch((entries) => sent.push(entries.length), new ProcessedCount(), BETWEEN_THREADS)
  const observe = all.open(opening)
  for (let event = 1; event < BETWEEN_THREADS.entries; event += 1) observe(noop)
  assert.deepEqual(sent, [BETWEEN_THREADS.entries])
  context.mock.timers.tick(20)
  assert.deepEqual(sent, [BETWEEN_THREADS.entries])
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
  const error = new RangeError('secret')
  all.observerFailed(error)
  all.observerFailed('no error')
  const lookup = { type: 'lookup', at: 0, end: 1, serverAddress: 'send.example' } as const
  all.upstream(lookup)
  all.flush()
  all.flush()
  const failures = [
    { failure: { name: 'RangeError', message: 'secret', stack: error.stack } },
    { failure: { name: 'string', message: '', stack: '' } },
    { event: lookup },
  ]
  assert.deepEqual([flushes, sent], [2, failures])
})

test('the counts may wrap around', () => {
  const processed = new ProcessedCount()
  processed.add(0x7fffffff)
  processed.add(10)
  assert.equal(processed.missingOf((0x7fffffff + 15) | 0), 5)
})

test('a failure of an observer arrives with its type and its stack', async () => {
  const received: unknown[] = []
  const telemetry = afterWrites({ ...NO_TELEMETRY, observerFailed: (error) => received.push(error) })
  const error = new RangeError('secret')
  telemetry.observerFailed(error)
  await turn()
  const [failure] = received
  assert.ok(failure instanceof Error)
  assert.deepEqual([failure.name, failure.stack], [error.name, error.stack])
})

test('each session has its own observer, in the order of the events', async () => {
  const seen: string[] = []
  const telemetry = afterWrites({
    ...NO_TELEMETRY,
    open: ({ listener }) => {
      seen.push(`${listener} session-open`)
      return ({ type }) => seen.push(`${listener} ${type}`)
    },
  })
  const one = telemetry.open({ ...opening, listener: 'one' })
  const two = telemetry.open({ ...opening, listener: 'two' })
  two(noop)
  one(close)
  two(close)
  assert.deepEqual(seen, [])
  await turn()
  assert.deepEqual(seen, [
    'one session-open',
    'two session-open',
    'two exchange',
    'one session-close',
    'two session-close',
  ])
})

/** A client in its own thread. When it has read the reply to its NOOP, it wakes the thread that waits for `flag`. */
const NOOP_CLIENT = `
const { workerData: { port, flag } } = require('node:worker_threads')
const socket = require('node:net').connect(port, '127.0.0.1')
const lines = ['EHLO app.example', 'NOOP']
let reply = ''
socket.on('data', (bytes) => {
  reply += bytes
  if (!/^[0-9]{3} .*\\r\\n$/m.test(reply)) return
  reply = ''
  const next = lines.shift()
  if (next) return socket.write(next + '\\r\\n')
  Atomics.store(flag, 0, 1)
  Atomics.notify(flag, 0)
  socket.end('QUIT\\r\\n')
})
`

test('the client has the reply before telemetry sees it: an observer that blocks delays no byte of its turn', async (context) => {
  const simulator = await startSimulator()
  const flag = new Int32Array(new SharedArrayBuffer(4))
  const waited = Promise.withResolvers<string>()
  const observe = (event: SessionEvent) => {
    if (event.type !== 'exchange' || event.command !== 'NOOP') return
    waited.resolve(Atomics.wait(flag, 0, 0, 20_000))
  }
  const server = await startServer({
    config: configBefore(simulator),
    telemetry: { ...NO_TELEMETRY, open: () => observe },
  })
  const client = new Worker(NOOP_CLIENT, { eval: true, workerData: { port: server.bound[0]!.port, flag } })
  context.after(async () => {
    await client.terminate()
    await server.close()
    await simulator.close()
  })
  assert.notEqual(await waited.promise, 'timed-out')
})
