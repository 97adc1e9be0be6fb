/** Receivers that fail, in all the ways there are: what is lost is counted and told, nothing waits, nothing grows. */
import assert from 'node:assert/strict'
import { describe, mock, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { openBlackHole } from '../../support/black-hole.ts'
import type { Answer } from '../../support/otlp-receiver.ts'
import { type OtlpRig, startRig } from '../../support/otlp-rig.ts'
import { oneMail } from '../../support/session-events.ts'

const LIMIT = { timeout: 30_000 }
/** Short, because the tests wait for it. */
const SOON = { OTEL_EXPORTER_OTLP_TIMEOUT: '300' }
/** Shorter than the pause before an export is tried again, so that it is not. */
const ONCE = { OTEL_EXPORTER_OTLP_TIMEOUT: '700' }
const ALL = { OTEL_METRICS_EXPORTER: 'both', OTEL_LOGS_EXPORTER: 'otlp', OTEL_METRIC_EXPORT_INTERVAL: '50' }

/** What the last spans are given at the end: otel/sdk.ts. */
const LAST_RECORDS_MS = 2000

/** An answer to exports, the reason that is told for what was lost, and how soon; else there is plenty of time to answer. */
const FAULTS: readonly (readonly [answer: Answer, reason: string, limit?: Readonly<Record<string, string>>])[] = [
  [400, 'HTTP 400'],
  [401, 'HTTP 401'],
  [404, 'HTTP 404'],
  [413, 'HTTP 413'],
  [500, 'HTTP 500'],
  [302, 'HTTP 302'],
  [429, 'HTTP 429, 502, 503 or 504, also after retries', ONCE],
  [503, 'HTTP 429, 502, 503 or 504, also after retries', ONCE],
  [{ retryAfter: '3600' }, 'HTTP 429, 502, 503 or 504, also after retries'],
  ['reset', 'ECONNRESET', ONCE],
  ['hang', 'ETIMEDOUT', SOON],
  ['deaf', 'ETIMEDOUT', SOON],
  ['drip', 'ETIMEDOUT', SOON],
  ['flood', 'response too long'],
  ['upgrade', 'the export did not end', SOON],
]

describe('a receiver that answers', LIMIT, () => {
  for (const [answer, reason, limit = {}] of FAULTS) {
    test(`${JSON.stringify(answer)}: what it did not take is counted once, and it is tried again with the next`, async () => {
      const said = ['log', 'info', 'warn', 'error', 'debug'].map((name) => mock.method(console, name as 'log'))
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
      for (const { mock } of said) assert.equal(mock.callCount(), 0)
    })
  }

  test('{"rejected":2}: those are lost, the others delivered', async () => {
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

describe('a receiver that is not there', LIMIT, () => {
  test('nobody listens', async () => {
    await using rig = await startRig({ ...ONCE, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' })
    rig.spans(5)
    assert.equal((await rig.warned()).reason, 'ECONNREFUSED')
    assert.deepEqual(await rig.lost(), { 'traces export_failed': 5 })
  })

  test('the network drops what is sent', async () => {
    await using hole = await openBlackHole('127.0.0.1')
    await using rig = await startRig({ ...SOON, OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${hole.port}` })
    rig.spans(5)
    assert.equal((await rig.warned()).reason, 'ETIMEDOUT')
    assert.deepEqual(await rig.lost(), { 'traces export_failed': 5 })
  })
})

test('every signal counts its own losses', LIMIT, async () => {
  await using rig = await startRig({ ...SOON, ...ALL }, { answer: 500 })
  oneMail().tell(rig.telemetry)
  for (const signal of ['traces', 'metrics', 'logs']) {
    const { lost } = await rig.warned((warning) => warning['telemetry.signal'] === signal)
    assert.ok(Number(lost) > 0)
    assert.ok((await rig.lost())[`${signal} export_failed`]! >= Number(lost))
  }
})

test('what is delivered is counted', LIMIT, async () => {
  // an export of metrics must end before the next one: on a slow machine those of every 50 ms do not
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

describe('while a receiver does not answer', LIMIT, () => {
  test('a queue waits and no more, and one export is under way', async () => {
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

  test('the losses of a minute are told once', async () => {
    const patient = { OTEL_EXPORTER_OTLP_TIMEOUT: '3600000', OTEL_BSP_EXPORT_TIMEOUT: '3600000' }
    await using rig = await startRig({ OTEL_BSP_MAX_QUEUE_SIZE: '10', ...patient }, { answer: 'hang' })
    mock.timers.enable({ apis: ['setTimeout'] })
    try {
      rig.spans(1020)
      rig.spans(1000)
      const told = () => rig.warnings.map(({ lost }) => lost)
      assert.deepEqual(told(), [1])
      mock.timers.tick(60_000)
      assert.deepEqual(told(), [1, 1999])
    } finally {
      mock.timers.reset()
    }
  })
})

/** Ends so: the time for the last spans is nearly over, and stands still until `enough`; then it is over. */
async function endWhen({ sdk }: OtlpRig, enough: () => Promise<boolean>): Promise<void> {
  mock.timers.enable({ apis: ['setTimeout'] })
  try {
    let over = false
    const ended = sdk.shutdown().finally(() => {
      over = true
    })
    mock.timers.tick(LAST_RECORDS_MS - 1)
    await turnUntil('it is delivered', enough)
    mock.timers.tick(1)
    await turnUntil('it has ended', async () => over)
    await ended
  } finally {
    mock.timers.reset()
  }
}

/** Waits where timers stand still. */
async function turnUntil(what: string, done: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 20_000
  while (!(await done())) {
    assert.ok(performance.now() < end, `waited until ${what}, in vain`)
    await turn()
  }
}

describe('the end', LIMIT, () => {
  test('delivers what waits; the metrics come last', async () => {
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
    await endWhen(rig, async () => (await rig.delivered()).traces === 1000)
    assert.equal(rig.receiver.exports.length, 1 + 100)
    assert.deepEqual(
      rig.warnings.map(({ lost }) => lost),
      [10],
    )
  })

  test('does not wait for a receiver that does not answer, and tells what is lost with it', async () => {
    const patient = { OTEL_EXPORTER_OTLP_TIMEOUT: '3600000', OTEL_METRIC_EXPORT_INTERVAL: '3600000' }
    await using rig = await startRig({ ...ALL, ...patient, OTEL_METRIC_EXPORT_TIMEOUT: '3600000' }, { answer: 'hang' })
    rig.spans(700)
    for (let line = 0; line < 3; line += 1) rig.sdk.emit!({ level: 'info', message: 'line', attributes: {} })
    await rig.sdk.shutdown()
    const told = Object.fromEntries(rig.warnings.map((warning) => [warning['telemetry.signal'], warning]))
    assert.equal(told.traces?.reason, 'not exported before shutdown')
    assert.deepEqual([told.traces?.lost, told.logs?.lost], [700, 3])
    assert.ok(Number(told.metrics?.lost) > 0)
    assert.equal(rig.warnings.length, 3)
  })

  test('comes once, however often it is asked for, and takes nothing more', async () => {
    await using rig = await startRig(ALL)
    await Promise.all([rig.sdk.shutdown(), rig.sdk.shutdown()])
    const { length } = rig.receiver.exports
    rig.spans(3)
    rig.sdk.emit!({ level: 'info', message: 'line', attributes: {} })
    await rig.sdk.shutdown()
    assert.equal(rig.receiver.exports.length, length)
  })
})
