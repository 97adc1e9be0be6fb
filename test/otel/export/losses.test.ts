import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MeterProvider } from '@opentelemetry/sdk-metrics'
import { createLosses } from '../../../otel/export/losses.ts'
import { createPrometheus } from '../../../otel/metrics/prometheus.ts'
import { telemetryLosses, telemetrySignals } from '../../../otel/names/names.ts'
import { seriesOf } from '../../support/telemetry/scrape.ts'

const LOST = 'smtp_proxy_telemetry_lost_total'
const EXPORTED = 'smtp_proxy_telemetry_exported_total'

/** Counts, and the page on which they are exposed. */
function exposed() {
  const { reader, page } = createPrometheus()
  const losses = createLosses()
  losses.expose(new MeterProvider({ readers: [reader] }))
  const series = async (name: string) =>
    Object.fromEntries(
      seriesOf(await page(), name).map(([labels, value]) => [
        [...labels.matchAll(/"([^"]+)"/g)].map(([, label]) => label).join(' '),
        value,
      ]),
    )
  return { losses, series }
}

test('the possible losses of each signal, and what is delivered, start at 0', async () => {
  const { series } = exposed()
  assert.deepEqual(await series(LOST), {
    'traces queue_full': 0,
    'traces export_failed': 0,
    'traces rate_limited': 0,
    'metrics export_failed': 0,
    'logs queue_full': 0,
    'logs export_failed': 0,
    'logs rate_limited': 0,
    'logs stdout_full': 0,
  })
  assert.deepEqual(await series(EXPORTED), { traces: 0, metrics: 0, logs: 0 })
})

test('items are added up for each signal and each loss, and a count without items is one', async () => {
  const { losses, series } = exposed()
  for (const signal of telemetrySignals) {
    for (const loss of telemetryLosses) {
      losses.count(signal, loss)
      losses.count(signal, loss, 4)
    }
    losses.exported(signal, 7)
    losses.exported(signal, 0)
  }
  const lost = await series(LOST)
  assert.equal(Object.keys(lost).length, telemetrySignals.length * telemetryLosses.length)
  assert.ok(Object.values(lost).every((value) => value === 5))
  assert.deepEqual(await series(EXPORTED), { traces: 7, metrics: 7, logs: 7 })
})
