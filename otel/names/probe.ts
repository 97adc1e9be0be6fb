/**
 * Part of the table in names.ts: the metrics of the probe. It is a process of its own, with its own page, so the proxy does
 * not export them.
 */
import { durations, type MetricDefinition } from './definition.ts'

/** The metrics of the probe. */
export const probeMetrics = {
  probeRuns: {
    name: 'smtp.proxy.probe.runs',
    kind: 'counter',
    unit: '{run}',
    help: 'Runs of the probe, by their last step. Without error_type: successful ones.',
    attributes: ['smtp.probe.step', 'error.type'],
    prometheus: 'smtp_proxy_probe_runs_total',
  },
  probeSuccess: {
    name: 'smtp.proxy.probe.success',
    kind: 'gauge',
    unit: '{success}',
    help: '1 if every step of the last run succeeded, otherwise 0. Absent before the end of the first run.',
    attributes: [],
    prometheus: 'smtp_proxy_probe_success',
  },
  probeFailures: {
    name: 'smtp.proxy.probe.consecutive_failures',
    kind: 'gauge',
    unit: '{run}',
    help: 'Runs that failed since the last success, at the step and with the error of the last run. All other series are 0.',
    attributes: ['smtp.probe.step', 'error.type'],
    prometheus: 'smtp_proxy_probe_consecutive_failures',
  },
  probeStepDuration: {
    name: 'smtp.proxy.probe.step.duration',
    kind: 'histogram',
    unit: 's',
    help: 'Duration of the steps that succeeded. A step that failed or did not run is not in it.',
    attributes: ['smtp.probe.step'],
    buckets: durations,
    prometheus: 'smtp_proxy_probe_step_duration_seconds',
  },
} as const satisfies Record<string, MetricDefinition>

/** The key of a metric in `probeMetrics`. */
export type ProbeMetricKey = keyof typeof probeMetrics
