import {
  type BatchObservableCallback,
  type Counter,
  type Gauge,
  type Meter,
  type MetricOptions,
  type Observable,
  type ObservableCounter,
  type ObservableGauge,
  type ObservableUpDownCounter,
  type UpDownCounter,
  ValueType,
} from '@opentelemetry/api'
import type { InstrumentationScope } from '@opentelemetry/core'
import type { MetricData } from '@opentelemetry/sdk-metrics'
import { BucketHistogram } from './histogram.ts'

/** A meter whose histograms are `BucketHistogram`s. All other instruments are the SDK's. */
export class HistogramMeter implements Meter {
  readonly scope: InstrumentationScope
  readonly #meter: Meter
  readonly #limit: number
  /** The names of all instruments, in the order of their creation. */
  readonly #names: string[] = []
  readonly #histograms = new Map<string, BucketHistogram>()

  /** `limit`: the maximum number of series of a histogram, including its overflow series, as the SDK counts them. */
  constructor(scope: InstrumentationScope, meter: Meter, limit: number) {
    this.scope = scope
    this.#meter = meter
    this.#limit = limit
  }

  /** Adds the data of the histograms, in the order in which the instruments were created, as the SDK does. */
  withHistograms(metrics: readonly MetricData[], at: number): MetricData[] {
    const own = [...this.#histograms.values()].map((histogram) => histogram.data(at))
    const all = [...metrics, ...own.filter((data) => data !== undefined)]
    const position = ({ descriptor }: MetricData) => this.#names.indexOf(descriptor.name)
    return all.toSorted((one, other) => position(one) - position(other))
  }

  createHistogram(name: string, options: MetricOptions = {}): BucketHistogram {
    const known = this.#histograms.get(name)
    if (known) return known
    const { description = '', unit = '', valueType = ValueType.DOUBLE, advice } = options
    const bounds = advice?.explicitBucketBoundaries ?? []
    const histogram = new BucketHistogram({ name, description, unit, valueType }, bounds, this.#limit - 1)
    this.#histograms.set(this.#named(name), histogram)
    return histogram
  }

  createCounter(name: string, options?: MetricOptions): Counter {
    return this.#meter.createCounter(this.#named(name), options)
  }

  createUpDownCounter(name: string, options?: MetricOptions): UpDownCounter {
    return this.#meter.createUpDownCounter(this.#named(name), options)
  }

  createGauge(name: string, options?: MetricOptions): Gauge {
    return this.#meter.createGauge(this.#named(name), options)
  }

  createObservableCounter(name: string, options?: MetricOptions): ObservableCounter {
    return this.#meter.createObservableCounter(this.#named(name), options)
  }

  createObservableUpDownCounter(name: string, options?: MetricOptions): ObservableUpDownCounter {
    return this.#meter.createObservableUpDownCounter(this.#named(name), options)
  }

  createObservableGauge(name: string, options?: MetricOptions): ObservableGauge {
    return this.#meter.createObservableGauge(this.#named(name), options)
  }

  addBatchObservableCallback(callback: BatchObservableCallback, observables: Observable[]): void {
    this.#meter.addBatchObservableCallback(callback, observables)
  }

  removeBatchObservableCallback(callback: BatchObservableCallback, observables: Observable[]): void {
    this.#meter.removeBatchObservableCallback(callback, observables)
  }

  #named(name: string): string {
    this.#names.push(name)
    return name
  }
}
