/** The names of the probe's metrics: other people's dashboards and alerts depend on them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  attributes,
  type MetricDefinition,
  metrics,
  type ProbeMetricKey,
  probeMetrics,
  runtimeMetrics,
} from '../../../otel/names/names.ts'

/** The contract, repeated on purpose. */
const contract: Readonly<Record<ProbeMetricKey, string>> = {
  probeRuns: 'counter {run} smtp.probe.step error.type -> smtp_proxy_probe_runs_total',
  probeSuccess: 'gauge {success} -> smtp_proxy_probe_success',
  probeFailures: 'gauge {run} smtp.probe.step error.type -> smtp_proxy_probe_consecutive_failures',
  probeStepDuration: 'histogram s smtp.probe.step -> smtp_proxy_probe_step_duration_seconds',
}

for (const [key, metric] of Object.entries(probeMetrics) as [ProbeMetricKey, MetricDefinition][]) {
  test(`${metric.name} is as in the contract`, () => {
    const described = [metric.kind, metric.unit, ...metric.attributes, '->', metric.prometheus].join(' ')
    assert.equal(described, contract[key])
    assert.match(metric.name, /^smtp\.proxy\.probe(\.[a-z][a-z_]*)+$/)
  })
}

test('the steps are in the contract', () => {
  assert.deepEqual(attributes['smtp.probe.step'].values, [
    'connect',
    'tls',
    'greeting',
    'ehlo',
    'starttls',
    'auth',
    'mail',
    'rcpt',
    'rset',
    'quit',
  ])
})

test('no metric of the probe has the name of another metric', () => {
  const names = [metrics, runtimeMetrics, probeMetrics].flatMap((table) => Object.values(table).map(({ name }) => name))
  assert.equal(new Set<string>(names).size, names.length)
})
