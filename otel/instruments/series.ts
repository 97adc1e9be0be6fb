import type { Attributes } from '@opentelemetry/api'

const OVERFLOW = { 'otel.metric.overflow': true }

/** The series of one metric by their attributes, with a limit: above it, new series share the overflow series. */
export class SeriesMap<Labels extends Attributes, Series> {
  readonly #limit: number
  readonly #make: (attributes: Attributes) => Series
  readonly #series = new Map<string, Series>()

  /** `limit`: the maximum number of series, without the overflow series. `make` creates a series. */
  constructor(limit: number, make: (attributes: Attributes) => Series) {
    this.#limit = limit
    this.#make = make
  }

  /**
   * The series with these attributes, or the overflow series above the limit. The keys must always come in the same order.
   * Lookup is expensive: hot paths keep the returned series.
   */
  at(attributes: Labels): Series {
    const key = JSON.stringify(attributes)
    const known = this.#series.get(key)
    if (known) return known
    if (this.#series.size >= this.#limit) return this.#overflow()
    return this.#add(key, attributes)
  }

  /** All series, in the order of their creation. */
  values(): Iterable<Series> {
    return this.#series.values()
  }

  #overflow(): Series {
    return this.#series.get('overflow') ?? this.#add('overflow', OVERFLOW)
  }

  #add(key: string, attributes: Attributes): Series {
    const series = this.#make(attributes)
    this.#series.set(key, series)
    return series
  }
}
