import type { Attributes } from '@opentelemetry/api'
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { DataPointType, type MetricData, MetricReader, type ResourceMetrics } from '@opentelemetry/sdk-metrics'
import { SERIES_LIMIT } from '../instruments/instruments.ts'
import { labelName, metricName, type NamedMetric } from './prometheus-names.ts'
import { throttle } from './throttle.ts'

/** The scrape page. */
export interface Prometheus {
  /** Pass it to a MeterProvider. */
  readonly reader: MetricReader
  /**
   * The page in Prometheus' text format 0.0.4. It takes at most 1/50 of the time: when calls are too frequent, they wait and
   * share a page. Rejects if the reader is shut down or belongs to no provider.
   */
  page(): Promise<string>
}

/** `limit`: the maximum number of series per metric. Above it, the SDK counts without labels. */
export function createPrometheus(limit = SERIES_LIMIT): Prometheus {
  const reader = new PageReader({ cardinalitySelector: () => limit })
  const serializer = new PrometheusSerializer(undefined, false, undefined, false, true)
  const write = async () => {
    const { resourceMetrics, errors } = await reader.collect()
    const failures = errors.length > 0 ? `# ${errors.length} metrics could not be read\n` : ''
    return `${serializer.serialize(translated(resourceMetrics)).trimEnd()}\n${failures}`
  }
  return { reader, page: throttle(write) }
}

/** Collects on demand, with cumulative values. PrometheusExporter does the same, but brings its own HTTP server. */
class PageReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}

  protected override async onShutdown(): Promise<void> {}
}

/**
 * Renames metrics as Prometheus' OTLP receiver does, so that a metric has the same name whether it is scraped or pushed.
 * The serializer does not add the suffixes. Units are not part of text format 0.0.4. The keys of the resource come from
 * OTEL_RESOURCE_ATTRIBUTES: an invalid label, or two keys with the same label, would make the whole page invalid.
 */
function translated({ resource, scopeMetrics }: ResourceMetrics): ResourceMetrics {
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

/** Converts keys to labels. As in Prometheus, keys with the same label have their values joined in the order of the keys. */
function labelled(attributes: Attributes): Attributes {
  const labels = new Map<string, string>()
  for (const [key, value] of Object.entries(attributes).toSorted(([one], [other]) => (one < other ? -1 : 1))) {
    const label = labelName(key)
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    const earlier = labels.get(label)
    labels.set(label, earlier === undefined ? text : `${earlier};${text}`)
  }
  return Object.fromEntries(labels)
}
