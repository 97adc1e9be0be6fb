/** Parses OTLP in its JSON encoding, which the Collector's file exporter writes, into small plain objects. */

/** A value of an attribute, or a body. */
export type Plain = string | number | boolean | null | readonly Plain[] | { readonly [key: string]: Plain }

export type Attributes = Readonly<Record<string, Plain>>

export type SpanKind = 'UNSPECIFIED' | 'INTERNAL' | 'SERVER' | 'CLIENT' | 'PRODUCER' | 'CONSUMER'

export interface Span {
  readonly name: string
  readonly kind: SpanKind
  /** Hexadecimal, like all ids here. */
  readonly traceId: string
  readonly spanId: string
  /** Empty when the span has no parent. */
  readonly parentSpanId: string
  readonly traceState: string
  /** Milliseconds since 1970, to about a microsecond. */
  readonly startMs: number
  readonly endMs: number
  readonly attributes: Attributes
  readonly status: { readonly code: 'UNSET' | 'OK' | 'ERROR'; readonly message: string }
  readonly events: readonly { readonly name: string; readonly timeMs: number; readonly attributes: Attributes }[]
  readonly links: readonly { readonly traceId: string; readonly spanId: string; readonly attributes: Attributes }[]
  readonly resource: Attributes
  /** `name` or `name version` of the instrumentation scope. */
  readonly scope: string
}

export interface LogRecord {
  readonly timeMs: number
  /** The text (`INFO`) and the number (9). */
  readonly severity: string
  readonly severityNumber: number
  readonly body: Plain
  readonly attributes: Attributes
  /** Empty when the record belongs to no span. */
  readonly traceId: string
  readonly spanId: string
  readonly eventName: string
  readonly resource: Attributes
  readonly scope: string
}

/** One point of a series: a number or a histogram. */
export interface MetricPoint {
  readonly name: string
  readonly unit: string
  readonly description: string
  readonly kind: 'gauge' | 'sum' | 'histogram'
  readonly temporality: 'UNSPECIFIED' | 'DELTA' | 'CUMULATIVE'
  /** True for counters. */
  readonly monotonic: boolean
  readonly attributes: Attributes
  readonly timeMs: number
  /** The number, or the sum of a histogram. */
  readonly value: number
  /** Observations per bucket, one bucket more than there are bounds. Only for histograms. */
  readonly counts?: readonly number[]
  readonly bounds?: readonly number[]
  readonly resource: Attributes
  readonly scope: string
}

interface JsonValue {
  readonly stringValue?: string
  readonly boolValue?: boolean
  readonly intValue?: string | number
  readonly doubleValue?: number | string
  readonly bytesValue?: string
  readonly arrayValue?: { readonly values?: readonly JsonValue[] }
  readonly kvlistValue?: { readonly values?: readonly JsonPair[] }
}

interface JsonPair {
  readonly key: string
  readonly value?: JsonValue
}

/** Any JSON object. In this encoding, 64-bit numbers are strings. */
type Json = Readonly<Record<string, unknown>>

interface Context {
  readonly resource: Attributes
  readonly scope: string
}

const KINDS: readonly SpanKind[] = ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER']
const STATUS = ['UNSET', 'OK', 'ERROR'] as const
const TEMPORALITIES = ['UNSPECIFIED', 'DELTA', 'CUMULATIVE'] as const

/** The spans of one exported line. Throws when the line is not JSON. */
export function spansOf(line: string): Span[] {
  return records(line, 'resourceSpans', 'scopeSpans', 'spans', spanOf)
}

/** The log records of one exported line. Throws when the line is not JSON. */
export function logsOf(line: string): LogRecord[] {
  return records(line, 'resourceLogs', 'scopeLogs', 'logRecords', logOf)
}

/** The points of all metrics of one exported line. Throws when the line is not JSON. */
export function pointsOf(line: string): MetricPoint[] {
  return records(line, 'resourceMetrics', 'scopeMetrics', 'metrics', metricOf).flat()
}

/** Every signal has the same three levels: resource, scope, record. */
function records<T>(
  line: string,
  byResource: string,
  byScope: string,
  key: string,
  make: (record: Json, context: Context) => T,
): T[] {
  return list(JSON.parse(line) as Json, byResource).flatMap((ofResource) => {
    const resource = attributesOf(object(ofResource, 'resource'))
    return list(ofResource, byScope).flatMap((ofScope) => {
      const { name = '', version = '' } = object(ofScope, 'scope')
      const context = { resource, scope: `${name} ${version}`.trim() }
      return list(ofScope, key).map((record) => make(record, context))
    })
  })
}

function spanOf(span: Json, context: Context): Span {
  const status = object(span, 'status')
  return {
    name: text(span, 'name'),
    kind: KINDS[number(span, 'kind')] ?? 'UNSPECIFIED',
    traceId: text(span, 'traceId'),
    spanId: text(span, 'spanId'),
    parentSpanId: text(span, 'parentSpanId'),
    traceState: text(span, 'traceState'),
    startMs: milliseconds(span, 'startTimeUnixNano'),
    endMs: milliseconds(span, 'endTimeUnixNano'),
    attributes: attributesOf(span),
    status: { code: STATUS[number(status, 'code')] ?? 'UNSET', message: text(status, 'message') },
    events: list(span, 'events').map((event) => ({
      name: text(event, 'name'),
      timeMs: milliseconds(event, 'timeUnixNano'),
      attributes: attributesOf(event),
    })),
    links: list(span, 'links').map((link) => ({
      traceId: text(link, 'traceId'),
      spanId: text(link, 'spanId'),
      attributes: attributesOf(link),
    })),
    ...context,
  }
}

function logOf(record: Json, context: Context): LogRecord {
  return {
    timeMs: milliseconds(record, 'timeUnixNano'),
    severity: text(record, 'severityText'),
    severityNumber: number(record, 'severityNumber'),
    body: plain(object(record, 'body')),
    attributes: attributesOf(record),
    traceId: text(record, 'traceId'),
    spanId: text(record, 'spanId'),
    eventName: text(record, 'eventName'),
    ...context,
  }
}

function metricOf(metric: Json, context: Context): MetricPoint[] {
  const kind = (['gauge', 'sum', 'histogram'] as const).find((candidate) => candidate in metric)
  if (kind === undefined) throw new Error(`unexpected kind of metric: ${Object.keys(metric)}`)
  const data = object(metric, kind)
  return list(data, 'dataPoints').map((point) => ({
    name: text(metric, 'name'),
    unit: text(metric, 'unit'),
    description: text(metric, 'description'),
    kind,
    temporality: TEMPORALITIES[number(data, 'aggregationTemporality')] ?? 'UNSPECIFIED',
    monotonic: data.isMonotonic === true,
    attributes: attributesOf(point),
    timeMs: milliseconds(point, 'timeUnixNano'),
    value: Number(point.asInt ?? point.asDouble ?? point.sum ?? 0),
    ...(kind === 'histogram' && { counts: numbers(point, 'bucketCounts'), bounds: numbers(point, 'explicitBounds') }),
    ...context,
  }))
}

function attributesOf(holder: Json): Attributes {
  return fromPairs((holder.attributes ?? []) as readonly JsonPair[])
}

function fromPairs(pairs: readonly JsonPair[]): Readonly<Record<string, Plain>> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, plain(value ?? {})]))
}

function plain(value: JsonValue): Plain {
  if (value.intValue !== undefined) return Number(value.intValue)
  if (value.doubleValue !== undefined) return Number(value.doubleValue)
  if (value.arrayValue) return (value.arrayValue.values ?? []).map(plain)
  if (value.kvlistValue) return fromPairs(value.kvlistValue.values ?? [])
  return value.stringValue ?? value.boolValue ?? value.bytesValue ?? null
}

function list(holder: Json, key: string): readonly Json[] {
  return (holder[key] ?? []) as readonly Json[]
}

function object(holder: Json, key: string): Json {
  return (holder[key] ?? {}) as Json
}

function text(holder: Json, key: string): string {
  return (holder[key] ?? '') as string
}

function number(holder: Json, key: string): number {
  return (holder[key] ?? 0) as number
}

function numbers(holder: Json, key: string): readonly number[] {
  return ((holder[key] ?? []) as readonly unknown[]).map(Number)
}

/** Nanoseconds do not fit into a number without loss; microseconds do. */
function milliseconds(holder: Json, key: string): number {
  return Number(BigInt((holder[key] ?? 0) as string) / 1000n) / 1000
}
