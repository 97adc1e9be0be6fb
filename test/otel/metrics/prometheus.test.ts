import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { MeterProvider } from '@opentelemetry/sdk-metrics'
import { createLosses } from '../../../otel/export/losses.ts'
import { createPrometheus } from '../../../otel/metrics/prometheus.ts'
import { labelName, metricName, type NamedMetric } from '../../../otel/metrics/prometheus-names.ts'
import { attributes, labelOf, type MetricDefinition, metrics as table } from '../../../otel/names/names.ts'
import { runtimeAttributes, runtimeMetrics } from '../../../otel/names/runtime.ts'
import { scraped, seriesOf } from '../../support/scrape.ts'
import { oneMail, SessionStory } from '../../support/session-events.ts'

const definitions: readonly MetricDefinition[] = Object.values(table)

/** A page on which every metric of the table has something to tell. */
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
  test(`${metric.name} is scraped as ${metric.prometheus}, explained and typed once`, async () => {
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

test('the page is text format 0.0.4, line for line, and holds nothing but the table', async () => {
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

test('who measures is told once, not on each series', async () => {
  const page = await fullPage()
  assert.match(page, /^target_info\{.*service_name="/m)
  assert.doesNotMatch(page, /otel_scope/)
})

/** What github.com/prometheus/otlptranslator 1.0.0 says of the same metrics, run with Prometheus' default options. */
const translations: readonly (readonly [NamedMetric['kind'], string, unit: string, prometheus: string])[] = [
  // a counter ends with _total, once, and after its unit
  ['counter', 'requests', '', 'requests_total'],
  ['counter', 'requests.total', '', 'requests_total'],
  ['counter', 'total.requests', '', 'requests_total'],
  ['counter', 'process.cpu.time', 's', 'process_cpu_time_seconds_total'],
  ['counter', 'smtp.proxy.io', 'By', 'smtp_proxy_io_bytes_total'],
  // 1 is no unit, but makes a gauge a ratio: nothing else
  ['gauge', 'nodejs.eventloop.utilization', '1', 'nodejs_eventloop_utilization_ratio'],
  ['gauge', 'hit.ratio', '1', 'hit_ratio'],
  ['gauge', 'ratio.of.hits', '1', 'of_hits_ratio'],
  ['counter', 'some.events', '1', 'some_events_total'],
  ['updowncounter', 'some.things', '1', 'some_things'],
  ['histogram', 'some.sizes', '1', 'some_sizes'],
  // what stands in braces is no unit
  ['counter', 'some.things', '{thing}', 'some_things_total'],
  ['updowncounter', 'process.unix.file_descriptor.count', '{file_descriptor}', 'process_unix_file_descriptor_count'],
  // units are spelled out
  ['histogram', 'v8js.gc.duration', 's', 'v8js_gc_duration_seconds'],
  ['gauge', 'some.wait', 'ms', 'some_wait_milliseconds'],
  ['gauge', 'some.wait', 'us', 'some_wait_microseconds'],
  ['gauge', 'some.wait', 'ns', 'some_wait_nanoseconds'],
  ['gauge', 'some.wait', 'min', 'some_wait_minutes'],
  ['gauge', 'some.wait', 'h', 'some_wait_hours'],
  ['gauge', 'some.wait', 'd', 'some_wait_days'],
  ['updowncounter', 'process.memory.usage', 'By', 'process_memory_usage_bytes'],
  ['gauge', 'some.memory', 'KiBy', 'some_memory_kibibytes'],
  ['gauge', 'some.memory', 'MBy', 'some_memory_megabytes'],
  ['gauge', 'some.load', '%', 'some_load_percent'],
  ['gauge', 'some.heat', 'Cel', 'some_heat_celsius'],
  ['gauge', 'some.tone', 'Hz', 'some_tone_hertz'],
  ['gauge', 'some.way', 'm', 'some_way_meters'],
  // units that are not known are taken as they are
  ['gauge', 'some.thing', 'furlong', 'some_thing_furlong'],
  ['gauge', 'some.thing', 'a b', 'some_thing_a_b'],
  ['gauge', 'some.thing', ' s ', 'some_thing_seconds'],
  // a unit that the name says already is not said twice
  ['gauge', 'age_seconds', 's', 'age_seconds'],
  ['gauge', 'bytes.in.use', 'By', 'bytes_in_use'],
  ['counter', 'cpu.seconds', 's', 'cpu_seconds_total'],
  // rates
  ['gauge', 'some.flow', 'By/s', 'some_flow_bytes_per_second'],
  ['gauge', 'some.flow', '1/s', 'some_flow_per_second'],
  ['gauge', 'some.flow', '{thing}/s', 'some_flow_per_second'],
  ['gauge', 'some.flow', 'By/{thing}', 'some_flow_bytes'],
  ['gauge', 'some.flow', '{thing}/m', 'some_flow_per_minute'],
  ['gauge', 'some.flow', 'By/furlong', 'some_flow_bytes_per_furlong'],
  // letters, digits, colons and single underscores are left
  ['gauge', 'some-thing/of__mine', '', 'some_thing_of_mine'],
  ['gauge', '9.lives', '', '_9_lives'],
]

for (const [kind, name, unit, prometheus] of translations) {
  test(`the ${kind} ${name} in '${unit}' is called ${prometheus}`, () => {
    assert.equal(metricName({ kind, name, unit }), prometheus)
  })
}

for (const [key, label] of [
  ['smtp.reply.code', 'smtp_reply_code'],
  ['k8s.pod.label.app/name', 'k8s_pod_label_app_name'],
  ['a..b__c', 'a_b_c'],
  ['1st', 'key_1st'],
  ['_private', '_private'],
] as const) {
  test(`the attribute ${key} is the label ${label}`, () => assert.equal(labelName(key), label))
}

for (const { name, kind, unit, prometheus } of [...definitions, ...Object.values(runtimeMetrics)]) {
  test(`${name} is called ${prometheus} by Prometheus' OTLP receiver, too`, () => {
    assert.equal(metricName({ name, kind, unit }), prometheus)
  })
}

test("attributes have the labels that Prometheus' OTLP receiver gives them, too", () => {
  for (const key of [...objectKeys(attributes), ...objectKeys(runtimeAttributes)])
    assert.equal(labelOf(key), labelName(key))
})

function objectKeys<Key extends string>(object: Readonly<Record<Key, unknown>>): readonly Key[] {
  return Object.keys(object) as Key[]
}

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

test('a resource with keys that are no labels, or become the same, does not spoil the page', async () => {
  const { reader, page } = createPrometheus()
  const resource = resourceFromAttributes({ '1st': 'x', 'a.b': 'one', a_b: 'two', 'a/b': ['three', 'four'] })
  new MeterProvider({ readers: [reader], resource }).getMeter('node').createCounter('some.things').add(1)
  const [[labels] = ['']] = seriesOf(await page(), 'target_info')
  assert.equal(labels, '{key_1st="x",a_b="one;[\\"three\\",\\"four\\"];two"}')
})

test('scrapes that come at once are answered together; the next one afresh', async () => {
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

test('a metric that cannot be read does not take the page with it', async () => {
  const { metrics, page } = scraped()
  metrics.observeLiveBytes(() => {
    throw new Error('canary')
  })
  const text = await page()
  assert.match(text, /^# 1 metrics could not be read$/m)
  assert.match(text, /^smtp_proxy_session_active/m)
  assert.doesNotMatch(text, /canary/)
})
