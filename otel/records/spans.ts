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

/** A span that is over. */
export interface FinishedSpan {
  readonly name: string
  readonly kind: SpanKind
  /** Milliseconds since the Unix epoch, with fractions. */
  readonly at: number
  readonly end: number
  readonly attributes: Attributes
  /** Spans of other traces that belong to it. */
  readonly links?: readonly SpanContext[]
  /** Why it failed; absent when it did not. `hint` is of a closed set: no text of a reply. */
  readonly failure?: { readonly type: string; readonly hint?: string }
}

/** Ids that a span must have, because somebody knows them already. */
export type KnownIds = Pick<SpanContext, 'traceId'> & Partial<Pick<SpanContext, 'spanId'>>

/**
 * Records spans of what is over: whether they are kept was decided before, so the SDK samples nothing, and takes the
 * ids that the decision was made for.
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

  newTraceId(): string {
    return this.#ids.newTraceId()
  }

  /** The ids of a span that will be recorded later, as a root. */
  newRoot(): SpanContext {
    return { traceId: this.#ids.newTraceId(), spanId: this.#ids.newSpanId(), traceFlags: TraceFlags.SAMPLED }
  }

  /** Records a span below the one in `parent`, or a root. Returns what children and links name. */
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

  /** The same for a span whose parent was recorded here. */
  recordChild(span: FinishedSpan, parent: SpanContext): SpanContext {
    return this.record(span, trace.setSpanContext(ROOT_CONTEXT, parent))
  }

  /** Hands over what is left. Rejects when the exporter fails. */
  shutdown(): Promise<void> {
    return this.#provider.shutdown()
  }
}

/** Random ids, but for a span whose ids are known. */
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
