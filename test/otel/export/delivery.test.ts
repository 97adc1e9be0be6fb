import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type ExportResult, ExportResultCode } from '@opentelemetry/core'
import fc from 'fast-check'
import { CountedExporter, Delivery } from '../../../otel/export/delivery.ts'

/** A delivery of spans, what it has counted, and the reasons that it reported. */
function counted() {
  const counts = { exported: 0, queue_full: 0, export_failed: 0, rate_limited: 0, stdout_full: 0 }
  const reasons: (string | undefined)[] = []
  const deliveries = {
    count(_: unknown, loss: keyof typeof counts, items = 1) {
      counts[loss] += items
    },
    exported(_: unknown, items: number) {
      counts.exported += items
    },
  }
  const delivery = new Delivery('traces', deliveries, (_, __, reason) => reasons.push(reason))
  return { delivery, counts, reasons }
}

describe('A delivery', () => {
  test('admits up to the limit, and counts the rest as lost', () => {
    const { delivery, counts } = counted()
    assert.deepEqual(
      [1, 2, 3].map(() => delivery.admit(2)),
      [true, true, false],
    )
    delivery.sent(2)
    assert.equal(delivery.admit(2), true, 'sent items leave the queue')
    assert.equal(counts.queue_full, 1)
  })

  test('counts rejected items of a successful export as lost, at most as many as it had', () => {
    for (const [rejected, exported, lost] of [
      [0, 5, 0],
      [2, 3, 2],
      [100, 0, 5],
    ] as const) {
      const { delivery, counts } = counted()
      delivery.sent(5)
      delivery.rejected(rejected)
      delivery.delivered(5)
      assert.deepEqual([counts.exported, counts.export_failed], [exported, lost])
    }
  })

  test('counts at its end what is queued or in flight, and then nothing more', () => {
    const { delivery, counts, reasons } = counted()
    for (let item = 0; item < 5; item += 1) delivery.admit(10)
    delivery.sent(2)
    delivery.close()
    assert.deepEqual([counts.export_failed, reasons], [5, ['not exported before shutdown']])
    delivery.delivered(2)
    assert.equal(delivery.admit(10), false)
    delivery.sent(1)
    delivery.failed(1, 'timeout')
    assert.deepEqual(counts, { exported: 0, queue_full: 0, export_failed: 5, rate_limited: 0, stdout_full: 0 })
  })

  test('counts every item exactly once, in any order of exports', () => {
    const exports = fc.array(fc.record({ items: fc.integer({ min: 0, max: 5 }), ok: fc.boolean() }))
    fc.assert(
      fc.property(exports, fc.integer({ min: 0, max: 20 }), fc.boolean(), (all, more, late) => {
        const { delivery, counts } = counted()
        let offered = 0
        const admit = () => {
          offered += 1
          delivery.admit(10)
        }
        for (const { items, ok } of all) {
          for (let item = 0; item < items; item += 1) admit()
          delivery.sent(items)
          if (ok) delivery.delivered(items)
          else delivery.failed(items, 'timeout')
        }
        for (let item = 0; item < more; item += 1) admit()
        if (late) delivery.sent(Math.min(more, 10))
        delivery.close()
        assert.equal(counts.exported + counts.queue_full + counts.export_failed, offered)
      }),
    )
  })
})

type Done = (result: ExportResult) => void

/** An exporter whose exports end when the test ends them. */
function counting(limitMs = 1000) {
  const made: Done[][] = []
  const make = () => {
    const running: Done[] = []
    made.push(running)
    const none = async () => {}
    return { export: (_: readonly string[], done: Done) => void running.push(done), forceFlush: none, shutdown: none }
  }
  const accounts = counted()
  const itemsOf = (batch: readonly string[]) => batch.length
  const exporter = new CountedExporter({ make, itemsOf, delivery: accounts.delivery, limitMs })
  const results: ExportResultCode[] = []
  const send = (...batch: readonly string[]) => exporter.export(batch, ({ code }) => results.push(code))
  return { ...accounts, exporter, made, results, send }
}

const failure = (error: Error & { readonly code?: unknown }) => ({ code: ExportResultCode.FAILED, error })

describe('An exporter', () => {
  for (const [error, reason] of [
    [Object.assign(new Error('secret'), { code: 503 }), 'HTTP 503'],
    [Object.assign(new Error('secret'), { code: 'ECONNREFUSED' }), 'ECONNREFUSED'],
    [new Error('Request timed out'), 'timeout'],
    [new Error('Concurrent export limit reached'), 'too many concurrent exports'],
    [new TypeError('secret'), 'TypeError'],
  ] as const) {
    test(`reports the failure ${error.message} (${'code' in error ? error.code : error.name}) as ${reason}`, () => {
      const { made, send, counts, reasons, results } = counting()
      send('a', 'b')
      made[0]![0]!(failure(error))
      assert.deepEqual([counts.export_failed, reasons, results], [2, [reason], [ExportResultCode.FAILED]])
    })
  }

  test('counts a success, and only the first result', () => {
    const { made, send, counts, results } = counting()
    send('a', 'b')
    made[0]![0]!({ code: ExportResultCode.SUCCESS })
    made[0]![0]!(failure(new Error('again')))
    assert.deepEqual([counts.exported, counts.export_failed, results], [2, 0, [ExportResultCode.SUCCESS]])
  })

  test('is replaced if an export does not end', (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] })
    const { made, send, counts, reasons, results } = counting(1000)
    send('a')
    context.mock.timers.tick(1000)
    assert.deepEqual([counts.export_failed, reasons, results.length], [1, ['the export did not end'], 1])
    send('b')
    assert.deepEqual(
      made.map(({ length }) => length),
      [1, 1],
      'the second exporter gets the second export',
    )
  })

  test('ends running exports on abort', () => {
    const { exporter, send, counts, results } = counting()
    send('a')
    send('b', 'c')
    exporter.abort()
    assert.deepEqual([counts.export_failed, results.length], [3, 2])
  })

  test('does not throw when the exporter throws', () => {
    const accounts = counted()
    const none = async () => {}
    const broken = () => {
      throw new RangeError('secret')
    }
    const make = () => ({ export: broken, forceFlush: none, shutdown: none })
    const exporter = new CountedExporter({ make, itemsOf: () => 3, delivery: accounts.delivery, limitMs: 1000 })
    exporter.export('batch', ({ code }) => assert.equal(code, ExportResultCode.FAILED))
    assert.deepEqual([accounts.counts.export_failed, accounts.reasons], [3, ['RangeError']])
  })
})
