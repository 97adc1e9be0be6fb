/** Part of the table in names.ts: what defines a metric. */
import type { AttributeKey } from './attributes.ts'

/** A metric of the proxy. */
export interface MetricDefinition {
  readonly name: `smtp.proxy.${string}`
  readonly kind: 'counter' | 'updowncounter' | 'gauge' | 'histogram'
  /** UCUM, as OpenTelemetry requires. */
  readonly unit: string
  readonly help: string
  readonly attributes: readonly AttributeKey[]
  /** Upper bounds in the metric's unit. Only histograms have them. */
  readonly buckets?: readonly number[]
  /** The name on the scrape page. */
  readonly prometheus: `smtp_proxy_${string}`
}

/** Bounds of durations, in seconds. */
export const durations = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const
