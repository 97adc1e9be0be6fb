import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { DataPointType, MeterProvider, type MetricData } from '@opentelemetry/sdk-metrics'
import { createPrometheus } from '../../../otel/metrics/prometheus.ts'
import { startRuntimeMetrics } from '../../../otel/metrics/runtime.ts'
import {
  type RuntimeAttributeKey,
  type RuntimeMetricDefinition,
  runtimeAttributes,
  runtimeMetrics,
} from '../../../otel/names/runtime.ts'
import { startProxy } from '../../support/processes/proxy-process.ts'

const definitions: readonly RuntimeMetricDefinition[] = Object.values(runtimeMetrics)
const prometheusTypes = { counter: 'counter', updowncounter: 'gauge', gauge: 'gauge', histogram: 'histogram' } as const

/** The metrics of this process, collected until each has a value. */
async function measured(): Promise<readonly MetricData[]> {
  const { reader } = createPrometheus()
  const running = startRuntimeMetrics(new MeterProvider({ readers: [reader] }))
  const found = new Map<string, MetricData>()
  while (!found.has('v8js.gc.duration') || !found.has('nodejs.eventloop.delay.p99')) {
    new Array(100_000).fill({}) // garbage to collect
    await new Promise((turn) => setTimeout(turn, 100))
    const { resourceMetrics, errors } = await reader.collect()
    assert.deepEqual(errors, [])
    for (const metric of resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics))
      if (metric.dataPoints.length > 0) found.set(metric.descriptor.name, metric)
  }
  running.stop()
  return [...found.values()]
}

function kindOf(metric: MetricData): RuntimeMetricDefinition['kind'] {
  if (metric.dataPointType === DataPointType.GAUGE) return 'gauge'
  if (metric.dataPointType !== DataPointType.SUM) return 'histogram'
  return metric.isMonotonic ? 'counter' : 'updowncounter'
}

/** What dashboards depend on: name, kind, unit and attributes. */
function described(metric: MetricData): string {
  const keys = new Set(metric.dataPoints.flatMap(({ attributes }) => Object.keys(attributes)))
  return [metric.descriptor.name, kindOf(metric), metric.descriptor.unit, ...keys].join(' ')
}

const byTable = definitions.map(({ name, kind, unit, attributes }) => [name, kind, unit, ...attributes].join(' '))

test('the exported metrics are those of the table', async () => {
  const metrics = await measured()
  assert.deepEqual(metrics.map(described).toSorted(), byTable.toSorted())
})

function valuesOf(metrics: readonly MetricData[], name: RuntimeMetricDefinition['name']): readonly number[] {
  return (
    metrics.find(({ descriptor }) => descriptor.name === name)?.dataPoints.map(({ value }) => value as number) ?? []
  )
}

test('the values are plausible', async () => {
  const metrics = await measured()
  const values = (name: RuntimeMetricDefinition['name']) => valuesOf(metrics, name)
  const [resident = 0] = values('process.memory.usage')
  assert.ok(resident > 10_000_000 && resident < 10_000_000_000, `${resident} bytes`)
  assert.ok(values('process.unix.file_descriptor.count')[0]! >= 3)
  assert.ok(values('nodejs.eventloop.utilization').every((value) => value > 0 && value <= 1))
  assert.ok(values('v8js.memory.heap.used').reduce((sum, value) => sum + value) > 1_000_000)
  const { user, system } = process.cpuUsage()
  const cpu = values('process.cpu.time').reduce((sum, value) => sum + value)
  assert.ok(cpu > 0 && cpu <= (user + system) / 1e6, `${cpu} s`)
  assert.ok(values('process.uptime').every((value) => value > 0 && value <= process.uptime()))
})

test('the delay of the event loop does not include the sampling interval of 50 ms', async () => {
  // each reading has about two samples: on a busy machine both may be late, but not in every reading
  let least = Number.POSITIVE_INFINITY
  for (let readings = 0; readings < 20 && least >= 0.05; readings += 1)
    least = Math.min(least, ...valuesOf(await measured(), 'nodejs.eventloop.delay.p99'))
  assert.ok(least >= 0 && least < 0.05, `${least} s`)
})

test('after stop, the metrics have no values', async () => {
  const { reader } = createPrometheus()
  const runtime = startRuntimeMetrics(new MeterProvider({ readers: [reader] }))
  runtime.stop()
  runtime.stop()
  const { resourceMetrics, errors } = await reader.collect()
  assert.deepEqual(errors, [])
  assert.deepEqual(
    resourceMetrics.scopeMetrics.flatMap(({ metrics }) =>
      metrics.flatMap(({ dataPoints }): readonly unknown[] => dataPoints),
    ),
    [],
  )
})

test('the metrics neither keep the process alive nor patch require', async () => {
  const program = `
    import Module from 'node:module'
    const { require } = Module.prototype
    const { startRuntimeMetrics } = await import('./otel/metrics/runtime.ts')
    const { createPrometheus } = await import('./otel/metrics/prometheus.ts')
    const { MeterProvider } = await import('@opentelemetry/sdk-metrics')
    const { reader, page } = createPrometheus()
    startRuntimeMetrics(new MeterProvider({ readers: [reader] }))
    await page()
    console.log(Module.prototype.require === require, process.getActiveResourcesInfo().includes('Timeout'))`
  const args = ['--disable-sigusr1', '--input-type=module', '--eval', program]
  const cwd = join(import.meta.dirname, '../../..')
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd })
  assert.equal(stdout, 'true false\n')
})

for (const workers of ['1', '2']) {
  test(`a scrape of a running proxy with PROXY_WORKERS=${workers} has exactly the metrics of the table`, async () => {
    await using proxy = await startProxy({ PROXY_WORKERS: workers, PROXY_UPSTREAM: 'smtp://127.0.0.1:9?tls=off' })
    const expected = definitions.flatMap(({ prometheus, kind, help }) => [
      `# HELP ${prometheus} ${help}`,
      `# TYPE ${prometheus} ${prometheusTypes[kind]}`,
    ])
    let page = ''
    while (!expected.every((line) => page.includes(`${line}\n`))) page = await proxy.metrics()
    const families = page.split('\n').filter((line) => /^# (HELP|TYPE) (nodejs|v8js|process)_/.test(line))
    assert.deepEqual(families.toSorted(), expected.toSorted())
    for (const definition of definitions) assert.deepEqual(strangers(page, definition), [])
  })
}

/** Labels on the page that the table does not define, and values outside the closed set of their label. */
function strangers(page: string, { prometheus, attributes }: RuntimeMetricDefinition): readonly string[] {
  const series = page.split('\n').filter((line) => line.startsWith(prometheus))
  const labels = new Map(attributes.map((key) => [key.replaceAll('.', '_'), allowed(key)]))
  return series
    .flatMap((line) => [...line.matchAll(/[{,]([a-z0-9_]+)="([^"]*)"/g)])
    .filter(([, label = '', value = '']) => label !== 'le' && !labels.get(label)?.(value))
    .map(([text]) => text)
}

function allowed(key: RuntimeAttributeKey): (value: string) => boolean {
  const definition = runtimeAttributes[key]
  if (!('values' in definition)) return (value) => /^[A-Za-z_]+$/.test(value)
  return (value) => definition.values.some((known) => known === value)
}
