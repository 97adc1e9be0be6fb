import {
  type HrTime,
  type Link,
  type SpanContext,
  type SpanKind,
  type SpanStatus,
  SpanStatusCode,
  TraceFlags,
} from '@opentelemetry/api'
import { hrTimeDuration, type InstrumentationScope, millisToHrTime } from '@opentelemetry/core'
import type { Resource } from '@opentelemetry/resources'
import { RandomIdGenerator, type ReadableSpan, type SpanProcessor } from '@opentelemetry/sdk-trace'
import { scope } from '../names/names.ts'
import type { Attributes } from './attributes.ts'
import type { Failure } from './failure.ts'

/** A finished span. */
export interface FinishedSpan {
  readonly name: string
  readonly kind: SpanKind
  /** Milliseconds since the Unix epoch, with fractions. */
  readonly at: number
  readonly end: number
  readonly attributes: Attributes
  /** Related spans in other traces. */
  readonly links?: readonly SpanContext[]
  /** Why it failed. Absent on success. */
  readonly failure?: Failure
}

/** Ids that a span must have, because other spans already refer to them. */
export type KnownIds = Pick<SpanContext, 'traceId'> & Partial<Pick<SpanContext, 'spanId'>>

/**
 * Records finished spans. The caller has already decided to keep them. The SDK's tracer would copy the attributes of each span
 * twice, and ask a sampler again.
 */
export class Spans {
  readonly #ids = new RandomIdGenerator()
  readonly #processors: readonly SpanProcessor[]
  readonly #origin: Origin

  constructor(resource: Resource, processors: readonly SpanProcessor[]) {
    this.#processors = processors
    this.#origin = { resource, instrumentationScope: { name: scope.name, version: scope.version } }
  }

  /** A random trace id. */
  newTraceId(): string {
    return this.#ids.generateTraceId()
  }

  /** The ids of a root span that will be recorded later. */
  newRoot(): SpanContext {
    return { traceId: this.newTraceId(), spanId: this.#ids.generateSpanId(), traceFlags: TraceFlags.SAMPLED }
  }

  /** Records a child of `parent`, or a root span. Returns the context that children and links need. */
  record(span: FinishedSpan, parent?: SpanContext, known?: KnownIds): SpanContext {
    const context: SpanContext = {
      traceId: parent?.traceId ?? known?.traceId ?? this.newTraceId(),
      spanId: known?.spanId ?? this.#ids.generateSpanId(),
      traceFlags: TraceFlags.SAMPLED,
      ...(parent?.traceState && { traceState: parent.traceState }),
    }
    const recorded = new RecordedSpan(span, context, parent, this.#origin)
    for (const processor of this.#processors) processor.onEnd(recorded)
    return context
  }

  /** Exports what is left. Rejects if the exporter fails. */
  async shutdown(): Promise<void> {
    await Promise.all(this.#processors.map((processor) => processor.shutdown()))
  }
}

/** What all spans have in common. Exporters group spans by the identity of these objects. */
interface Origin {
  readonly resource: Resource
  readonly instrumentationScope: InstrumentationScope
}

const SUCCEEDED: SpanStatus = { code: SpanStatusCode.UNSET }

/** A span as exporters read it. It is small, because it waits for an export: the rest is made when it is read. */
class RecordedSpan implements ReadableSpan {
  readonly name: string
  readonly kind: SpanKind
  readonly attributes: Attributes
  readonly links: Link[]
  readonly status: SpanStatus
  readonly parentSpanContext?: SpanContext
  readonly #context: SpanContext
  readonly #origin: Origin
  readonly #at: number
  readonly #end: number

  constructor(span: FinishedSpan, context: SpanContext, parent: SpanContext | undefined, origin: Origin) {
    const { failure } = span
    this.name = span.name
    this.kind = span.kind
    this.attributes = failure ? { ...span.attributes, 'error.type': failure.type } : span.attributes
    this.links = (span.links ?? []).map((linked) => ({ context: linked }))
    this.status = failure ? statusOf(failure) : SUCCEEDED
    if (parent) this.parentSpanContext = parent
    this.#context = context
    this.#origin = origin
    this.#at = span.at
    this.#end = Math.max(span.at, span.end)
  }

  spanContext(): SpanContext {
    return this.#context
  }

  get startTime(): HrTime {
    return millisToHrTime(this.#at)
  }

  get endTime(): HrTime {
    return millisToHrTime(this.#end)
  }

  get duration(): HrTime {
    return hrTimeDuration(this.startTime, this.endTime)
  }

  get resource(): Resource {
    return this.#origin.resource
  }

  get instrumentationScope(): InstrumentationScope {
    return this.#origin.instrumentationScope
  }

  get events(): ReadableSpan['events'] {
    return []
  }

  get ended(): boolean {
    return true
  }

  get droppedAttributesCount(): number {
    return 0
  }

  get droppedEventsCount(): number {
    return 0
  }

  get droppedLinksCount(): number {
    return 0
  }
}

function statusOf({ hint }: Failure): SpanStatus {
  return { code: SpanStatusCode.ERROR, ...(hint && { message: hint }) }
}
