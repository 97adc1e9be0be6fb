import type { Attributes } from '@opentelemetry/api'
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { DataPointType, type MetricData, MetricReader, type ResourceMetrics } from '@opentelemetry/sdk-metrics'
import { SERIES_LIMIT } from './instruments.ts'
import { labelName, metricName, type NamedMetric } from './prometheus-names.ts'
import { resting } from './resting.ts'

/** Metrics as Prometheus reads them. */
export interface Prometheus {
  /** To be given to a MeterProvider. */
  readonly reader: MetricReader
  /**
   * The scrape page: text format 0.0.4. Making it takes a fiftieth of the time at most: a flood of calls waits and shares.
   * Rejects when the reader was shut down or belongs to no provider.
   */
  page(): Promise<string>
}

/** `limit`: series of one metric, beyond which the SDK counts without labels. */
export function createPrometheus(limit = SERIES_LIMIT): Prometheus {
  const reader = new PageReader({ cardinalitySelector: () => limit })
  const serializer = new PrometheusSerializer(undefined, false, undefined, false, true)
  const write = async () => {
    const { resourceMetrics, errors } = await reader.collect()
    const failures = errors.length > 0 ? `# ${errors.length} metrics could not be read\n` : ''
    return `${serializer.serialize(complete(resourceMetrics)).trimEnd()}\n${failures}`
  }
  return { reader, page: resting(write) }
}

/** Reads when it is asked, cumulatively. PrometheusExporter would do, but for the HTTP server that it brings along. */
class PageReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}

  protected override async onShutdown(): Promise<void> {}
}

/**
 * Gives metrics the names that Prometheus' own OTLP receiver gives them and the serializer does not, so that a metric
 * has one name, however it travels. The unit itself is no part of text format 0.0.4. The keys of the resource come from
 * OTEL_RESOURCE_ATTRIBUTES: one that is no lawful label, or two that become the same label, would spoil the whole page.
 */
function complete({ resource, scopeMetrics }: ResourceMetrics): ResourceMetrics {
  return {
    resource: resourceFromAttributes(labelled(resource.attributes)),
    scopeMetrics: scopeMetrics.map(({ scope, metrics }) => ({ scope, metrics: metrics.map((one) => renamed(one)) })),
  }
}

function renamed<Metric extends MetricData>(metric: Metric): Metric {
  const { name, unit } = metric.descriptor
  const descriptor = { ...metric.descriptor, name: metricName({ name, unit, kind: kindOf(metric) }), unit: '' }
  return { ...metric, descriptor }
}

function kindOf(metric: MetricData): NamedMetric['kind'] {
  if (metric.dataPointType === DataPointType.GAUGE) return 'gauge'
  if (metric.dataPointType !== DataPointType.SUM) return 'histogram'
  return metric.isMonotonic ? 'counter' : 'updowncounter'
}

/** Of keys that become the same label, the values are joined, in the order of the keys, as Prometheus joins them. */
function labelled(attributes: Attributes): Attributes {
  const labels = new Map<string, string>()
  for (const [key, value] of Object.entries(attributes).toSorted(([one], [other]) => (one < other ? -1 : 1))) {
    const label = labelName(key)
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    const before = labels.get(label)
    labels.set(label, before === undefined ? text : `${before};${text}`)
  }
  return Object.fromEntries(labels)
}
