import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { MeterProvider } from '@opentelemetry/sdk-metrics'
import { createLosses } from '../../../otel/export/losses.ts'
import { createPrometheus } from '../../../otel/metrics/prometheus.ts'
import { labelOf, type MetricDefinition, metrics as table } from '../../../otel/names/names.ts'
import { scraped, seriesOf } from '../../support/telemetry/scrape.ts'
import { oneMail, SessionStory } from '../../support/telemetry/session-events.ts'

const definitions: readonly MetricDefinition[] = Object.values(table)

/** A page on which every metric of the table has a value. */
async function fullPage(): Promise<string> {
  const { metrics, provider, page } = scraped()
  createLosses().expose(provider)
  metrics.observeLoop(0, { active: 1.5, idle: 100, delay: 0.012, heap: 10_000_000 })
  oneMail().tell(metrics)
  new SessionStory().dials({ certificateNotAfter: 1_900_000_000 }).tell(metrics)
  metrics.setListenerCertificate(1_800_000_000)
  return page()
}

const prometheusTypes = { counter: 'counter', updowncounter: 'gauge', gauge: 'gauge', histogram: 'histogram' } as const

for (const metric of definitions) {
  test(`${metric.name} is scraped as ${metric.prometheus}, with one help text and one type`, async () => {
    const lines = (await fullPage()).split('\n')
    const about = lines.filter((line) => line.startsWith('# ') && line.split(' ')[2] === metric.prometheus)
    assert.deepEqual(about, [
      `# HELP ${metric.prometheus} ${metric.help}`,
      `# TYPE ${metric.prometheus} ${prometheusTypes[metric.kind]}`,
    ])
  })

  test(`${metric.prometheus} has the labels of the table and no others`, async () => {
    const name = metric.kind === 'histogram' ? `${metric.prometheus}_bucket` : metric.prometheus
    const series = seriesOf(await fullPage(), name)
    assert.notEqual(series.length, 0)
    const labels = new Set(series.flatMap(([text]) => [...text.matchAll(/[{,]([a-z_]+)="/g)].map(([, label]) => label)))
    const expected = metric.attributes.map(labelOf).concat(metric.kind === 'histogram' ? 'le' : [])
    assert.deepEqual([...labels].toSorted(), expected.toSorted())
  })

  if (metric.buckets) {
    test(`${metric.prometheus} has the buckets of the table`, async () => {
      const series = seriesOf(await fullPage(), `${metric.prometheus}_bucket`)
      const bounds = new Set(series.map(([text]) => text.match(/le="([^"]+)"/)?.[1]))
      assert.deepEqual([...bounds], [...(metric.buckets ?? []).map(String), '+Inf'])
    })
  }
}

test('every line of the page is text format 0.0.4, and all metrics are in the table', async () => {
  const page = await fullPage()
  const label = '[a-z_]+="(?:[^"\\\\\\n]|\\\\.)*"'
  const sample = new RegExp(`^([a-z_]+)(?:\\{${label}(?:,${label})*\\})? [0-9.e+]+$`)
  const families = new Set(['target_info', ...definitions.map((metric) => metric.prometheus)])
  assert.ok(page.endsWith('\n'))
  for (const line of page.slice(0, -1).split('\n')) {
    if (/^# (HELP|TYPE) /.test(line)) continue
    const name = line.match(sample)?.[1]
    assert.ok(name, `not a sample: ${line}`)
    assert.ok(families.has(name) || families.has(name.replace(/_(bucket|sum|count)$/, '')), name)
  }
})

test('the resource is on the page once, not on each series', async () => {
  const page = await fullPage()
  assert.match(page, /^target_info\{.*service_name="/m)
  assert.doesNotMatch(page, /otel_scope/)
})

test("metrics of each kind are scraped under the names of Prometheus' OTLP receiver", async () => {
  const { reader, page } = createPrometheus()
  const meter = new MeterProvider({ readers: [reader] }).getMeter('node')
  meter.createHistogram('v8js.gc.duration', { unit: 's' }).record(0.1)
  meter.createCounter('process.cpu.time', { unit: 's' }).add(1)
  meter.createUpDownCounter('some.things', { unit: '1' }).add(1)
  meter.createGauge('nodejs.eventloop.utilization', { unit: '1' }).record(0.5)
  const types = [...(await page()).matchAll(/^# TYPE (.+)$/gm)].map(([, type]) => type)
  assert.deepEqual(types, [
    'target_info gauge',
    'v8js_gc_duration_seconds histogram',
    'process_cpu_time_seconds_total counter',
    'some_things gauge',
    'nodejs_eventloop_utilization_ratio gauge',
  ])
})

test('resource keys that are not valid labels, or become the same label, do not make the page invalid', async () => {
  const { reader, page } = createPrometheus()
  const resource = resourceFromAttributes({ '1st': 'x', 'a.b': 'one', a_b: 'two', 'a/b': ['three', 'four'] })
  new MeterProvider({ readers: [reader], resource }).getMeter('node').createCounter('some.things').add(1)
  const [[labels] = ['']] = seriesOf(await page(), 'target_info')
  assert.equal(labels, '{key_1st="x",a_b="one;[\\"three\\",\\"four\\"];two"}')
})

test('concurrent scrapes share one page; the next one gets a new page', async () => {
  const { metrics, page } = scraped()
  let reads = 0
  metrics.observeLiveBytes(() => {
    reads += 1
    return { transmit: reads, receive: 0 }
  })
  const [one, other] = await Promise.all([page(), page(), page()])
  assert.equal(reads, 1)
  assert.equal(one, other)
  assert.match(await page(), /smtp_proxy_io_bytes_total\{network_io_direction="transmit"\} 2\n/)
})

test('a metric that cannot be read does not prevent the page', async () => {
  const { metrics, page } = scraped()
  metrics.observeLiveBytes(() => {
    throw new Error('canary')
  })
  const text = await page()
  assert.match(text, /^# 1 metrics could not be read$/m)
  assert.match(text, /^smtp_proxy_session_active/m)
  assert.doesNotMatch(text, /canary/)
})
