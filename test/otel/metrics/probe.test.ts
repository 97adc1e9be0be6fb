/** The metrics of the probe, from the results of its runs. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createProbeMetrics, type ProbeMetrics } from '../../../otel/metrics/probe.ts'

const ATTRIBUTES = { 'service.name': 'ahasend-smtp-proxy-probe' }

async function seriesOf(metrics: ProbeMetrics, name: string): Promise<Readonly<Record<string, number>>> {
  const page = await metrics.page()
  const lines = page.matchAll(new RegExp(`^smtp_proxy_probe_${name}(?:\\{(.*)\\})? (\\S+)$`, 'gm'))
  return Object.fromEntries(
    [...lines].map(([, labels = '', value]) => [labels.replaceAll('smtp_probe_', ''), Number(value)]),
  )
}

test('before the first run, there is neither a success nor a failure', async () => {
  const metrics = createProbeMetrics(ATTRIBUTES)
  assert.deepEqual(await seriesOf(metrics, 'success'), {})
  assert.deepEqual(await seriesOf(metrics, 'consecutive_failures'), {})
  assert.deepEqual(await seriesOf(metrics, 'runs_total'), { 'step="quit"': 0 })
})

test('only the steps that succeeded have a duration, in seconds', async () => {
  const metrics = createProbeMetrics(ATTRIBUTES)
  metrics.record({
    succeeded: [
      { step: 'connect', ms: 20 },
      { step: 'ehlo', ms: 1 },
      { step: 'ehlo', ms: 3 },
    ],
    failure: { step: 'auth', error: 535 },
  })
  assert.deepEqual(await seriesOf(metrics, 'step_duration_seconds_sum'), {
    'step="connect"': 0.02,
    'step="ehlo"': 0.004,
  })
  assert.deepEqual(await seriesOf(metrics, 'step_duration_seconds_count'), { 'step="connect"': 1, 'step="ehlo"': 2 })
  assert.deepEqual(await seriesOf(metrics, 'success'), { '': 0 })
})

test('failures count in a row, at the step of the last one; a success sets all to 0', async () => {
  const metrics = createProbeMetrics(ATTRIBUTES)
  const [auth, greeting] = ['step="auth",error_type="535"', 'step="greeting",error_type="timeout"']
  metrics.record({ succeeded: [], failure: { step: 'auth', error: 535 } })
  metrics.record({ succeeded: [], failure: { step: 'auth', error: 535 } })
  assert.deepEqual(await seriesOf(metrics, 'consecutive_failures'), { [auth]: 2 })
  metrics.record({ succeeded: [], failure: { step: 'greeting', error: 'timeout' } })
  assert.deepEqual(await seriesOf(metrics, 'consecutive_failures'), { [auth]: 0, [greeting]: 3 })
  assert.equal(metrics.consecutiveFailures, 3)
  metrics.record({ succeeded: [] })
  assert.deepEqual(await seriesOf(metrics, 'consecutive_failures'), { [auth]: 0, [greeting]: 0 })
  assert.deepEqual(await seriesOf(metrics, 'success'), { '': 1 })
  assert.deepEqual(await seriesOf(metrics, 'runs_total'), { 'step="quit"': 1, [auth]: 2, [greeting]: 1 })
})

test('a code that is none is 0, and the number of series is limited', async () => {
  const metrics = createProbeMetrics(ATTRIBUTES)
  for (const error of [0, 1000, Number.NaN]) metrics.record({ succeeded: [], failure: { step: 'ehlo', error } })
  assert.deepEqual(await seriesOf(metrics, 'consecutive_failures'), { 'step="ehlo",error_type="0"': 3 })
  const steps = ['greeting', 'ehlo', 'auth', 'mail', 'rcpt', 'rset', 'quit'] as const
  for (const step of steps)
    for (let error = 200; error < 600; error += 1) metrics.record({ succeeded: [], failure: { step, error } })
  assert.ok(Object.keys(await seriesOf(metrics, 'runs_total')).length < 2000)
  assert.deepEqual(Object.values(await seriesOf(metrics, 'consecutive_failures')).filter(Boolean), [3 + 7 * 400])
})
