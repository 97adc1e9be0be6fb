import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MeterProvider } from '@opentelemetry/sdk-metrics'
import fc from 'fast-check'
import {
  Cells,
  createObservable,
  histogramOf,
  SERIES_LIMIT,
  seriesLimit,
} from '../../../otel/instruments/instruments.ts'
import { createMeterProvider, type MetersOptions } from '../../../otel/instruments/meter-provider.ts'
import { createPrometheus } from '../../../otel/metrics/prometheus.ts'
import { appTlsErrors } from '../../../otel/names/names.ts'
import { seriesOf } from '../../support/telemetry/scrape.ts'

/** The reported series of `cells`. */
function seriesIn(cells: Cells<{ readonly name: string }>): (readonly [value: number, attributes: unknown])[] {
  const series: (readonly [number, unknown])[] = []
  cells.observe({ observe: (value, attributes) => series.push([value, attributes]) })
  return series
}

describe('Cells', () => {
  test('above the limit, a counter adds new series to the overflow series', () => {
    const cells = new Cells<{ readonly name: string }>(2)
    for (const name of ['a', 'b', 'c', 'd', 'a']) cells.at({ name }).value += 1
    assert.deepEqual(seriesIn(cells), [
      [2, { name: 'a' }],
      [1, { name: 'b' }],
      [2, { 'otel.metric.overflow': true }],
    ])
  })

  test('whatever is counted, the sum is right, and at most one series exceeds the limit', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 2 })), fc.integer({ min: 1, max: 20 }), (names, limit) => {
        const cells = new Cells<{ readonly name: string }>(limit)
        for (const name of names) cells.at({ name }).value += 1
        const series = seriesIn(cells)
        assert.equal(
          series.reduce((sum, [value]) => sum + value, 0),
          names.length,
        )
        assert.ok(series.length <= limit + 1)
      }),
    )
  })
})

const sdkProvider = ({ readers }: MetersOptions) => new MeterProvider({ readers: [...readers] })

for (const [whose, make] of [
  ['a histogram of this project', createMeterProvider],
  ['a histogram of the SDK, as for a reader that wants differences', sdkProvider],
] as const) {
  test(`above its limit, ${whose} adds new series to one series, and its sum stays right`, async () => {
    const prometheus = createPrometheus()
    const meter = make({ readers: [prometheus.reader] }).getMeter('test')
    const durations = histogramOf(meter, 'transactionDuration')
    const recorded = 2500
    for (let number = 0; number < recorded; number += 1)
      durations.at({ 'smtp.transaction.outcome': 'accepted', 'server.address': `host${number}` }).record(0.25)
    const page = await prometheus.page()
    const counts = seriesOf(page, 'smtp_proxy_transaction_duration_seconds_count')
    assert.equal(counts.length, SERIES_LIMIT)
    const [overflow] = counts.filter(([labels]) => labels === '{otel_metric_overflow="true"}')
    assert.equal(overflow?.[1], recorded - (SERIES_LIMIT - 1))
    const sums = seriesOf(page, 'smtp_proxy_transaction_duration_seconds_sum')
    assert.equal(
      sums.reduce((total, [, value]) => total + value, 0),
      recorded * 0.25,
    )
  })
}

/** `count` different names. */
const names = (count: number) => Array.from({ length: count }, (_, number) => `${number}`)

for (const [servers, clients, listeners, limit] of [
  [1, 0, 1, 2000],
  [2, 10, 3, 2000],
  [2, 100, 3, 2 * 101 * 60],
  [1, 100, 8, 8 * 101 * (appTlsErrors.length + 1) + 3],
] as const) {
  test(`${servers} upstreams, ${clients} client names and ${listeners} listeners: ${limit} series per metric`, () => {
    const configured = { servers: names(servers), clients: names(clients), listeners: names(listeners) }
    assert.equal(seriesLimit(configured), limit)
  })
}

for (const [unit, value, reported] of [
  ['s', 0.5, 0.5],
  ['1', 0.5, 0.5],
  ['By', 7, 7],
  ['{thing}', 7, 7],
] as const) {
  for (const kind of ['counter', 'updowncounter', 'gauge'] as const) {
    test(`a ${kind} in ${unit} reports ${value} as ${reported}`, async () => {
      const prometheus = createPrometheus()
      const meter = new MeterProvider({ readers: [prometheus.reader] }).getMeter('test')
      const instrument = createObservable(meter, { name: 'some.things', kind, unit, help: 'Things.' })
      instrument.addCallback((result) => result.observe(value))
      const [, found] = /^some_things\S* (\S+)$/m.exec(await prometheus.page()) ?? []
      assert.equal(Number(found), reported)
    })
  }
}
