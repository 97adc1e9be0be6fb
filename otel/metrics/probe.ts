/** The metrics of the probe, and its scrape page. */
import { resourceFromAttributes } from '@opentelemetry/resources'
import { MeterProvider } from '@opentelemetry/sdk-metrics'
import { type Cell, Cells, createHistogram, createObservable } from '../instruments/instruments.ts'
import { type ProbeAttributesOf, type ProbeError, type ProbeStep, probeMetrics, scope } from '../names/names.ts'
import { labelledCode } from './peer-counts.ts'
import { createPrometheus } from './prometheus.ts'

/** How a run of the probe ended. */
export interface ProbeResult {
  /** The steps that succeeded, in order. A step may occur twice. */
  readonly succeeded: readonly { readonly step: ProbeStep; readonly ms: number }[]
  /** Absent if every step succeeded. `error`: the code of the reply that refused the step, or why there was none. */
  readonly failure?: { readonly step: ProbeStep; readonly error: number | ProbeError }
}

/** Counts runs. */
export interface ProbeMetrics {
  record(result: ProbeResult): void
  /** The number of runs that failed since the last success. */
  readonly consecutiveFailures: number
  /** The scrape page in Prometheus' text format. */
  page(): Promise<string>
}

/** `attributes`: those of the resource. */
export function createProbeMetrics(attributes: Readonly<Record<string, string>>): ProbeMetrics {
  const { reader, page } = createPrometheus()
  const meter = new MeterProvider({ resource: resourceFromAttributes(attributes), readers: [reader] }).getMeter(
    scope.name,
    scope.version,
  )
  const runs = new Cells<ProbeAttributesOf<'probeRuns'>>()
  const failures = new Cells<ProbeAttributesOf<'probeFailures'>>()
  const durations = createHistogram(meter, probeMetrics.probeStepDuration)
  let success: boolean | undefined
  let consecutive = 0
  let current: Cell | undefined
  createObservable(meter, probeMetrics.probeRuns).addCallback((result) => runs.observe(result))
  createObservable(meter, probeMetrics.probeFailures).addCallback((result) => failures.observe(result))
  createObservable(meter, probeMetrics.probeSuccess).addCallback((result) => {
    if (success !== undefined) result.observe(Number(success))
  })
  runs.at(LAST_STEP)
  return {
    get consecutiveFailures() {
      return consecutive
    },
    page,
    record({ succeeded, failure }) {
      for (const { step, ms } of succeeded) durations.at({ 'smtp.probe.step': step }).record(Math.max(0, ms) / 1000)
      success = failure === undefined
      consecutive = success ? 0 : consecutive + 1
      const labels = failure && { 'smtp.probe.step': failure.step, 'error.type': labelledError(failure.error) }
      runs.at(labels ?? LAST_STEP).value += 1
      if (current) current.value = 0
      current = labels && failures.at(labels)
      if (current) current.value = consecutive
    },
  }
}

const LAST_STEP: ProbeAttributesOf<'probeRuns'> = { 'smtp.probe.step': 'quit' }

/** A server may send any three digits: an invalid code becomes 0, to limit the labels. */
function labelledError(error: number | ProbeError): string {
  return typeof error === 'number' ? `${labelledCode(error)}` : error
}
