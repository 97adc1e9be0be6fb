/**
 * Telemetry is harmless: whatever collectors do, mail is relayed as without telemetry, and lost telemetry is counted.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'
import { counterOf, recordsOf } from '../support/otlp/export-counts.ts'
import { type Answers, type OtlpReceiver, startReceiver } from '../support/otlp/otlp-receiver.ts'
import type { ProxyProcess } from '../support/processes/proxy-process.ts'
import { inBody, loggedIn, startBefore, stopInTime } from '../support/processes/running-proxy.ts'
import { openBlackHole } from '../support/sockets/black-hole.ts'
import { SOME, sendTraffic, type TrafficResult, unobserved } from '../support/traffic/traffic.ts'

type Env = Readonly<Record<string, string>>

/** The limit of one test: a whole suite may take longer than a test that hangs. */
const LIMIT = { timeout: 120_000 }

/** Trace every message, export every line, and export in small batches. */
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
/** A long timeout, for receivers whose answers count: a stall of the machine must not time out an accepted export. */
const PATIENT = { OTEL_EXPORTER_OTLP_TIMEOUT: '10000' }

let simulator: Simulator
/** The result of the same traffic without telemetry. */
let expected: TrafficResult
/** The number of spans of this traffic. */
let spans: number

before(async () => {
  simulator = await startSimulator()
  expected = await unobserved(simulator, SOME)
  spans = await spansOfTraffic()
})
after(() => simulator.close())

/** Counts the spans with a receiver that accepts all of them. */
async function spansOfTraffic(): Promise<number> {
  await using good = await startReceiver()
  await using proxy = await start({ ...LARGE, OTEL_EXPORTER_OTLP_ENDPOINT: good.url })
  assert.deepEqual(await sendTraffic(proxy.port, simulator, SOME), expected)
  assert.equal(await proxy.stop(), 0)
  assert.deepEqual(counterOf(good.exports, 'smtp.proxy.telemetry.lost'), {})
  return taken(good, '/v1/traces')
}

/** The number of records in the exports that a receiver accepted. */
function taken({ exports }: OtlpReceiver, path: string): number {
  const whole = exports.filter((received) => received.path === path && received.answer === 'ok')
  return whole.reduce((sum, received) => sum + recordsOf(received), 0)
}

function start(env: Env): Promise<ProxyProcess> {
  return startBefore(simulator, { ...EAGER, PROXY_WARM_CONNECTIONS: '0', ...env })
}

test('the traffic contains accepted and refused messages', () => {
  const codes = expected.bodies.map((body) => body.split(' ')[1])
  assert.equal(codes.filter((code) => code === '250').length, 240)
  assert.equal(codes.filter((code) => code === '552').length, 30)
  assert.equal(new Set(expected.bodies).size, 270, 'no two bodies are equal')
  assert.match(expected.read[0]!, /^521 [\s\S]*^553 /m)
  assert.ok(spans > 270 * 5)
})

/** The records of one signal. */
interface Balance {
  readonly exported: number
  readonly lost: number
}

/** Reads the last metrics of the process, which another receiver has. The log must report the same losses. */
function balanceOf(signal: 'traces' | 'logs', exports: OtlpReceiver['exports'], proxy: ProxyProcess): Balance {
  const losses = Object.entries(counterOf(exports, 'smtp.proxy.telemetry.lost'))
  const lost = losses.filter(([labels]) => labels.startsWith(signal)).reduce((sum, [, count]) => sum + count, 0)
  const reported = proxy.lines.filter((line) => line.msg === 'telemetry lost' && line['telemetry.signal'] === signal)
  const lostByLog = reported.reduce((sum, line) => sum + Number(line.lost), 0)
  assert.equal(lostByLog, lost, `the log reports the lost ${signal}`)
  return { exported: counterOf(exports, 'smtp.proxy.telemetry.exported')[signal] ?? 0, lost }
}

/** The number of lines to export. The lines about losses at the end come too late for an export. */
function linesBeforeTheEnd({ lines }: ProxyProcess): number {
  return lines.findIndex(({ msg }) => msg === 'stop') + 1
}

const FAULTS: Readonly<Record<string, Answers>> = {
  'answers late': { afterMs: 2500 },
  'never answers': 'hang',
  'does not even read': 'deaf',
  'resets connections': 'reset',
  'answers without end': 'flood',
  'answers one byte at a time, without end': 'drip',
  'does not speak HTTP': 'babble',
  'changes the protocol': 'upgrade',
  'answers 400': 400,
  'answers 413': 413,
  'answers 429 and asks for a retry in an hour': { status: 429, retryAfter: '3600' },
  'answers 429 and asks for an immediate retry': { status: 429, retryAfter: '0' },
  'answers 503': 503,
  'accepts two of three exports': (request) => (request % 3 === 0 ? 500 : 'ok'),
}

/** A warning of Node when exporters retry immediately. */
const KNOWN_WARNING = /^.*TimeoutNegativeWarning: -1 is a negative number.\nTimeout duration was set to 1.\n.*\n/

describe('Every message is relayed once and unaltered, and all lost telemetry is counted, while a collector (MET-06)', () => {
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

  test('confirms exports with garbage', LIMIT, async () => {
    await using faulty = await startReceiver({ answer: 'garbage' })
    const { traces } = await survives({ OTEL_EXPORTER_OTLP_ENDPOINT: faulty.url, ...LARGE, ...PATIENT })
    assert.equal(traces.exported, spans)
  })

  test('accepts all but two records of each export', LIMIT, async () => {
    await using faulty = await startReceiver({ answer: { rejected: 2 } })
    const { traces } = await survives({ OTEL_EXPORTER_OTLP_ENDPOINT: faulty.url, ...LARGE, ...PATIENT })
    const exports = faulty.exports.filter(({ path }) => path === '/v1/traces')
    assert.equal(
      traces.lost,
      exports.reduce((sum, received) => sum + Math.min(2, recordsOf(received)), 0),
    )
  })

  test('refuses connections', LIMIT, async () => {
    const { traces, logs } = await survives({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' })
    assert.deepEqual([traces.exported, logs.exported], [0, 0])
  })

  test('is behind a firewall that drops packets', LIMIT, async () => {
    await using hole = await openBlackHole('127.0.0.1')
    const { traces, logs } = await survives({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${hole.port}` })
    assert.deepEqual([traces.exported, logs.exported], [0, 0])
  })

  test('has an unknown host name', LIMIT, async () => {
    const { traces, logs } = await survives({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector.invalid:4318' })
    assert.deepEqual([traces.exported, logs.exported], [0, 0])
  })

  /** Sends the traffic through a proxy with these settings, and stops the proxy. */
  async function survives(env: Env): Promise<Readonly<Record<'traces' | 'logs', Balance>>> {
    await using metricsReceiver = await startReceiver()
    await using proxy = await start({
      ...SMALL,
      ...env,
      OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: `${metricsReceiver.url}/v1/metrics`,
      OTEL_EXPORTER_OTLP_METRICS_TIMEOUT: '10000',
    })
    assert.deepEqual(await sendTraffic(proxy.port, simulator, SOME), expected)
    assert.equal(await stopInTime(proxy), 0)
    assert.equal(proxy.stderr.replace(KNOWN_WARNING, ''), '')
    const traces = balanceOf('traces', metricsReceiver.exports, proxy)
    const logs = balanceOf('logs', metricsReceiver.exports, proxy)
    assert.equal(traces.exported + traces.lost, spans)
    assert.equal(logs.exported + logs.lost, linesBeforeTheEnd(proxy))
    return { traces, logs }
  }
})

describe('A drain does not wait for a collector', () => {
  test('that never answers: messages in flight are accepted, and lost telemetry is reported', LIMIT, async () => {
    await using silent = await startReceiver({ answer: 'hang' })
    const patient = { OTEL_EXPORTER_OTLP_TIMEOUT: '3600000', OTEL_BSP_EXPORT_TIMEOUT: '3600000' }
    await using proxy = await start({ ...EAGER, ...patient, OTEL_EXPORTER_OTLP_ENDPOINT: silent.url })
    const clients = await loggedIn(proxy, 5)
    for (const [number, client] of clients.entries()) await inBody(client, `drain${number}`)
    const exited = stopInTime(proxy)
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
