/**
 * Telemetry is harmless: wherever it throws, and whatever it throws, mail is relayed as without it, and the error is
 * counted.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { ExportResultCode } from '@opentelemetry/core'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { AlwaysOnSampler, type Sampler, type SpanProcessor } from '@opentelemetry/sdk-trace'
import { CountedExporter, Delivery } from '../../otel/export/delivery.ts'
import { createLogger, type LoggerOptions } from '../../otel/export/logger.ts'
import { type Deliveries, uncounted } from '../../otel/export/losses.ts'
import { Log } from '../../otel/records/log.ts'
import { createRecords } from '../../otel/records/recorder.ts'
import { startTraces } from '../../otel/records/traces.ts'
import { combine, type Telemetry } from '../../proxy/events/observer.ts'
import type { SessionEvent } from '../../proxy/events/session-event.ts'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'
import { scraped } from '../support/telemetry/scrape.ts'
import { observed, type Traffic, type TrafficResult, unobserved } from '../support/traffic/traffic.ts'

const LIMIT = { timeout: 60_000 }
const FEW: Traffic = { sessions: 1, mails: 10 }
/** The number of errors after which an observer is removed from its session. */
const MAX_ERRORS = 3

let simulator: Simulator
/** The result of the same traffic without telemetry. */
let expected: TrafficResult
/** The events of this traffic. */
const events: SessionEvent[] = []

before(async () => {
  simulator = await startSimulator()
  expected = await unobserved(simulator, FEW)
  await observed(simulator, FEW, recorder(events))
})
after(() => simulator.close())

function recorder(seen: SessionEvent[]): Telemetry {
  return {
    open(event) {
      seen.push(event)
      return (next) => seen.push(next)
    },
    dial() {},
    observerFailed() {},
  }
}

function broken(): never {
  throw new Error('a bug')
}

const silent: Telemetry = { open: () => () => {}, dial() {}, observerFailed() {} }

/** Sends the traffic with `telemetry` and the real metrics. Returns `smtp_proxy_observer_failures_total`. */
async function failuresOf(...telemetry: readonly Telemetry[]): Promise<number> {
  const { metrics, series } = scraped()
  const seen: SessionEvent[] = []
  const all = combine(metrics, ...telemetry, recorder(seen))
  assert.deepEqual(await observed(simulator, FEW, all), expected)
  assert.deepEqual(kindsOf(seen), kindsOf(events), 'the other observers see all events')
  return (await series('smtp_proxy_observer_failures_total'))[''] ?? 0
}

function kindsOf(seen: readonly SessionEvent[]): string[] {
  return seen.map(({ type }) => type)
}

/** The events of a session with accepted and refused messages. */
const KINDS: readonly SessionEvent['type'][] = [
  'dial',
  'greeting',
  'identify',
  'auth',
  'exchange',
  'tx-begin',
  'tx-rcpt',
  'tx-data',
  'tx-commit',
  'tx-rollback',
  'session-close',
]

describe('An observer that throws (R12)', LIMIT, () => {
  for (const kind of KINDS) {
    test(`at every ${kind}`, async () => {
      const occasions = events.filter(({ type }) => type === kind).length
      assert.ok(occasions > 0)
      const observer = ({ type }: SessionEvent) => (type === kind ? broken() : undefined)
      assert.equal(await failuresOf({ ...silent, open: () => observer }), Math.min(occasions, MAX_ERRORS))
    })
  }

  test('at every event', async () => {
    assert.equal(await failuresOf({ open: () => broken, dial: broken, observerFailed: broken }), MAX_ERRORS)
  })

  test('when a session begins', async () => {
    assert.equal(await failuresOf({ ...silent, open: broken }), 1)
  })

  test('when it is notified that another observer threw', async () => {
    const failing: Telemetry = { ...silent, observerFailed: broken }
    assert.equal(await failuresOf(failing, { ...silent, open: () => broken }, failing), MAX_ERRORS)
  })
})

const trap = () => Object.defineProperty(new Error('trap'), 'stack', { get: broken })

const THROWN: Readonly<Record<string, () => unknown>> = {
  nothing: () => undefined,
  null: () => null,
  'a text': () => 'text',
  'an error without a stack': () => Object.assign(new Error('bare'), { stack: undefined }),
  'an error whose stack is a number': () => Object.assign(new Error('odd'), { stack: 5 }),
  'an error whose stack throws': trap,
  'a value that throws when it is serialized': () => ({ toJSON: broken }),
  'an error with a code that throws when it is serialized': () => Object.assign(new Error('odd'), { code: trap() }),
  'a Proxy that throws on every access': () => new Proxy({}, { get: broken, getPrototypeOf: broken, has: broken }),
}

describe('An observer that throws', LIMIT, () => {
  for (const [what, make] of Object.entries(THROWN)) {
    test(what, async () => {
      const { records, lines } = logged()
      const thrower = () => {
        throw make()
      }
      assert.equal(await failuresOf(records, { ...silent, open: () => thrower }), MAX_ERRORS)
      assert.equal(lines('transaction'), FEW.mails)
    })
  }
})

/** The real records with a recorded log. `lines` counts the lines with a message. */
function logged(options: Partial<LoggerOptions> = {}, processor?: SpanProcessor, sampler?: Sampler) {
  let text = ''
  const destination = { write: (line: string) => (text += line) }
  const { logger } = createLogger({ level: 'info', losses: uncounted, destination, ...options })
  const traces = startTraces({
    resource: resourceFromAttributes({}),
    processors: processor ? [processor] : [],
    sampler: sampler ?? new AlwaysOnSampler(),
    joinTraces: true,
    slowMs: 10_000,
    losses: uncounted,
  })
  const records = createRecords({ log: new Log(logger, uncounted), traces, recordAddresses: 'none' })
  return { records, lines: (message: string) => text.split(`"msg":"${message}"`).length - 1 }
}

const PROCESSOR: SpanProcessor = { onStart() {}, onEnd() {}, forceFlush: async () => {}, shutdown: async () => {} }

describe('When spans fail, all log lines are written, and only the first error of a session is logged:', LIMIT, () => {
  const cases: Readonly<Record<string, () => ReturnType<typeof logged>>> = {
    'a processor throws when a span ends': () => logged({}, { ...PROCESSOR, onEnd: broken }),
    'the sampler throws': () => logged({}, PROCESSOR, { shouldSample: broken, toString: () => 'broken' }),
  }
  for (const [what, make] of Object.entries(cases)) {
    test(what, async () => {
      const { records, lines } = make()
      assert.equal(await failuresOf(records), FEW.sessions)
      assert.deepEqual([lines('transaction'), lines('session')], [FEW.mails, FEW.sessions])
      assert.equal(lines('telemetry failed'), FEW.sessions)
    })
  }
})

test('a processor cannot throw when a span begins: it receives only finished spans', LIMIT, async () => {
  let ended = 0
  const { records, lines } = logged({}, { ...PROCESSOR, onStart: broken, onEnd: () => (ended += 1) })
  assert.equal(await failuresOf(records), 0)
  assert.deepEqual([lines('transaction'), lines('session')], [FEW.mails, FEW.sessions])
  assert.ok(ended > FEW.mails + FEW.sessions)
})

describe('A log', LIMIT, () => {
  test('that cannot be written', async () => {
    const { records } = logged({ destination: { write: broken } })
    assert.equal(await failuresOf(records), MAX_ERRORS)
  })

  test('whose lines cannot be exported: they are written, and counted as not exported', async () => {
    let lost = 0
    const losses: Deliveries = { ...uncounted, count: (signal, loss) => (lost += `${signal} ${loss}` === LOST ? 1 : 0) }
    const { records, lines } = logged({ emit: broken, losses })
    assert.equal(await failuresOf(records), 0)
    assert.deepEqual([lines('transaction'), lines('session')], [FEW.mails, FEW.sessions])
    assert.equal(lost, FEW.mails + FEW.sessions)
  })
})

const LOST = 'logs export_failed'

test('an exporter that throws fails its export, and the items of the export are counted', () => {
  let lost = 0
  const losses: Deliveries = { ...uncounted, count: (_signal, _loss, items = 1) => (lost += items) }
  const delivery = new Delivery('traces', losses, () => {})
  const make = () => ({ export: broken, forceFlush: async () => {}, shutdown: async () => {} })
  const exporter = new CountedExporter<readonly number[]>({
    make,
    itemsOf: (batch) => batch.length,
    delivery,
    limitMs: 1000,
  })
  const results: ExportResultCode[] = []
  exporter.export([1, 2, 3], ({ code }) => results.push(code))
  assert.deepEqual([results, lost], [[ExportResultCode.FAILED], 3])
})
