import type { Attributes, Histogram as OtelHistogram } from '@opentelemetry/api'
import { millisToHrTime } from '@opentelemetry/core'
import {
  AggregationTemporality,
  type DataPoint,
  DataPointType,
  type Histogram,
  type HistogramMetricData,
  type MetricDescriptor,
} from '@opentelemetry/sdk-metrics'
import { SeriesMap } from './series.ts'

type Point = DataPoint<Histogram>

/** One series of a histogram. Its values are cumulative. */
export class HistogramSeries {
  readonly #attributes: Attributes
  readonly #boundaries: readonly number[]
  readonly #counts: number[]
  #count = 0
  #sum = 0
  #min = Number.POSITIVE_INFINITY
  #max = Number.NEGATIVE_INFINITY
  #startedAt = 0

  constructor(attributes: Attributes, boundaries: readonly number[]) {
    this.#attributes = attributes
    this.#boundaries = boundaries
    this.#counts = new Array<number>(boundaries.length + 1).fill(0)
  }

  /** Adds a value. As in the SDK, negative values and NaN are ignored. */
  record(value: number): void {
    if (!(value >= 0)) return
    if (this.#count === 0) this.#startedAt = Date.now()
    this.#count += 1
    this.#sum += value
    if (value < this.#min) this.#min = value
    if (value > this.#max) this.#max = value
    this.#counts[this.#bucketOf(value)]! += 1
  }

  /** The values so far as a data point. Undefined before the first value. */
  point(at: number): Point | undefined {
    if (this.#count === 0) return undefined
    return {
      attributes: this.#attributes,
      startTime: millisToHrTime(this.#startedAt),
      endTime: millisToHrTime(at),
      value: {
        min: this.#min,
        max: this.#max,
        sum: this.#sum,
        buckets: { boundaries: [...this.#boundaries], counts: [...this.#counts] },
        count: this.#count,
      },
    }
  }

  /** A bound belongs to the bucket below it. Most values are small, so a search from below is short. */
  #bucketOf(value: number): number {
    let bucket = 0
    while (bucket < this.#boundaries.length && value > this.#boundaries[bucket]!) bucket += 1
    return bucket
  }
}

/**
 * A histogram that does not hash the attributes of each value, as the SDK does: the caller keeps the series. Its results are
 * those of the SDK's histogram with cumulative temporality.
 */
export class BucketHistogram implements OtelHistogram {
  readonly #descriptor: MetricDescriptor
  readonly #series: SeriesMap<Attributes, HistogramSeries>

  /** `limit`: the maximum number of series, without the overflow series. */
  constructor(descriptor: MetricDescriptor, boundaries: readonly number[], limit: number) {
    this.#descriptor = descriptor
    this.#series = new SeriesMap(limit, (attributes) => new HistogramSeries(attributes, boundaries))
  }

  /** The series with these attributes, as of a `SeriesMap`. */
  at(attributes: Attributes): HistogramSeries {
    return this.#series.at(attributes)
  }

  record(value: number, attributes: Attributes = {}): void {
    this.at(attributes).record(value)
  }

  /** The data points at this time, in milliseconds since the Unix epoch. Undefined if there are none. */
  data(at: number): HistogramMetricData | undefined {
    const points = [...this.#series.values()].map((series) => series.point(at))
    const dataPoints = points.filter((point) => point !== undefined)
    if (dataPoints.length === 0) return undefined
    return {
      descriptor: this.#descriptor,
      aggregationTemporality: AggregationTemporality.CUMULATIVE,
      dataPointType: DataPointType.HISTOGRAM,
      dataPoints,
    }
  }
}
