import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { withoutParts } from '../../../docs/generate/parts.ts'
import { attributes, labelOf, metrics, runtimeAttributes, runtimeMetrics } from '../../../otel/names/names.ts'
import type { RuntimeMetricDefinition } from '../../../otel/names/runtime.ts'
import { readDocument } from '../../support/docs/documents.ts'
import { DASHBOARDS } from '../../support/monitoring/dashboards.ts'

const definitions: readonly RuntimeMetricDefinition[] = Object.values(runtimeMetrics)

test('the metrics are those of the semantic conventions 1.45, in name, kind, unit and attributes', () => {
  const described = definitions.map(({ name, kind, unit, attributes, prometheus }) =>
    [name, kind, unit, ...attributes, '->', prometheus].join(' '),
  )
  assert.deepEqual(described, [
    'nodejs.eventloop.utilization gauge 1 -> nodejs_eventloop_utilization_ratio',
    'nodejs.eventloop.delay.p99 gauge s -> nodejs_eventloop_delay_p99_seconds',
    'v8js.gc.duration histogram s v8js.gc.type -> v8js_gc_duration_seconds',
    'v8js.memory.heap.used gauge By v8js.heap.space.name -> v8js_memory_heap_used_bytes',
    'process.cpu.time counter s cpu.mode -> process_cpu_time_seconds_total',
    'process.memory.usage updowncounter By -> process_memory_usage_bytes',
    'process.unix.file_descriptor.count updowncounter {file_descriptor} -> process_unix_file_descriptor_count',
    'process.uptime gauge s -> process_uptime_seconds',
  ])
})

test('a dashboard, an alert, a runbook or the text around the reference reads each of them', () => {
  const files = ['generated', 'runbooks'].flatMap((folder) =>
    readdirSync(join(DASHBOARDS, folder), { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => readFileSync(join(DASHBOARDS, folder, name), 'utf8')),
  )
  const texts = [withoutParts(readDocument('docs/telemetry.md')), ...files]
  const unread = definitions.filter(({ prometheus }) => !texts.some((text) => text.includes(prometheus)))
  assert.deepEqual(unread, [])
})

test('exactly the histogram has buckets, in rising order', () => {
  for (const { name, kind, buckets } of definitions) {
    assert.equal(buckets !== undefined, kind === 'histogram', name)
    assert.deepEqual(
      buckets?.toSorted((one, other) => one - other),
      buckets,
    )
  }
})

test('each metric and each attribute has a help text of one or more sentences, and each attribute is used', () => {
  for (const { help } of [...definitions, ...Object.values(runtimeAttributes)]) assert.match(help, /^[A-Z0-9].*\.$/)
  const used = new Set<string>(definitions.flatMap((metric) => metric.attributes))
  assert.deepEqual(Object.keys(runtimeAttributes).toSorted(), [...used].toSorted())
})

test('the two tables share no key, name or label', () => {
  const disjoint = (one: readonly string[], other: readonly string[]) =>
    assert.deepEqual(
      one.filter((name) => other.includes(name)),
      [],
    )
  disjoint(Object.keys(runtimeMetrics), Object.keys(metrics))
  disjoint(Object.keys(runtimeAttributes).map(labelled), Object.keys(attributes).map(labelled))
})

function labelled(key: string): string {
  return labelOf(key as Parameters<typeof labelOf>[0])
}
