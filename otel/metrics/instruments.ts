import {
  type Attributes,
  type Meter,
  type Observable,
  type ObservableResult,
  type Histogram as OtelHistogram,
  ValueType,
} from '@opentelemetry/api'
import { type AttributesOf, appTlsErrors, type MetricDefinition, type MetricKey, metrics } from '../names/names.ts'

/** Series of one instrument, its overflow series among them, as the SDK counts them; more where much is configured. */
export const SERIES_LIMIT = 2000

/**
 * What one pair of an upstream and a client name may have. Some twenty series of replies are there from the start, and a
 * pair to which everything happens that AhaSend and the proxy do has some fifty.
 */
const SERIES_OF_A_PAIR = 60

/** What one pair of a listener and a client name may have: a success, and each way in which TLS fails. */
const TLS_SERIES_OF_A_PAIR = appTlsErrors.length + 1

/** The overflow series, and those that `belowSdk` keeps free. */
const BESIDES = 3

/** A limit of series for each instrument that the configured upstreams, listeners and client names never reach. */
export function seriesLimit({ servers, clients, listeners }: Configured): number {
  const names = clients.length + 1
  const ofListeners = listeners.length * names * TLS_SERIES_OF_A_PAIR + BESIDES
  return Math.max(SERIES_LIMIT, servers.length * names * SERIES_OF_A_PAIR, ofListeners)
}

/** What the labels may be, from the configuration. */
export interface Configured {
  /** The hosts of the configured upstreams. */
  readonly servers: readonly string[]
  /** The URLs of the listeners. */
  readonly listeners: readonly string[]
  /** The configured names of client networks; `other` goes without saying. */
  readonly clients: readonly string[]
}

/**
 * Series of one counter. One less than the SDK's cap less its overflow series, so that this cap is reached first: the
 * SDK's forgets which of the series beyond it had grown by how much, this one keeps their sum right.
 */
function belowSdk(limit: number): number {
  return limit - 2
}

export const MAX_SERIES = belowSdk(SERIES_LIMIT)

const OVERFLOW = { 'otel.metric.overflow': true }

/** One series: counting is an addition. */
export interface Cell {
  value: number
  readonly attributes: Attributes
}

/**
 * The series of a counter as plain numbers, which the SDK reads when somebody asks. The SDK hashes the attributes of
 * each measurement, which costs more than all else that is done for a reply; here that is done once a series a scrape.
 */
export class Cells<Labels extends Attributes> {
  readonly #cells = new Map<string, Cell>()
  readonly #limit: number

  /** `limit`: how many series there may be, beside the one that takes what is beyond. */
  constructor(limit = MAX_SERIES) {
    this.#limit = limit
  }

  /**
   * The series of `attributes`, whose keys must always come in the same order; it begins at 0. Above the limit, the
   * series `otel.metric.overflow`. Finding it is the dear part: whoever counts often keeps what it returns.
   */
  at(attributes: Labels): Cell {
    const key = JSON.stringify(attributes)
    const known = this.#cells.get(key)
    if (known) return known
    if (this.#cells.size >= this.#limit) return this.#overflow()
    return this.#add(key, attributes)
  }

  /** Tells the value of each series to a reader. */
  observe(result: Pick<ObservableResult, 'observe'>): void {
    for (const cell of this.#cells.values()) result.observe(cell.value, cell.attributes)
  }

  #overflow(): Cell {
    return this.#cells.get('overflow') ?? this.#add('overflow', OVERFLOW)
  }

  #add(key: string, attributes: Attributes): Cell {
    const cell: Cell = { value: 0, attributes }
    this.#cells.set(key, cell)
    return cell
  }
}

/** A histogram of the table. Values are in its unit. */
export interface Histogram<Key extends MetricKey> {
  record(value: number, attributes: AttributesOf<Key>): void
}

/**
 * A metric of the table as the counter or up-down counter that it is, read from cells. `limit`: how many series the SDK
 * takes of it.
 */
export function cellsOf<Key extends MetricKey>(meter: Meter, key: Key, limit = SERIES_LIMIT): Cells<AttributesOf<Key>> {
  const cells = new Cells<AttributesOf<Key>>(belowSdk(limit))
  observable(meter, key).addCallback((result) => cells.observe(result))
  return cells
}

/** A metric of the table whose values are asked for at each scrape. */
export function observable(meter: Meter, key: MetricKey): Observable {
  const definition: MetricDefinition = metrics[key]
  const valueType = definition.unit === 's' ? ValueType.DOUBLE : ValueType.INT
  const options = { description: definition.help, unit: definition.unit, valueType }
  if (definition.kind === 'counter') return meter.createObservableCounter(definition.name, options)
  if (definition.kind === 'updowncounter') return meter.createObservableUpDownCounter(definition.name, options)
  return meter.createObservableGauge(definition.name, options)
}

/** A metric of the table as the histogram that it is. */
export function histogramOf<Key extends MetricKey>(meter: Meter, key: Key): Histogram<Key> {
  const { name, help, unit, buckets }: MetricDefinition = metrics[key]
  const histogram: OtelHistogram = meter.createHistogram(name, {
    description: help,
    unit,
    valueType: unit === 's' ? ValueType.DOUBLE : ValueType.INT,
    advice: { explicitBucketBoundaries: [...(buckets ?? [])] },
  })
  return histogram
}
