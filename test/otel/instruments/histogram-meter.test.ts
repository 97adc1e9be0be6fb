import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics'
import { HistogramMeter } from '../../../otel/instruments/histogram-meter.ts'

class Reader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}

  protected override async onShutdown(): Promise<void> {}
}

/** A meter on top of the SDK's, and a function that returns the metrics of both, as `name: values`. */
function metered() {
  const reader = new Reader()
  const sdk = new MeterProvider({ readers: [reader] }).getMeter('test')
  const meter = new HistogramMeter({ name: 'test' }, sdk, 4)
  const collect = async () => {
    const { resourceMetrics } = await reader.collect()
    return meter.withHistograms(resourceMetrics.scopeMetrics[0]?.metrics ?? [], 0)
  }
  const summary = async () =>
    (await collect()).map(({ descriptor, dataPoints }) => {
      const values = dataPoints.map(({ value }) => (typeof value === 'number' ? value : value.sum))
      return `${descriptor.name}: ${values.join(' ')}`
    })
  return { meter, collect, summary }
}

test('instruments of all kinds are reported in the order of their creation', async () => {
  const { meter, summary } = metered()
  const counter = meter.createCounter('counter')
  const histogram = meter.createHistogram('histogram')
  const upDown = meter.createUpDownCounter('up-down')
  const last = meter.createHistogram('last')
  const gauge = meter.createGauge('gauge')
  meter.createObservableCounter('observed.counter').addCallback((result) => result.observe(4))
  meter.createObservableUpDownCounter('observed.up-down').addCallback((result) => result.observe(5))
  const observed = meter.createObservableGauge('observed.gauge')
  let observations = 0
  const observe: Parameters<HistogramMeter['addBatchObservableCallback']>[0] = (result) => {
    observations += 1
    result.observe(observed, 6)
  }
  meter.addBatchObservableCallback(observe, [observed])
  last.record(8)
  histogram.record(7)
  counter.add(1)
  upDown.add(2)
  gauge.record(3)
  const all = ['counter: 1', 'histogram: 7', 'up-down: 2', 'last: 8', 'gauge: 3']
  assert.deepEqual(await summary(), [...all, 'observed.counter: 4', 'observed.up-down: 5', 'observed.gauge: 6'])
  meter.removeBatchObservableCallback(observe, [observed])
  await summary()
  assert.equal(observations, 1)
})

test('a name is one histogram, with the description, the unit and the bounds of its first creation', async () => {
  const { meter, collect } = metered()
  const options = { description: 'Durations.', unit: 's', advice: { explicitBucketBoundaries: [1, 2] } }
  const histogram = meter.createHistogram('duration', options)
  assert.equal(meter.createHistogram('duration'), histogram)
  histogram.record(1.5)
  const [data] = await collect()
  assert.equal(data?.descriptor.description, 'Durations.')
  assert.equal(data?.descriptor.unit, 's')
  const [point] = data?.dataPoints ?? []
  assert.ok(typeof point?.value === 'object' && 'buckets' in point.value)
  assert.deepEqual(point.value.buckets, { boundaries: [1, 2], counts: [0, 1, 0] })
})

test('the limit includes the overflow series', async () => {
  const { meter, summary } = metered()
  const histogram = meter.createHistogram('duration')
  for (let at = 0; at < 10; at += 1) histogram.record(1, { at })
  assert.deepEqual(await summary(), ['duration: 1 1 1 7'])
})
