/**
 * The telemetry table in PromQL. Queries of dashboards and rules are built from this module, so that a metric, a label or a
 * value that does not exist does not compile.
 */
import {
  type AttributeKey,
  type AttributesOf,
  labelOf,
  type MetricKey,
  metrics,
  PROBE_CLIENT,
  type ProbeAttributesOf,
  type ProbeMetricKey,
  probeMetrics,
  type RuntimeAttributeKey,
  type RuntimeMetricKey,
  type runtimeAttributes,
  runtimeMetrics,
} from '../otel/names/names.ts'

/** A metric of the proxy, of its process or of the probe, by its key in the table. */
export type AnyMetricKey = MetricKey | RuntimeMetricKey | ProbeMetricKey

/** The keys of histograms. */
export type HistogramKey = {
  [Key in AnyMetricKey]: (typeof all)[Key]['kind'] extends 'histogram' ? Key : never
}[AnyMetricKey]

/** The condition on a label. `matches` is a regular expression, or a variable of a dashboard. */
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
    : Key extends ProbeMetricKey
      ? Required<ProbeAttributesOf<Key>>
      : never

/** Conditions on the attributes of a metric. A label that is absent equals `''`. */
export type Matchers<Key extends AnyMetricKey> = keyof ValuesOf<Key> extends never
  ? Readonly<Record<string, never>>
  : { readonly [Attribute in keyof ValuesOf<Key>]?: Match<ValuesOf<Key>[Attribute]> }

/** The labels that a result may be grouped by: attributes, and the labels that Prometheus adds. */
export type GroupKey = AttributeKey | RuntimeAttributeKey | 'job' | 'instance' | 'le'

const all = { ...metrics, ...runtimeMetrics, ...probeMetrics } as const

/** Does not compile if two tables share a key: one metric would hide the other. */
export const distinct:
  | Extract<MetricKey | ProbeMetricKey, RuntimeMetricKey>
  | Extract<MetricKey, ProbeMetricKey> extends never
  ? true
  : false = true

/** The Prometheus name of a metric; a histogram's series add `_bucket`, `_count` or `_sum`. */
export function metric(key: AnyMetricKey): string {
  return all[key].prometheus
}

/** The labels of a metric, without those that Prometheus adds. */
export function labelsOf(key: AnyMetricKey): readonly string[] {
  return all[key].attributes.map((attribute) => labelOf(attribute))
}

/** The condition on a metric that excludes the probe, or an empty text if the metric has no label for the app. */
export function withoutProbe(key: AnyMetricKey): string {
  const name = labelOf('smtp.client.name')
  return labelsOf(key).includes(name) ? condition(name, { not: PROBE_CLIENT }) : ''
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
 * Selectors that all begin with the conditions of `scope`, such as `job="ahasend-smtp-proxy"`. The scope may depend on
 * the metric.
 */
export function within(scope: string | ((key: AnyMetricKey) => string)): Selectors {
  const select = (key: AnyMetricKey, suffix: string, matchers: object = {}) => {
    const entries: readonly [string, Match<LabelValue>][] = Object.entries(matchers)
    const conditions = entries.map(([attribute, match]) => condition(labelOf(attribute as AttributeKey), match))
    const scoped = typeof scope === 'string' ? scope : scope(key)
    return `${metric(key)}${suffix}{${[scoped, ...conditions].filter(Boolean).join(', ')}}`
  }
  return {
    series: (key, matchers) => select(key, '', matchers),
    bucket: (key, matchers) => select(key, '_bucket', matchers),
    count: (key, matchers) => select(key, '_count', matchers),
    sum: (key, matchers) => select(key, '_sum', matchers),
  }
}

type LabelValue = string | number | boolean

function condition(name: string, match: Match<LabelValue>): string {
  if (typeof match !== 'object') return `${name}=${quoted(match)}`
  if ('not' in match) return `${name}!=${quoted(match.not)}`
  if ('oneOf' in match) return `${name}=~${quoted(match.oneOf.map(escaped).join('|'))}`
  if ('noneOf' in match) return `${name}!~${quoted(match.noneOf.map(escaped).join('|'))}`
  if ('matchesNot' in match) return `${name}!~${quoted(match.matchesNot)}`
  return `${name}=~${quoted(match.matches)}`
}

/** PromQL's double-quoted strings use the same escapes as JSON. */
function quoted(value: LabelValue): string {
  return JSON.stringify(String(value))
}

function escaped(value: LabelValue): string {
  return String(value).replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}
