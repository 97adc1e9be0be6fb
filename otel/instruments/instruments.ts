import {
  type Attributes,
  type Meter,
  type MetricOptions,
  type Observable,
  type ObservableResult,
  ValueType,
} from '@opentelemetry/api'
import { type AttributesOf, appTlsErrors, type MetricDefinition, type MetricKey, metrics } from '../names/names.ts'
import { BucketHistogram } from './histogram.ts'
import { SeriesMap } from './series.ts'

/** The maximum number of series of one instrument, including its overflow series, as the SDK counts them. */
export const SERIES_LIMIT = 2000

/**
 * The maximum number of series for one pair of an upstream and a client name. About twenty series of replies exist from the
 * start. A pair that receives every reply that AhaSend and the proxy are known to send has about fifty.
 */
const SERIES_OF_A_PAIR = 60

/** The maximum number for one pair of a listener and a client name: successes, and each TLS error. */
const TLS_SERIES_OF_A_PAIR = appTlsErrors.length + 1

/** The overflow series, and the two series that `belowSdk` keeps free. */
const RESERVED_SERIES = 3

/** A limit of series per instrument that the configured upstreams, listeners and client names never reach. */
export function seriesLimit({ servers, clients, listeners }: Configured): number {
  const names = clients.length + 1
  const ofListeners = listeners.length * names * TLS_SERIES_OF_A_PAIR + RESERVED_SERIES
  return Math.max(SERIES_LIMIT, servers.length * names * SERIES_OF_A_PAIR, ofListeners)
}

/** The label values that the configuration defines. */
export interface Configured {
  /** The hosts of the configured upstreams. */
  readonly servers: readonly string[]
  /** The URLs of the listeners. */
  readonly listeners: readonly string[]
  /** The configured names of client networks, without `other`. */
  readonly clients: readonly string[]
}

/**
 * The limit of `Cells` that goes with the SDK's `limit`: one less than what the SDK allows besides its overflow series, so
 * that `Cells` overflows first. The SDK forgets how much each series beyond its limit has grown; `Cells` keeps their sum
 * correct.
 */
function belowSdk(limit: number): number {
  return limit - 2
}

/** The default limit of `Cells`, without the overflow series. */
export const MAX_SERIES = belowSdk(SERIES_LIMIT)

/** The value of one series. Counting is one addition. */
export interface Cell {
  value: number
  readonly attributes: Attributes
}

/**
 * The series of a counter as plain numbers, which the SDK reads at each scrape. The SDK would hash the attributes of every
 * measurement, which costs more than all other work for a reply. Here it hashes them once per series and scrape.
 */
export class Cells<Labels extends Attributes> {
  readonly #cells: SeriesMap<Labels, Cell>

  /** `limit`: the maximum number of series, without the overflow series. */
  constructor(limit = MAX_SERIES) {
    this.#cells = new SeriesMap(limit, (attributes) => ({ value: 0, attributes }))
  }

  /** The series with these attributes, as of a `SeriesMap`. A new series starts at 0. */
  at(attributes: Labels): Cell {
    return this.#cells.at(attributes)
  }

  /** Reports the value of each series to a reader. */
  observe(result: Pick<ObservableResult, 'observe'>): void {
    for (const cell of this.#cells.values()) result.observe(cell.value, cell.attributes)
  }
}

/** One series of a histogram. Values are in its unit. */
export interface Recorder {
  record(value: number): void
}

/** A histogram with these labels. */
export interface LabelledHistogram<Labels extends Attributes> {
  /** The series with these attributes. Lookup is expensive: hot paths keep the returned series. */
  at(attributes: Labels): Recorder
}

/** A histogram of the table. */
export type Histogram<Key extends MetricKey> = LabelledHistogram<AttributesOf<Key>>

/**
 * Creates a counter or an up-down counter of the table that is read from cells. `limit`: the SDK's limit of series for
 * this metric.
 */
export function cellsOf<Key extends MetricKey>(meter: Meter, key: Key, limit = SERIES_LIMIT): Cells<AttributesOf<Key>> {
  const cells = new Cells<AttributesOf<Key>>(belowSdk(limit))
  observable(meter, key).addCallback((result) => cells.observe(result))
  return cells
}

/** Creates a metric of the table that callbacks observe at each scrape. */
export function observable(meter: Meter, key: MetricKey): Observable {
  return createObservable(meter, metrics[key])
}

/** Creates a histogram of the table. */
export function histogramOf<Key extends MetricKey>(meter: Meter, key: Key): Histogram<Key> {
  return createHistogram(meter, metrics[key])
}

/** What both tables of metrics define about an instrument. */
type Definition = Pick<MetricDefinition, 'kind' | 'unit' | 'help' | 'buckets'> & { readonly name: string }

/** Units whose values have fractions: seconds and ratios. */
const FRACTIONAL: ReadonlySet<string> = new Set(['s', '1'])

/** Creates a counter, an up-down counter or a gauge that callbacks observe at each scrape. */
export function createObservable(meter: Meter, definition: Definition): Observable {
  const { name, kind } = definition
  if (kind === 'counter') return meter.createObservableCounter(name, optionsOf(definition))
  if (kind === 'updowncounter') return meter.createObservableUpDownCounter(name, optionsOf(definition))
  return meter.createObservableGauge(name, optionsOf(definition))
}

/** Creates a histogram with the buckets of its definition. */
export function createHistogram(meter: Meter, definition: Definition): LabelledHistogram<Attributes> {
  const explicitBucketBoundaries = [...(definition.buckets ?? [])]
  const options = { ...optionsOf(definition), advice: { explicitBucketBoundaries } }
  const histogram = meter.createHistogram(definition.name, options)
  if (histogram instanceof BucketHistogram) return histogram
  return { at: (attributes) => ({ record: (value) => histogram.record(value, attributes) }) }
}

function optionsOf({ help, unit }: Definition): MetricOptions {
  return { description: help, unit, valueType: FRACTIONAL.has(unit) ? ValueType.DOUBLE : ValueType.INT }
}
