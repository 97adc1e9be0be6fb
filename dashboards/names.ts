/**
 * The telemetry table as PromQL sees it. Queries of dashboards and of rules are put together from here, so that a metric,
 * a label or a value which does not exist does not compile.
 */
import {
  type AttributeKey,
  type AttributesOf,
  labelOf,
  type MetricKey,
  metrics,
  type RuntimeAttributeKey,
  type RuntimeMetricKey,
  type runtimeAttributes,
  runtimeMetrics,
} from '../otel/names/names.ts'

/** A metric of the proxy or of its process, by its key in the table. */
export type AnyMetricKey = MetricKey | RuntimeMetricKey

/** The histograms among them. */
export type HistogramKey = {
  [Key in AnyMetricKey]: (typeof all)[Key]['kind'] extends 'histogram' ? Key : never
}[AnyMetricKey]

/** What a label may be compared with. `matches` is a regular expression, or a variable of a dashboard. */
export type Match<Value> =
  | Value
  | { readonly not: Value }
  | { readonly oneOf: readonly Value[] }
  | { readonly noneOf: readonly Value[] }
  | { readonly matches: string }
  | { readonly matchesNot: string }

type RuntimeValue<Key extends RuntimeAttributeKey> = (typeof runtimeAttributes)[Key] extends {
  readonly values: readonly (infer Value)[]
}
  ? Value
  : string

type RuntimeAttributesOf<Key extends RuntimeMetricKey> = {
  readonly [Attribute in (typeof runtimeMetrics)[Key]['attributes'][number]]: RuntimeValue<Attribute>
}

type ValuesOf<Key extends AnyMetricKey> = Key extends MetricKey
  ? Required<AttributesOf<Key>>
  : Key extends RuntimeMetricKey
    ? RuntimeAttributesOf<Key>
    : never

/** Conditions on the attributes of a metric. A label that is absent equals `''`. */
export type Matchers<Key extends AnyMetricKey> = keyof ValuesOf<Key> extends never
  ? Readonly<Record<string, never>>
  : { readonly [Attribute in keyof ValuesOf<Key>]?: Match<ValuesOf<Key>[Attribute]> }

/** What a result may be grouped by: attributes, and what Prometheus adds. */
export type GroupKey = AttributeKey | RuntimeAttributeKey | 'job' | 'instance' | 'le'

const all = { ...metrics, ...runtimeMetrics } as const

/** Whether the two tables share no key; one would hide the other. */
export const distinct: Extract<MetricKey, RuntimeMetricKey> extends never ? true : false = true

/** The name under which a metric is scraped; a histogram's series add `_bucket`, `_count` or `_sum`. */
export function metric(key: AnyMetricKey): string {
  return all[key].prometheus
}

/** The labels of a metric, without those that Prometheus adds. */
export function labelsOf(key: AnyMetricKey): readonly string[] {
  return all[key].attributes.map((attribute) => labelOf(attribute))
}

/** `a, b` for use in `by (...)`, `without (...)` and `on (...)`. */
export function labels(...keys: readonly GroupKey[]): string {
  return keys.map(label).join(', ')
}

/** The label of an attribute. */
export function label(key: GroupKey): string {
  return key === 'job' || key === 'instance' || key === 'le' ? key : labelOf(key)
}

/** Selectors of series within a scope. */
export interface Selectors {
  /** `name{...}` of a counter or gauge. */
  series<Key extends AnyMetricKey>(key: Key, matchers?: Matchers<Key>): string
  /** `name_bucket{...}` of a histogram. */
  bucket<Key extends HistogramKey>(key: Key, matchers?: Matchers<Key>): string
  /** `name_count{...}` of a histogram. */
  count<Key extends HistogramKey>(key: Key, matchers?: Matchers<Key>): string
  /** `name_sum{...}` of a histogram. */
  sum<Key extends HistogramKey>(key: Key, matchers?: Matchers<Key>): string
}

/**
 * Selectors that all begin with the conditions of `scope`, such as `job="ahasend-smtp-proxy"`; they may depend on the
 * metric.
 */
export function within(scope: string | ((key: AnyMetricKey) => string)): Selectors {
  const select = (key: AnyMetricKey, suffix: string, matchers: object = {}) => {
    const wanted: readonly [string, Match<LabelValue>][] = Object.entries(matchers)
    const conditions = wanted.map(([attribute, match]) => condition(labelOf(attribute as AttributeKey), match))
    const own = typeof scope === 'string' ? scope : scope(key)
    return `${metric(key)}${suffix}{${[own, ...conditions].filter(Boolean).join(', ')}}`
  }
  return {
    series: (key, matchers) => select(key, '', matchers),
    bucket: (key, matchers) => select(key, '_bucket', matchers),
    count: (key, matchers) => select(key, '_count', matchers),
    sum: (key, matchers) => select(key, '_sum', matchers),
  }
}

type LabelValue = string | number | boolean

function condition(name: string, wanted: Match<LabelValue>): string {
  if (typeof wanted !== 'object') return `${name}=${quoted(wanted)}`
  if ('not' in wanted) return `${name}!=${quoted(wanted.not)}`
  if ('oneOf' in wanted) return `${name}=~${quoted(wanted.oneOf.map(literally).join('|'))}`
  if ('noneOf' in wanted) return `${name}!~${quoted(wanted.noneOf.map(literally).join('|'))}`
  if ('matchesNot' in wanted) return `${name}!~${quoted(wanted.matchesNot)}`
  return `${name}=~${quoted(wanted.matches)}`
}

/** PromQL's double-quoted strings escape as JSON's do. */
function quoted(value: LabelValue): string {
  return JSON.stringify(String(value))
}

function literally(value: LabelValue): string {
  return String(value).replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}
