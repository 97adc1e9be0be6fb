import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ValueType } from '@opentelemetry/api'
import { AggregationTemporality, DataPointType } from '@opentelemetry/sdk-metrics'
import { BucketHistogram, HistogramSeries } from '../../../otel/instruments/histogram.ts'

const BOUNDS = [1, 2.5, 10]

/** The values of a series after these were recorded. */
function statisticsOf(...values: readonly number[]) {
  const series = new HistogramSeries({}, BOUNDS)
  for (const value of values) series.record(value)
  return series.point(0)?.value
}

describe('A series', () => {
  for (const [value, bucket] of [
    [0, 0],
    [1, 0],
    [1.001, 1],
    [2.5, 1],
    [10, 2],
    [10.5, 3],
    [Number.POSITIVE_INFINITY, 3],
  ] as const) {
    test(`counts ${value} in bucket ${bucket}`, () => {
      const counts = [0, 0, 0, 0].with(bucket, 1)
      assert.deepEqual(statisticsOf(value)?.buckets, { boundaries: BOUNDS, counts })
    })
  }

  test('has the count, the sum, the minimum and the maximum of its values', () => {
    const buckets = { boundaries: BOUNDS, counts: [1, 1, 1, 1] }
    assert.deepEqual(statisticsOf(2, 20, 0.5, 4), { count: 4, sum: 26.5, min: 0.5, max: 20, buckets })
  })

  test('ignores negative values and NaN', () => {
    assert.equal(statisticsOf(-1, Number.NaN), undefined)
    assert.equal(statisticsOf(-1, 2, Number.NaN)?.count, 1)
  })

  test('starts at its first value, and has no point before', (context) => {
    context.mock.timers.enable({ apis: ['Date'], now: 5000 })
    const series = new HistogramSeries({ name: 'a' }, BOUNDS)
    assert.equal(series.point(5000), undefined)
    context.mock.timers.tick(1500)
    series.record(1)
    context.mock.timers.tick(1000)
    series.record(1)
    const { startTime, endTime, attributes } = series.point(8250) ?? {}
    assert.deepEqual([startTime, endTime, attributes], [[6, 500_000_000], [8, 250_000_000], { name: 'a' }])
  })

  test('a point does not change when more values follow: an exporter may still read it', () => {
    const series = new HistogramSeries({}, BOUNDS)
    series.record(1)
    const point = series.point(0)
    const before = structuredClone(point)
    series.record(1)
    assert.deepEqual(point, before)
  })
})

describe('A histogram', () => {
  const descriptor = { name: 'size', description: 'Sizes.', unit: 'By', valueType: ValueType.INT }

  test('has no data before its first value, also if it has series', () => {
    const histogram = new BucketHistogram(descriptor, BOUNDS, 10)
    histogram.at({ name: 'a' })
    assert.equal(histogram.data(0), undefined)
  })

  test('has a cumulative data point for each series with values', () => {
    const histogram = new BucketHistogram(descriptor, BOUNDS, 10)
    histogram.at({ name: 'unused' })
    histogram.at({ name: 'a' }).record(1)
    histogram.record(2, { name: 'b' })
    histogram.record(3)
    const data = histogram.data(0)
    assert.equal(data?.aggregationTemporality, AggregationTemporality.CUMULATIVE)
    assert.equal(data?.dataPointType, DataPointType.HISTOGRAM)
    assert.deepEqual(data?.descriptor, descriptor)
    assert.deepEqual(
      data?.dataPoints.map(({ attributes, value }) => [attributes, value.sum]),
      [
        [{ name: 'a' }, 1],
        [{ name: 'b' }, 2],
        [{}, 3],
      ],
    )
  })
})
