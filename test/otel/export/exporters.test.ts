/** The time and size of exports: OTEL_BSP_*, OTEL_BLRP_* and OTEL_METRIC_EXPORT_INTERVAL. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startRig } from '../../support/otlp/otlp-rig.ts'
import { valuesAt } from '../../support/otlp/protobuf.ts'

const LIMIT = { timeout: 30_000 }
/** The protobuf fields that lead to spans, and to log records. */
const ITEMS = [1, 2, 2] as const

describe('Time and size of exports', LIMIT, () => {
  test('OTEL_METRIC_EXPORT_INTERVAL: exports follow one another', async () => {
    await using rig = await startRig({ OTEL_METRICS_EXPORTER: 'otlp', OTEL_METRIC_EXPORT_INTERVAL: '10' })
    await rig.receiver.begun(3)
  })

  for (const [prefix, path] of [
    ['OTEL_BSP', '/v1/traces'],
    ['OTEL_BLRP', '/v1/logs'],
  ] as const) {
    const produce = (rig: Awaited<ReturnType<typeof startRig>>, count: number) => {
      if (path === '/v1/traces') return rig.spans(count)
      for (let line = 0; line < count; line += 1) rig.sdk.emit!({ level: 'info', message: 'line', attributes: {} })
    }
    const env = { OTEL_LOGS_EXPORTER: 'otlp' }
    const sizes = (rig: Awaited<ReturnType<typeof startRig>>) =>
      rig.receiver.exports.map(({ body }) => valuesAt(body, ...ITEMS).length)

    test(`${prefix}_SCHEDULE_DELAY: nothing is exported earlier, and shutdown does not wait for it`, async () => {
      await using rig = await startRig({ ...env, [`${prefix}_SCHEDULE_DELAY`]: '3600000' })
      produce(rig, 2)
      // when this arrives, the other signal's delay of 10 ms is over
      if (path === '/v1/traces') rig.sdk.emit!({ level: 'info', message: 'line', attributes: {} })
      else rig.spans(1)
      await rig.receiver.begun(1)
      assert.ok(rig.receiver.exports.every((received) => received.path !== path))
      await rig.sdk.shutdown()
      assert.deepEqual(sizes(rig), [1, 2])
    })

    test(`${prefix}_MAX_EXPORT_BATCH_SIZE: no export is larger`, async () => {
      await using rig = await startRig({ ...env, [`${prefix}_MAX_EXPORT_BATCH_SIZE`]: '2' })
      produce(rig, 5)
      await rig.sdk.shutdown()
      assert.deepEqual(sizes(rig), [2, 2, 1])
    })

    test(`${prefix}_MAX_QUEUE_SIZE: more items are dropped and counted`, async () => {
      await using rig = await startRig({
        ...env,
        [`${prefix}_MAX_QUEUE_SIZE`]: '3',
        [`${prefix}_SCHEDULE_DELAY`]: '3600000',
      })
      rig.receiver.answer = 'hang'
      produce(rig, 10)
      // spans are sent in the same turn in which they fill a batch, so three more fit; log lines are sent a little later
      const expected = path === '/v1/traces' ? { 'traces queue_full': 4 } : { 'logs queue_full': 7 }
      assert.deepEqual(await rig.lost(), expected)
    })

    test(`${prefix}_EXPORT_TIMEOUT: an export without a response fails`, async () => {
      await using rig = await startRig({ ...env, [`${prefix}_EXPORT_TIMEOUT`]: '50' }, { answer: 'hang' })
      produce(rig, 2)
      assert.equal((await rig.warned()).lost, 2)
    })
  }
})
