/** The names that Prometheus' OTLP receiver gives to metrics and attributes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelName, metricName, type NamedMetric } from '../../../otel/metrics/prometheus-names.ts'
import {
  attributes,
  labelOf,
  metrics,
  probeMetrics,
  runtimeAttributes,
  runtimeMetrics,
} from '../../../otel/names/names.ts'

/** The names that github.com/prometheus/otlptranslator 1.0.0 returns with Prometheus' default options. */
const translations: readonly (readonly [NamedMetric['kind'], string, unit: string, prometheus: string])[] = [
  // the name of a counter ends with _total, once, after its unit
  ['counter', 'requests', '', 'requests_total'],
  ['counter', 'requests.total', '', 'requests_total'],
  ['counter', 'total.requests', '', 'requests_total'],
  ['counter', 'process.cpu.time', 's', 'process_cpu_time_seconds_total'],
  ['counter', 'smtp.proxy.io', 'By', 'smtp_proxy_io_bytes_total'],
  // the unit 1 adds only a suffix to gauges: _ratio
  ['gauge', 'nodejs.eventloop.utilization', '1', 'nodejs_eventloop_utilization_ratio'],
  ['gauge', 'hit.ratio', '1', 'hit_ratio'],
  ['gauge', 'ratio.of.hits', '1', 'of_hits_ratio'],
  ['counter', 'some.events', '1', 'some_events_total'],
  ['updowncounter', 'some.things', '1', 'some_things'],
  ['histogram', 'some.sizes', '1', 'some_sizes'],
  // text in braces is not a unit
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
  // unknown units are kept
  ['gauge', 'some.thing', 'furlong', 'some_thing_furlong'],
  ['gauge', 'some.thing', 'a b', 'some_thing_a_b'],
  ['gauge', 'some.thing', ' s ', 'some_thing_seconds'],
  // a unit that is part of the name is not repeated
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
  // letters, digits, colons and single underscores stay
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

for (const { name, kind, unit, prometheus } of [
  ...Object.values(metrics),
  ...Object.values(runtimeMetrics),
  ...Object.values(probeMetrics),
]) {
  test(`${name} has the same name in Prometheus' OTLP receiver, ${prometheus}`, () => {
    assert.equal(metricName({ name, kind, unit }), prometheus)
  })
}

test("attributes have the same labels in Prometheus' OTLP receiver", () => {
  for (const key of [...objectKeys(attributes), ...objectKeys(runtimeAttributes)])
    assert.equal(labelOf(key), labelName(key))
})

function objectKeys<Key extends string>(object: Readonly<Record<Key, unknown>>): readonly Key[] {
  return Object.keys(object) as Key[]
}
