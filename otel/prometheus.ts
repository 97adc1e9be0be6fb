import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus'
import { DataPointType, type MetricData, MetricReader, type ResourceMetrics } from '@opentelemetry/sdk-metrics'

/** What Prometheus calls the units in which we and Node's own metrics measure. A unit in braces is no unit. */
const UNIT_NAMES: ReadonlyMap<string, string> = new Map([
  ['s', 'seconds'],
  ['ms', 'milliseconds'],
  ['By', 'bytes'],
])

/** Metrics as Prometheus reads them. */
export interface Prometheus {
  /** To be given to a MeterProvider. */
  readonly reader: MetricReader
  /** The scrape page: text format 0.0.4. Rejects when the reader was shut down or belongs to no provider. */
  page(): Promise<string>
}

export function createPrometheus(): Prometheus {
  const reader = new PageReader()
  const serializer = new PrometheusSerializer(undefined, false, undefined, false, true)
  const write = async () => {
    const { resourceMetrics, errors } = await reader.collect()
    const failures = errors.length > 0 ? `# ${errors.length} metrics could not be read\n` : ''
    return `${serializer.serialize(complete(resourceMetrics)).trimEnd()}\n${failures}`
  }
  return { reader, page: sharing(write) }
}

/** Reads when it is asked, cumulatively. PrometheusExporter would do, but for the HTTP server that it brings along. */
class PageReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}

  protected override async onShutdown(): Promise<void> {}
}

/** Callers that come while an answer is made get that answer: a flood of scrapes costs as much as one. */
function sharing(make: () => Promise<string>): () => Promise<string> {
  let running: Promise<string> | undefined
  return () => {
    running ??= make().finally(() => {
      running = undefined
    })
    return running
  }
}

/**
 * Gives metrics the unit suffixes that Prometheus' own OTLP receiver gives them and the serializer does not, so that a
 * metric has one name, however it travels. (`_total` is the serializer's.) The unit itself is no part of text format
 * 0.0.4.
 */
function complete(resourceMetrics: ResourceMetrics): ResourceMetrics {
  const scopeMetrics = resourceMetrics.scopeMetrics.map(({ scope, metrics }) => ({
    scope,
    metrics: metrics.map((metric) => completeName(metric)),
  }))
  return { resource: resourceMetrics.resource, scopeMetrics }
}

function completeName<Metric extends MetricData>(metric: Metric): Metric {
  const { name, unit } = metric.descriptor
  const isRatio = unit === '1' && metric.dataPointType === DataPointType.GAUGE
  const suffix = isRatio ? 'ratio' : UNIT_NAMES.get(unit)
  const complete = suffix === undefined || name.endsWith(suffix) ? name : `${name}_${suffix}`
  return { ...metric, descriptor: { ...metric.descriptor, name: complete, unit: '' } }
}
