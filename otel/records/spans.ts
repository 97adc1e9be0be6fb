import {
  type Context,
  type Link,
  ROOT_CONTEXT,
  type SpanContext,
  type SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import { millisToHrTime } from '@opentelemetry/core'
import type { Resource } from '@opentelemetry/resources'
import {
  AlwaysOnSampler,
  type IdGenerator,
  RandomIdGenerator,
  type SpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
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
 * Records finished spans. The caller has already decided to keep them, so the SDK keeps all of them and uses the trace id of
 * that decision.
 */
export class Spans {
  readonly #ids = new KnownIdGenerator()
  readonly #provider: TracerProvider
  readonly #tracer: Tracer

  constructor(resource: Resource, processors: readonly SpanProcessor[]) {
    this.#provider = new TracerProvider({
      resource,
      spanProcessors: [...processors],
      sampler: new AlwaysOnSampler(),
      idGenerator: this.#ids,
    })
    this.#tracer = this.#provider.getTracer(scope.name, scope.version)
  }

  /** A random trace id. */
  newTraceId(): string {
    return this.#ids.newTraceId()
  }

  /** The ids of a root span that will be recorded later. */
  newRoot(): SpanContext {
    return { traceId: this.#ids.newTraceId(), spanId: this.#ids.newSpanId(), traceFlags: TraceFlags.SAMPLED }
  }

  /** Records a child of the span in `parent`, or a root span. Returns the context that children and links need. */
  record(span: FinishedSpan, parent: Context, known?: KnownIds): SpanContext {
    const { failure, links = [] } = span
    this.#ids.known = known
    const started = this.#tracer.startSpan(
      span.name,
      {
        kind: span.kind,
        startTime: millisToHrTime(span.at),
        attributes: failure ? { ...span.attributes, 'error.type': failure.type } : span.attributes,
        links: links.map((context): Link => ({ context })),
      },
      parent,
    )
    this.#ids.known = undefined
    if (failure) started.setStatus({ code: SpanStatusCode.ERROR, ...(failure.hint && { message: failure.hint }) })
    started.end(millisToHrTime(Math.max(span.at, span.end)))
    return started.spanContext()
  }

  /** Records a child of a span that was recorded here. */
  recordChild(span: FinishedSpan, parent: SpanContext): SpanContext {
    return this.record(span, trace.setSpanContext(ROOT_CONTEXT, parent))
  }

  /** Exports what is left. Rejects if the exporter fails. */
  shutdown(): Promise<void> {
    return this.#provider.shutdown()
  }
}

/** Returns the known ids of the next span, otherwise random ones. */
class KnownIdGenerator implements IdGenerator {
  readonly #random = new RandomIdGenerator()
  known: KnownIds | undefined

  generateTraceId(): string {
    return this.known?.traceId ?? this.newTraceId()
  }

  generateSpanId(): string {
    return this.known?.spanId ?? this.newSpanId()
  }

  newTraceId(): string {
    return this.#random.generateTraceId()
  }

  newSpanId(): string {
    return this.#random.generateSpanId()
  }
}
