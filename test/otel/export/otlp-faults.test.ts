/** Receivers that fail in every way: losses are counted and logged, and nothing blocks or grows. */
import assert from 'node:assert/strict'
import { describe, mock, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { Answer } from '../../support/otlp/otlp-receiver.ts'
import { type OtlpRig, startRig } from '../../support/otlp/otlp-rig.ts'
import { openBlackHole } from '../../support/sockets/black-hole.ts'
import { oneMail } from '../../support/telemetry/session-events.ts'

const LIMIT = { timeout: 30_000 }
/** A short timeout, because the tests wait for it. */
const SOON = { OTEL_EXPORTER_OTLP_TIMEOUT: '300' }
/** Shorter than the pause before a retry, so that there is none. */
const ONCE = { OTEL_EXPORTER_OTLP_TIMEOUT: '700' }
const ALL = { OTEL_METRICS_EXPORTER: 'both', OTEL_LOGS_EXPORTER: 'otlp', OTEL_METRIC_EXPORT_INTERVAL: '50' }

/** The time for the last spans at shutdown, as in otel/sdk.ts. */
const LAST_RECORDS_MS = 2000

/** A response to exports, the logged reason of the loss, and a timeout if one is needed. */
const FAULTS: readonly (readonly [answer: Answer, reason: string, limit?: Readonly<Record<string, string>>])[] = [
  [400, 'HTTP 400'],
  [401, 'HTTP 401'],
  [404, 'HTTP 404'],
  [413, 'HTTP 413'],
  [500, 'HTTP 500'],
  [302, 'HTTP 302'],
  [429, 'HTTP 429, 502, 503 or 504, even after retries', ONCE],
  [503, 'HTTP 429, 502, 503 or 504, even after retries', ONCE],
  [{ retryAfter: '3600' }, 'HTTP 429, 502, 503 or 504, even after retries'],
  ['reset', 'ECONNRESET', ONCE],
  ['hang', 'ETIMEDOUT', SOON],
  ['deaf', 'ETIMEDOUT', SOON],
  ['drip', 'ETIMEDOUT', SOON],
  ['flood', 'response too long'],
  ['upgrade', 'the export did not end', SOON],
]

describe('If a receiver responds with', LIMIT, () => {
  for (const [answer, reason, limit = {}] of FAULTS) {
    test(`${JSON.stringify(answer)}: the loss is counted once, and the next export is sent`, async () => {
      const consoles = ['log', 'info', 'warn', 'error', 'debug'].map((name) => mock.method(console, name as 'log'))
      await using rig = await startRig(limit, { answer })
      rig.spans(5)
      assert.deepEqual(await rig.warned(), {
        'telemetry.signal': 'traces',
        'telemetry.loss': 'export_failed',
        lost: 5,
        reason,
        msg: 'telemetry lost',
      })
      rig.receiver.answer = 'ok'
      const earlier = rig.receiver.exports.length
      rig.spans(2)
      await rig.receiver.next('/v1/traces', (received) => rig.receiver.exports.indexOf(received) >= earlier)
      await rig.sdk.shutdown()
      assert.equal(rig.warnings.length, 1)
      for (const { mock } of consoles) assert.equal(mock.callCount(), 0)
    })
  }

  test('{"rejected":2}: those are lost, the others are delivered', async () => {
    await using rig = await startRig({}, { answer: { rejected: 2 } })
    rig.spans(5)
    assert.equal((await rig.warned()).reason, 'rejected by the receiver')
    assert.deepEqual([await rig.lost(), await rig.delivered()], [{ 'traces export_failed': 2 }, { traces: 3 }])
  })

  test('{"rejected":100} of 5 rejects 5', async () => {
    await using rig = await startRig({}, { answer: { rejected: 100 } })
    rig.spans(5)
    await rig.warned()
    assert.deepEqual([await rig.lost(), await rig.delivered()], [{ 'traces export_failed': 5 }, {}])
  })
})

describe('If a receiver is unreachable because', LIMIT, () => {
  test('its port is closed', async () => {
    await using rig = await startRig({ ...ONCE, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' })
    rig.spans(5)
    assert.equal((await rig.warned()).reason, 'ECONNREFUSED')
    assert.deepEqual(await rig.lost(), { 'traces export_failed': 5 })
  })

  test('the network drops all packets', async () => {
    await using hole = await openBlackHole('127.0.0.1')
    await using rig = await startRig({ ...SOON, OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${hole.port}` })
    rig.spans(5)
    assert.equal((await rig.warned()).reason, 'ETIMEDOUT')
    assert.deepEqual(await rig.lost(), { 'traces export_failed': 5 })
  })
})

test('losses are counted for each signal', LIMIT, async () => {
  await using rig = await startRig({ ...SOON, ...ALL }, { answer: 500 })
  oneMail().tell(rig.telemetry)
  for (const signal of ['traces', 'metrics', 'logs']) {
    const { lost } = await rig.warned((warning) => warning['telemetry.signal'] === signal)
    assert.ok(Number(lost) > 0)
    assert.ok((await rig.lost())[`${signal} export_failed`]! >= Number(lost))
  }
})

test('deliveries are counted for each signal', LIMIT, async () => {
  // an export of metrics must end before the next one: with an interval of 50 ms it may not on a slow machine
  await using rig = await startRig({ ...ALL, OTEL_METRIC_EXPORT_INTERVAL: '3000' })
  rig.spans(3)
  rig.sdk.emit!({ level: 'info', message: 'line', attributes: {} })
  const counts = async () => {
    const { metrics = 0, ...others } = await rig.delivered()
    return metrics > 0 ? others : {}
  }
  while (Object.keys(await counts()).length < 2);
  assert.deepEqual(await counts(), { traces: 3, logs: 1 })
  assert.deepEqual(await rig.lost(), {})
})

describe('While a receiver does not respond,', LIMIT, () => {
  test('the queue is full and one export is running', async () => {
    await using rig = await startRig(
      { OTEL_BSP_MAX_QUEUE_SIZE: '100', OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '10' },
      { answer: 'hang' },
    )
    rig.spans(1000)
    await rig.receiver.begun(1)
    rig.spans(1000)
    assert.deepEqual(await rig.lost(), { 'traces queue_full': 2000 - 100 - 10 })
    assert.equal(rig.receiver.mostAtOnce, 1)
  })

  test('the losses of a minute are logged once', async () => {
    const patient = { OTEL_EXPORTER_OTLP_TIMEOUT: '3600000', OTEL_BSP_EXPORT_TIMEOUT: '3600000' }
    await using rig = await startRig({ OTEL_BSP_MAX_QUEUE_SIZE: '10', ...patient }, { answer: 'hang' })
    mock.timers.enable({ apis: ['setTimeout'] })
    try {
      rig.spans(1020)
      rig.spans(1000)
      const lost = () => rig.warnings.map(({ lost }) => lost)
      assert.deepEqual(lost(), [1])
      mock.timers.tick(60_000)
      assert.deepEqual(lost(), [1, 1999])
    } finally {
      mock.timers.reset()
    }
  })
})

/** Shuts down, stops the clock just before the time for the last spans is over, and continues it after `enough`. */
async function shutDownAfter({ sdk }: OtlpRig, enough: () => Promise<boolean>): Promise<void> {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    let over = false
    const ended = sdk.shutdown().finally(() => {
      over = true
    })
    mock.timers.tick(LAST_RECORDS_MS - 1)
    await turnUntil('delivery', enough)
    mock.timers.tick(1)
    await turnUntil('shutdown', async () => over)
    await ended
  } finally {
    mock.timers.reset()
  }
}

/** Waits without timers, which are mocked. */
async function turnUntil(what: string, done: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 20_000
  while (!(await done())) {
    assert.ok(performance.now() < end, `timeout: ${what}`)
    await turn()
  }
}

describe('Shutdown', LIMIT, () => {
  test('delivers queued items; the metrics come last', async () => {
    const never = { OTEL_BSP_SCHEDULE_DELAY: '3600000', OTEL_BLRP_SCHEDULE_DELAY: '3600000' }
    await using rig = await startRig({ ...ALL, ...never, OTEL_METRIC_EXPORT_INTERVAL: '3600000' })
    oneMail().tell(rig.telemetry)
    await rig.sdk.shutdown()
    const paths = rig.receiver.exports.map(({ path }) => path)
    assert.deepEqual(paths.toSorted(), ['/v1/logs', '/v1/metrics', '/v1/traces'])
    assert.equal(paths.at(-1), '/v1/metrics')
    assert.deepEqual(rig.warnings, [])
  })

  test('delivers a queue of many batches', async () => {
    const env = {
      OTEL_BSP_SCHEDULE_DELAY: '3600000',
      OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '1000',
      OTEL_BSP_MAX_QUEUE_SIZE: '1000',
    }
    await using rig = await startRig({ ...env, OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '10' })
    rig.receiver.answer = 'hang'
    rig.spans(10)
    await rig.receiver.begun(1)
    rig.receiver.answer = 'ok'
    rig.spans(1000)
    await shutDownAfter(rig, async () => (await rig.delivered()).traces === 1000)
    assert.equal(rig.receiver.exports.length, 1 + 100)
    assert.deepEqual(
      rig.warnings.map(({ lost }) => lost),
      [10],
    )
  })

  test('does not wait for a receiver that does not respond, and logs what is lost', async () => {
    const patient = { OTEL_EXPORTER_OTLP_TIMEOUT: '3600000', OTEL_METRIC_EXPORT_INTERVAL: '3600000' }
    await using rig = await startRig({ ...ALL, ...patient, OTEL_METRIC_EXPORT_TIMEOUT: '3600000' }, { answer: 'hang' })
    rig.spans(700)
    for (let line = 0; line < 3; line += 1) rig.sdk.emit!({ level: 'info', message: 'line', attributes: {} })
    await rig.sdk.shutdown()
    const bySignal = Object.fromEntries(rig.warnings.map((warning) => [warning['telemetry.signal'], warning]))
    assert.equal(bySignal.traces?.reason, 'not exported before shutdown')
    assert.deepEqual([bySignal.traces?.lost, bySignal.logs?.lost], [700, 3])
    assert.ok(Number(bySignal.metrics?.lost) > 0)
    assert.equal(rig.warnings.length, 3)
  })

  test('happens once, and nothing is exported after it', async () => {
    await using rig = await startRig(ALL)
    await Promise.all([rig.sdk.shutdown(), rig.sdk.shutdown()])
    const { length } = rig.receiver.exports
    rig.spans(3)
    rig.sdk.emit!({ level: 'info', message: 'line', attributes: {} })
    await rig.sdk.shutdown()
    assert.equal(rig.receiver.exports.length, length)
  })
})
