/** Records spans in memory and prints them as trees. */
import { SpanKind, SpanStatusCode } from '@opentelemetry/api'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  AlwaysOnSampler,
  InMemorySpanExporter,
  type ReadableSpan,
  type Sampler,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace'
import { createLogger } from '../../../otel/export/logger.ts'
import { uncounted } from '../../../otel/export/losses.ts'
import { Log } from '../../../otel/records/log.ts'
import { createRecords, type RecordsOptions } from '../../../otel/records/recorder.ts'
import { startTraces, type TracesOptions } from '../../../otel/records/traces.ts'
import type { Telemetry } from '../../../proxy/events/observer.ts'

/** Telemetry that keeps its spans in memory, and its log lines as objects. */
export interface Traced {
  readonly telemetry: Telemetry
  /** In the order in which they were recorded. */
  spans(): readonly ReadableSpan[]
  lines(): Record<string, unknown>[]
}

export type TracedOptions = Partial<Pick<TracesOptions, 'joinTraces' | 'slowMs' | 'losses'>> & {
  readonly sampler?: Sampler
  readonly recordAddresses?: RecordsOptions['recordAddresses']
}

/** Starts telemetry that samples every trace, unless `options` has another sampler. */
export function traced(options: TracedOptions = {}): Traced {
  const exporter = new InMemorySpanExporter()
  const lines: Record<string, unknown>[] = []
  const destination = { write: (line: string) => lines.push(JSON.parse(line)) }
  const { logger } = createLogger({ level: 'info', losses: uncounted, destination })
  const traces = startTraces({
    resource: resourceFromAttributes({}),
    processors: [new SimpleSpanProcessor({ exporter })],
    sampler: options.sampler ?? new AlwaysOnSampler(),
    joinTraces: options.joinTraces ?? true,
    slowMs: options.slowMs ?? 10_000,
    losses: options.losses ?? uncounted,
  })
  const recordAddresses = options.recordAddresses ?? 'none'
  return {
    telemetry: createRecords({ log: new Log(logger, uncounted), traces, recordAddresses }),
    spans: () => exporter.getFinishedSpans(),
    lines: () => lines,
  }
}

/** Attributes that differ between runs. */
const LEFT_OUT = /^(smtp\.session\.id|server\.(address|port)|network\.peer\.address|smtp\.listener|tls\.cipher)$/

/**
 * Prints the trees without times and ids, one span per line. Children are indented below their parent, in order of
 * start time: `name KIND [ERROR(message)] [below trace id] key=value ... [-> linked span, ...]`.
 */
export function treeOf(spans: readonly ReadableSpan[]): string[] {
  const roots = spans.filter((span) => !spans.some((other) => isParent(other, span)))
  return roots.flatMap((root) => linesOf(root, spans, ''))
}

function linesOf(span: ReadableSpan, spans: readonly ReadableSpan[], indent: string): string[] {
  const children = spans.filter((child) => isParent(span, child)).sort(byBegin)
  return [`${indent}${lineOf(span, spans)}`, ...children.flatMap((child) => linesOf(child, spans, `${indent}  `))]
}

function isParent(parent: ReadableSpan, child: ReadableSpan): boolean {
  return child.parentSpanContext?.spanId === parent.spanContext().spanId
}

function byBegin(one: ReadableSpan, other: ReadableSpan): number {
  return one.startTime[0] - other.startTime[0] || one.startTime[1] - other.startTime[1]
}

function lineOf(span: ReadableSpan, spans: readonly ReadableSpan[]): string {
  const { code, message } = span.status
  const attributes = Object.entries(span.attributes).filter(([key]) => !LEFT_OUT.test(key))
  const links = span.links.map(({ context }) => spans.find((other) => other.spanContext().spanId === context.spanId))
  return [
    span.name,
    SpanKind[span.kind],
    ...(code === SpanStatusCode.ERROR ? [`ERROR${message === undefined ? '' : `(${message})`}`] : []),
    ...(span.parentSpanContext?.isRemote ? [`below ${span.parentSpanContext.traceId}`] : []),
    ...attributes.map(([key, value]) => `${key}=${value}`),
    ...(links.length > 0 ? [`-> ${links.map((link) => link?.name ?? 'unknown').join(', ')}`] : []),
  ].join(' ')
}
