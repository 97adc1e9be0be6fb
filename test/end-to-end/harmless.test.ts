/** Telemetry cannot hurt: whatever collectors do, mail goes on as if nobody observed it, and what is lost is counted. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'
import { counterOf, recordsOf } from '../support/otlp/export-counts.ts'
import { type Answers, type OtlpReceiver, startReceiver } from '../support/otlp/otlp-receiver.ts'
import type { ProxyProcess } from '../support/processes/proxy-process.ts'
import { inBody, loggedIn, startBefore } from '../support/processes/running-proxy.ts'
import { openBlackHole } from '../support/sockets/black-hole.ts'
import { SOME, sendTraffic, type Told, unobserved } from '../support/traffic/traffic.ts'

type Env = Readonly<Record<string, string>>

/** For each test, not for its suite: all of a suite may rightly take longer than one test that hangs. */
const LIMIT = { timeout: 120_000 }

/** How long a process may take to end. Only a process that hangs reaches it: a drain alone may take 30 s. */
const GENEROUS_MS = 25_000

/** Every mail is traced, every line exported, and little may wait, so that what is not taken is soon lost. */
const EAGER = {
  OTEL_TRACES_SAMPLER: 'always_on',
  OTEL_LOGS_EXPORTER: 'otlp',
  OTEL_METRICS_EXPORTER: 'both',
  OTEL_METRIC_EXPORT_INTERVAL: '3600000',
  OTEL_BSP_SCHEDULE_DELAY: '20',
  OTEL_BLRP_SCHEDULE_DELAY: '20',
  OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '50',
  OTEL_BLRP_MAX_EXPORT_BATCH_SIZE: '50',
}
const SMALL = { OTEL_BSP_MAX_QUEUE_SIZE: '200', OTEL_BLRP_MAX_QUEUE_SIZE: '60', OTEL_EXPORTER_OTLP_TIMEOUT: '300' }
const LARGE = { OTEL_BSP_MAX_QUEUE_SIZE: '100000', OTEL_BLRP_MAX_QUEUE_SIZE: '100000' }
/** Where an answer counts: a receiver that stalls with its machine must not be given up after it has taken an export. */
const PATIENT = { OTEL_EXPORTER_OTLP_TIMEOUT: '10000' }

let simulator: Simulator
/** What the same traffic looks like when nobody observes it. */
let expected: Told
/** Spans that it makes. */
let spans: number

before(async () => {
  simulator = await startSimulator()
  expected = await unobserved(simulator, SOME)
  spans = await spansOfTraffic()
})
after(() => simulator.close())

/** Counted where every span arrives. */
async function spansOfTraffic(): Promise<number> {
  await using good = await startReceiver()
  await using proxy = await start({ ...LARGE, OTEL_EXPORTER_OTLP_ENDPOINT: good.url })
  assert.deepEqual(await sendTraffic(proxy.port, simulator, SOME), expected)
  assert.equal(await proxy.stop(), 0)
  assert.deepEqual(counterOf(good.exports, 'smtp.proxy.telemetry.lost'), {})
  return taken(good, '/v1/traces')
}

/** Records in the exports that a receiver took. */
function taken({ exports }: OtlpReceiver, path: string): number {
  const whole = exports.filter((received) => received.path === path && received.answer === 'ok')
  return whole.reduce((sum, received) => sum + recordsOf(received), 0)
}

function start(env: Env): Promise<ProxyProcess> {
  return startBefore(simulator, { ...EAGER, PROXY_WARM_CONNECTIONS: '0', ...env })
}

test('the traffic is worth comparing', () => {
  const codes = expected.bodies.map((body) => body.split(' ')[1])
  assert.equal(codes.filter((code) => code === '250').length, 240)
  assert.equal(codes.filter((code) => code === '552').length, 30)
  assert.equal(new Set(expected.bodies).size, 270, 'no two bodies are equal')
  assert.match(expected.read[0]!, /^521 [\s\S]*^553 /m)
  assert.ok(spans > 270 * 5)
})

/** What became of one signal. */
interface Balance {
  readonly exported: number
  readonly lost: number
}

/** By the last metrics that the process told, which another receiver takes; the log must tell the same losses. */
function balanceOf(signal: 'traces' | 'logs', exports: OtlpReceiver['exports'], proxy: ProxyProcess): Balance {
  const losses = Object.entries(counterOf(exports, 'smtp.proxy.telemetry.lost'))
  const lost = losses.filter(([labels]) => labels.startsWith(signal)).reduce((sum, [, count]) => sum + count, 0)
  const told = proxy.lines.filter((line) => line.msg === 'telemetry lost' && line['telemetry.signal'] === signal)
  const lostByLog = told.reduce((sum, line) => sum + Number(line.lost), 0)
  assert.equal(lostByLog, lost, `the log tells of the ${signal} that were lost`)
  return { exported: counterOf(exports, 'smtp.proxy.telemetry.exported')[signal] ?? 0, lost }
}

/** Lines that were to be exported: those that tell of losses at the end come when no more are taken. */
function linesBeforeTheEnd({ lines }: ProxyProcess): number {
  return lines.findIndex(({ msg }) => msg === 'stop') + 1
}

const FAULTS: Readonly<Record<string, Answers>> = {
  'is slow': { afterMs: 2500 },
  'never answers': 'hang',
  'does not even read': 'deaf',
  'resets connections': 'reset',
  'answers without end': 'flood',
  'answers one byte at a time, without end': 'drip',
  'speaks no HTTP': 'babble',
  'changes the protocol': 'upgrade',
  'answers 400': 400,
  'answers 413': 413,
  'answers 429, try again in an hour': { status: 429, retryAfter: '3600' },
  'answers 429, try again at once': { status: 429, retryAfter: '0' },
  'answers 503': 503,
  'takes two exports in three': (request) => (request % 3 === 0 ? 500 : 'ok'),
}

/** Node's, of the exporters' way to retry at once. */
const KNOWN_WARNING = /^.*TimeoutNegativeWarning: -1 is a negative number.\nTimeout duration was set to 1.\n.*\n/

describe('every mail goes through unaltered, once, and nothing is lost uncounted, while a collector (MET-06)', () => {
  for (const [behaviour, answer] of Object.entries(FAULTS)) {
    test(behaviour, LIMIT, async () => {
      await using faulty = await startReceiver({ answer })
      const patience = typeof answer === 'function' ? PATIENT : {}
      const { traces, logs } = await survives({ OTEL_EXPORTER_OTLP_ENDPOINT: faulty.url, ...patience })
      assert.ok(traces.lost > 0 && logs.lost > 0)
      if (answer !== 'ok' && typeof answer !== 'function') return
      assert.deepEqual([traces.exported, logs.exported], [taken(faulty, '/v1/traces'), taken(faulty, '/v1/logs')])
      assert.ok(traces.exported > 0 && logs.exported > 0)
    })
  }

  test('confirms with garbage', LIMIT, async () => {
    await using faulty = await startReceiver({ answer: 'garbage' })
    const { traces } = await survives({ OTEL_EXPORTER_OTLP_ENDPOINT: faulty.url, ...LARGE, ...PATIENT })
    assert.equal(traces.exported, spans)
  })

  test('takes all but two of each export', LIMIT, async () => {
    await using faulty = await startReceiver({ answer: { rejected: 2 } })
    const { traces } = await survives({ OTEL_EXPORTER_OTLP_ENDPOINT: faulty.url, ...LARGE, ...PATIENT })
    const exports = faulty.exports.filter(({ path }) => path === '/v1/traces')
    assert.equal(
      traces.lost,
      exports.reduce((sum, received) => sum + Math.min(2, recordsOf(received)), 0),
    )
  })

  test('is dead', LIMIT, async () => {
    const { traces, logs } = await survives({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' })
    assert.deepEqual([traces.exported, logs.exported], [0, 0])
  })

  test('is behind a firewall that drops', LIMIT, async () => {
    await using hole = await openBlackHole('127.0.0.1')
    const { traces, logs } = await survives({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${hole.port}` })
    assert.deepEqual([traces.exported, logs.exported], [0, 0])
  })

  test('has a name that nobody knows', LIMIT, async () => {
    const { traces, logs } = await survives({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector.invalid:4318' })
    assert.deepEqual([traces.exported, logs.exported], [0, 0])
  })

  /** Sends the traffic through a proxy that exports so, and ends it. */
  async function survives(env: Env): Promise<Readonly<Record<'traces' | 'logs', Balance>>> {
    await using books = await startReceiver()
    await using proxy = await start({
      ...SMALL,
      ...env,
      OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: `${books.url}/v1/metrics`,
      OTEL_EXPORTER_OTLP_METRICS_TIMEOUT: '10000',
    })
    assert.deepEqual(await sendTraffic(proxy.port, simulator, SOME), expected)
    assert.equal(await endOf(proxy), 0)
    assert.equal(proxy.stderr.replace(KNOWN_WARNING, ''), '')
    const traces = balanceOf('traces', books.exports, proxy)
    const logs = balanceOf('logs', books.exports, proxy)
    assert.equal(traces.exported + traces.lost, spans)
    assert.equal(logs.exported + logs.lost, linesBeforeTheEnd(proxy))
    return { traces, logs }
  }
})

/** The exit code of a proxy that is told to stop. Rejects when it takes too long. */
async function endOf(proxy: ProxyProcess): Promise<number | null> {
  const began = performance.now()
  const code = await proxy.stop()
  assert.ok(performance.now() - began < GENEROUS_MS)
  return code
}

describe('a drain does not wait for a collector', () => {
  test('that never answers: mails in flight are finished, and what is lost is told', LIMIT, async () => {
    await using silent = await startReceiver({ answer: 'hang' })
    const patient = { OTEL_EXPORTER_OTLP_TIMEOUT: '3600000', OTEL_BSP_EXPORT_TIMEOUT: '3600000' }
    await using proxy = await start({ ...EAGER, ...patient, OTEL_EXPORTER_OTLP_ENDPOINT: silent.url })
    const clients = await loggedIn(proxy, 5)
    for (const [number, client] of clients.entries()) await inBody(client, `drain${number}`)
    const exited = endOf(proxy)
    await proxy.line(({ msg }) => msg === 'drain')
    for (const client of clients) {
      await client.send('the other half\r\n.\r\nQUIT\r\n')
      assert.match(await client.readReply(), /^250 /)
      assert.match(await client.readReply(), /^221 /)
      await client.end()
    }
    assert.equal(await exited, 0)
    const lost = proxy.lines.filter(({ msg }) => msg === 'telemetry lost').map((line) => line['telemetry.signal'])
    assert.deepEqual(lost.toSorted(), ['logs', 'metrics', 'traces'])
  })
})
