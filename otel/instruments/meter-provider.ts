import type { Meter, MeterProvider } from '@opentelemetry/api'
import type { Resource } from '@opentelemetry/resources'
import {
  AggregationTemporality,
  type IMetricReader,
  InstrumentType,
  type MetricProducer,
  type ScopeMetrics,
  MeterProvider as SdkMeterProvider,
} from '@opentelemetry/sdk-metrics'
import { HistogramMeter } from './histogram-meter.ts'

/** Creates meters. Shutting it down reads all metrics once more. */
export interface Meters extends MeterProvider {
  shutdown(): Promise<void>
}

/** What the meters describe, and who reads them. */
export interface MetersOptions {
  readonly resource?: Resource
  readonly readers: readonly IMetricReader[]
}

/**
 * Creates the SDK's meters, but with histograms that do not hash the attributes of each value. These are cumulative. If a
 * reader wants differences (`OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`), all histograms are the SDK's.
 */
export function createMeterProvider({ resource, readers }: MetersOptions): Meters {
  const described = resource && { resource }
  if (readers.length === 0 || readers.some(wantsDifferences)) {
    return new SdkMeterProvider({ ...described, readers: [...readers] })
  }
  const meters = new HistogramMeters(Math.min(...readers.map(limitOf)))
  const provider = new SdkMeterProvider({ ...described, readers: readers.map((reader) => completed(reader, meters)) })
  return {
    getMeter: (name, version) => meters.of(provider, name, version),
    shutdown: () => provider.shutdown(),
  }
}

function wantsDifferences(reader: IMetricReader): boolean {
  return reader.selectAggregationTemporality(InstrumentType.HISTOGRAM) === AggregationTemporality.DELTA
}

function limitOf(reader: IMetricReader): number {
  return reader.selectCardinalityLimit(InstrumentType.HISTOGRAM)
}

/** The meters by their scope. */
class HistogramMeters {
  readonly #limit: number
  readonly #meters = new Map<string, HistogramMeter>()

  constructor(limit: number) {
    this.#limit = limit
  }

  /** A meter of `provider`. Returns the same object each time, like the SDK. */
  of(provider: MeterProvider, name: string, version = ''): Meter {
    const key = `${name}\n${version}`
    const known = this.#meters.get(key)
    if (known) return known
    const meter = new HistogramMeter({ name, version }, provider.getMeter(name, version), this.#limit)
    this.#meters.set(key, meter)
    return meter
  }

  /** Adds the histograms to what the SDK collected. */
  complete(collected: readonly ScopeMetrics[]): ScopeMetrics[] {
    const at = Date.now()
    const meters = [...this.#meters.values()]
    const own = meters.map((meter) => {
      const { scope = meter.scope, metrics = [] } = collected.find((one) => isOf(meter, one)) ?? {}
      return { scope, metrics: meter.withHistograms(metrics, at) }
    })
    const others = collected.filter((one) => !meters.some((meter) => isOf(meter, one)))
    return [...own.filter(({ metrics }) => metrics.length > 0), ...others]
  }
}

function isOf({ scope: { name, version } }: HistogramMeter, { scope }: ScopeMetrics): boolean {
  return scope.name === name && scope.version === version
}

/** The reader, which receives the histograms in addition to what the SDK collects. */
function completed(reader: IMetricReader, meters: HistogramMeters): IMetricReader {
  const complete = (sdk: MetricProducer): MetricProducer => ({
    async collect(options) {
      const { resourceMetrics, errors } = await sdk.collect(options)
      const scopeMetrics = meters.complete(resourceMetrics.scopeMetrics)
      return { resourceMetrics: { ...resourceMetrics, scopeMetrics }, errors }
    },
  })
  return {
    setMetricProducer: (sdk) => reader.setMetricProducer(complete(sdk)),
    selectAggregation: (type) => reader.selectAggregation(type),
    selectAggregationTemporality: (type) => reader.selectAggregationTemporality(type),
    selectCardinalityLimit: (type) => reader.selectCardinalityLimit(type),
    collect: (options) => reader.collect(options),
    shutdown: (options) => reader.shutdown(options),
    forceFlush: (options) => reader.forceFlush(options),
  }
}
