/** Prints exported spans as trees. */
import type { Plain, Span } from '../otlp/otlp-json.ts'

/** Attributes that are not printed: they are the same in a whole trace. */
const LEFT_OUT =
  /^(smtp\.session\.id|smtp\.listener|smtp\.client\.name|server\.|network\.|tls\.(cipher|resumed)|smtp\.reply\.origin)/

/**
 * A heading per trace and one line per span. Children are indented below their parent, in order of start time:
 *
 *     trace 4bf92f3577b34da6a3ce929d0e0e4736
 *        0.0 ms    34.2 ms  smtp.transaction SERVER ERROR error.type=553 ... -> smtp.session in trace 00f067aa...
 *        0.4 ms     1.1 ms    MAIL CLIENT smtp.reply.code=250 ...
 *
 * The first time is the start relative to the start of the trace, the second is the duration.
 */
export function printTree(spans: readonly Span[]): string {
  const traces = Map.groupBy(spans.toSorted(byStart), ({ traceId }) => traceId)
  return [...traces].map(([traceId, own]) => `trace ${traceId}\n${linesOf(own, spans).join('\n')}\n`).join('\n')
}

function linesOf(trace: readonly Span[], all: readonly Span[]): string[] {
  const ids = new Set(trace.map(({ spanId }) => spanId))
  const beginMs = trace[0]?.startMs ?? 0
  const below = (parents: readonly Span[], depth: number): string[] =>
    parents.flatMap((span) => {
      const children = trace.filter(({ parentSpanId }) => parentSpanId === span.spanId)
      return [lineOf(span, { depth, beginMs, ids, all }), ...below(children, depth + 1)]
    })
  return below(
    trace.filter(({ parentSpanId }) => !ids.has(parentSpanId)),
    0,
  )
}

interface Place {
  readonly depth: number
  readonly beginMs: number
  /** The spans of the same trace. */
  readonly ids: ReadonlySet<string>
  readonly all: readonly Span[]
}

function lineOf(span: Span, { depth, beginMs, ids, all }: Place): string {
  const times = `${column(span.startMs - beginMs)} ${column(span.endMs - span.startMs)}`
  const remote = span.parentSpanId !== '' && !ids.has(span.parentSpanId) ? [`below ${span.parentSpanId}`] : []
  const links = span.links.map(({ traceId, spanId }) => {
    const target = all.find((other) => other.spanId === spanId)
    return `-> ${target?.name ?? 'a span'} in trace ${traceId}`
  })
  const status =
    span.status.code === 'UNSET' ? [] : [span.status.code, span.status.message].filter((word) => word !== '')
  const words = [span.name, span.kind, ...status, ...remote, ...attributesOf(span), ...links]
  return `${times}  ${'  '.repeat(depth)}${words.join(' ')}`
}

function attributesOf({ attributes }: Span): string[] {
  const main = Object.entries(attributes).filter(([key, value]) => !LEFT_OUT.test(key) && value !== 'none')
  return main.map(([key, value]) => `${key}=${shown(value)}`)
}

function shown(value: Plain): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function column(ms: number): string {
  return `${ms.toFixed(1).padStart(9)} ms`
}

function byStart(one: Span, other: Span): number {
  return one.startMs - other.startMs
}
