/** When exports are made, and how much is in each: OTEL_BSP_*, OTEL_BLRP_* and OTEL_METRIC_EXPORT_INTERVAL. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { startRig } from '../../support/otlp-rig.ts'
import { valuesAt } from '../../support/protobuf.ts'

const LIMIT = { timeout: 30_000 }
/** The fields on the way to spans, and to log records. */
const ITEMS = [1, 2, 2] as const

describe('when exports are made', LIMIT, () => {
  test('OTEL_METRIC_EXPORT_INTERVAL: one after the other', async () => {
    await using rig = await startRig({ OTEL_METRICS_EXPORTER: 'otlp', OTEL_METRIC_EXPORT_INTERVAL: '10' })
    await rig.receiver.begun(3)
  })

  for (const [prefix, path] of [
    ['OTEL_BSP', '/v1/traces'],
    ['OTEL_BLRP', '/v1/logs'],
  ] as const) {
    const tell = (rig: Awaited<ReturnType<typeof startRig>>, count: number) => {
      if (path === '/v1/traces') return rig.spans(count)
      for (let line = 0; line < count; line += 1) rig.sdk.emit!({ level: 'info', message: 'line', attributes: {} })
    }
    const env = { OTEL_LOGS_EXPORTER: 'otlp' }
    const sizes = (rig: Awaited<ReturnType<typeof startRig>>) =>
      rig.receiver.exports.map(({ body }) => valuesAt(body, ...ITEMS).length)

    test(`${prefix}_SCHEDULE_DELAY: nothing leaves before, and the end does not wait for it`, async () => {
      await using rig = await startRig({ ...env, [`${prefix}_SCHEDULE_DELAY`]: '3600000' })
      tell(rig, 2)
      // the other signal's delay of 10 ms is over when this has come
      if (path === '/v1/traces') rig.sdk.emit!({ level: 'info', message: 'line', attributes: {} })
      else rig.spans(1)
      await rig.receiver.begun(1)
      assert.ok(rig.receiver.exports.every((received) => received.path !== path))
      await rig.sdk.shutdown()
      assert.deepEqual(sizes(rig), [1, 2])
    })

    test(`${prefix}_MAX_EXPORT_BATCH_SIZE: no export is larger`, async () => {
      await using rig = await startRig({ ...env, [`${prefix}_MAX_EXPORT_BATCH_SIZE`]: '2' })
      tell(rig, 5)
      await rig.sdk.shutdown()
      assert.deepEqual(sizes(rig), [2, 2, 1])
    })

    test(`${prefix}_MAX_QUEUE_SIZE: what comes beyond is dropped and counted`, async () => {
      await using rig = await startRig({
        ...env,
        [`${prefix}_MAX_QUEUE_SIZE`]: '3',
        [`${prefix}_SCHEDULE_DELAY`]: '3600000',
      })
      rig.receiver.answer = 'hang'
      tell(rig, 10)
      // spans leave in the turn in which they fill a batch, and make room for three more; log lines a little later
      const expected = path === '/v1/traces' ? { 'traces queue_full': 4 } : { 'logs queue_full': 7 }
      assert.deepEqual(await rig.lost(), expected)
    })

    test(`${prefix}_EXPORT_TIMEOUT: a receiver that does not answer is given up`, async () => {
      await using rig = await startRig({ ...env, [`${prefix}_EXPORT_TIMEOUT`]: '50' }, { answer: 'hang' })
      tell(rig, 2)
      assert.equal((await rig.warned()).lost, 2)
    })
  }
})
