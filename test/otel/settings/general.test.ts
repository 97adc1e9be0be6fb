/** The variables of OpenTelemetry that exist once: what their defaults stand for. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SETTINGS } from '../../../otel/settings/general.ts'

describe('The default of a variable stands for', () => {
  const DEFAULTS: Readonly<Record<keyof typeof SETTINGS, unknown>> = {
    disabled: false,
    serviceName: undefined,
    resourceAttributes: {},
    tracesExporter: undefined,
    metricsExporter: ['prometheus'],
    logsExporter: [],
    sampler: 'parentbased_traceidratio',
    samplerRatio: 0.1,
    propagators: ['tracecontext', 'baggage'],
    metricIntervalMs: 60_000,
    metricTimeoutMs: 30_000,
    temporality: 'cumulative',
    spanDelayMs: 5000,
    spanTimeoutMs: 30_000,
    spanQueue: 2048,
    spanBatch: 512,
    logDelayMs: 1000,
    logTimeoutMs: 30_000,
    logQueue: 2048,
    logBatch: 512,
  }
  for (const [key, value] of Object.entries(DEFAULTS)) {
    const row = SETTINGS[key as keyof typeof SETTINGS]
    test(`${row.variable}: ${JSON.stringify(value)}`, () => assert.deepEqual(row.read(row.default), { value }))
  }
})
