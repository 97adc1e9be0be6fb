/**
 * Spans of messages and sessions. They are built when a message or session ends: only then are the outcome and the parent
 * trace known. So failures are always kept, and a message that is not kept costs no span.
 */
import { type Context, ROOT_CONTEXT, SamplingDecision, type SpanContext, SpanKind, trace } from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import type { Resource } from '@opentelemetry/resources'
import type { Sampler, SpanProcessor } from '@opentelemetry/sdk-trace'
import type { DialPhase } from '../../proxy/events/closed-sets.ts'
import type { Dial } from '../../proxy/events/dial.ts'
import type { MessageHeaders } from '../../proxy/events/transaction.ts'
import type { Losses } from '../export/losses.ts'
import { createRateLimit, type RateLimit } from '../export/rate-limit.ts'
import { dialPhases, spans } from '../names/names.ts'
import { dialAttributes, exchangeAttributes, messageAttributes, sessionAttributes } from './attributes.ts'
import { dialFailure, exchangeFailure, messageFailure, sessionFailure } from './failure.ts'
import type { Exchange, MessageRecord, SessionFacts, SessionRecord } from './records.ts'
import { Spans } from './spans.ts'

/** The maximum number of links from a session to its messages. The SDK keeps no more. */
const MAX_LINKS = 128

/** What `startTraces` needs. */
export interface TracesOptions {
  readonly resource: Resource
  readonly processors: readonly SpanProcessor[]
  /** Decides about everything that did not fail and was not slow. */
  readonly sampler: Sampler
  /** Whether a `traceparent` header in a message makes its span a child in that trace. */
  readonly joinTraces: boolean
  /** Messages and greetings that take longer, in milliseconds, are always kept. */
  readonly slowMs: number
  /** Counts spans of failures that exceed the rate limit. */
  readonly losses: Losses
}

/** The spans of one session. */
export interface SessionTrace {
  /** Records a finished message. Returns its span, or, if none was kept, the trace that its header names, if any. */
  message(record: MessageRecord): SpanContext | undefined
  /** Records the finished session. Returns its span, if it was kept. */
  close(record: SessionRecord): SpanContext | undefined
}

/** Starts tracing. `processors` export the spans. */
export function startTraces(options: TracesOptions): Traces {
  return new Traces(options)
}

/** Decides which spans are kept and which parent they have. */
export class Traces {
  readonly #options: TracesOptions
  readonly spans: Spans
  readonly #propagator = new W3CTraceContextPropagator()
  readonly #limit: RateLimit

  constructor(options: TracesOptions) {
    this.#options = options
    this.spans = new Spans(options.resource, options.processors)
    this.#limit = createRateLimit((_, suppressed) => options.losses.count('traces', 'rate_limited', suppressed))
  }

  /** Starts the spans of a session. */
  open(session: SessionFacts): SessionTrace {
    return new SessionSpans(session, this)
  }

  /** Records a preconnect, which no session waits for, as a trace of its own. */
  dial(dial: Dial): void {
    const traceId = this.spans.newTraceId()
    const failure = dialFailure(dial)
    const kept = failure ? this.mayKeep(`dial ${failure.type}`) : this.samples(spans.dial, ROOT_CONTEXT, traceId)
    if (kept) this.recordDial(dial)
  }

  /** Whether a message or a greeting that took `ms` is slow. */
  isSlow(ms: number): boolean {
    return ms > this.#options.slowMs
  }

  /** Limits failures without a message, which may be thousands, to a few spans per second and reason. Counts the rest. */
  mayKeep(reason: string): boolean {
    return this.#limit.allows(reason)
  }

  /** The decision of the configured sampler. */
  samples(name: string, parent: Context, traceId: string): boolean {
    const { decision } = this.#options.sampler.shouldSample(parent, traceId, name, SpanKind.SERVER, {}, [])
    return decision === SamplingDecision.RECORD_AND_SAMPLED
  }

  /** The parent context that the message's header names, or the root context. */
  contextOf(headers: MessageHeaders | undefined): Context {
    if (!this.#options.joinTraces || headers?.traceparent === undefined) return ROOT_CONTEXT
    return this.#propagator.extract(ROOT_CONTEXT, headers, {
      get: (carrier: MessageHeaders, key) => carrier[key as 'traceparent' | 'tracestate'],
      keys: () => ['traceparent', 'tracestate'],
    })
  }

  /** Records a dial and its phases. */
  recordDial(dial: Dial, parent?: SpanContext): void {
    const failure = dialFailure(dial)
    const { at, end } = dial
    const attributes = dialAttributes(dial)
    const span = { name: spans.dial, kind: SpanKind.CLIENT, at, end, attributes, ...(failure && { failure }) }
    const context = this.spans.record(span, parent)
    for (const phase of phasesOf(dial)) this.spans.record({ ...phase, kind: SpanKind.INTERNAL }, context)
  }

  /** Exports what is left. Rejects if the exporter fails. */
  shutdown(): Promise<void> {
    this.#limit.flush()
    return this.spans.shutdown()
  }
}

/** The spans of one session. */
class SessionSpans implements SessionTrace {
  readonly #traces: Traces
  readonly #session: SessionFacts
  /** The ids of the session's span, which is recorded long after the messages that link to it. */
  #context: SpanContext | undefined
  #messages = 0
  readonly #kept: SpanContext[] = []

  constructor(session: SessionFacts, traces: Traces) {
    this.#session = session
    this.#traces = traces
  }

  message(record: MessageRecord): SpanContext | undefined {
    this.#messages += 1
    const parent = this.#traces.contextOf(record.end.headers)
    const joined = trace.getSpanContext(parent)
    const traceId = joined?.traceId ?? this.#traces.spans.newTraceId()
    if (this.#keeps(record, parent, traceId)) return this.#recordMessage(record, joined, traceId)
    return joined && { ...joined, traceFlags: 0 }
  }

  close(record: SessionRecord): SpanContext | undefined {
    if (!this.#keepsSession(record)) return undefined
    const failure = sessionFailure(record)
    const context = this.#traces.spans.record(
      {
        name: spans.session,
        kind: SpanKind.SERVER,
        at: this.#session.open.at,
        end: record.close.at,
        attributes: { ...sessionAttributes(record), ...omitted(record.omitted) },
        links: this.#kept,
        ...(failure && { failure }),
      },
      undefined,
      this.#ownContext,
    )
    this.#recordChildren(record, context)
    return context
  }

  get #ownContext(): SpanContext {
    this.#context ??= this.#traces.spans.newRoot()
    return this.#context
  }

  #keeps(record: MessageRecord, parent: Context, traceId: string): boolean {
    if (messageFailure(record) || this.#traces.isSlow(record.end.at - record.at)) return true
    return this.#traces.samples(spans.transaction, parent, traceId)
  }

  /** A session is kept if any of its messages is, so that their links work. */
  #keepsSession(record: SessionRecord): boolean {
    if (this.#kept.length > 0) return true
    const failure = sessionFailure(record)
    if (failure || this.#session.opaque) return this.#traces.mayKeep(`session ${failure?.type ?? 'opaque'}`)
    if (this.#isSlowToGreet(record)) return true
    return this.#messages === 0 && this.#traces.samples(spans.session, ROOT_CONTEXT, this.#ownContext.traceId)
  }

  #isSlowToGreet({ exchanges }: SessionRecord): boolean {
    const [first] = exchanges
    return first?.command === 'CONNECT' && this.#traces.isSlow(first.end - first.at)
  }

  #recordMessage(record: MessageRecord, parent: SpanContext | undefined, traceId: string): SpanContext {
    const failure = messageFailure(record)
    const tags = record.end.headers?.tags
    const context = this.#traces.spans.record(
      {
        name: spans.transaction,
        kind: SpanKind.SERVER,
        at: record.at,
        end: record.end.at,
        attributes: {
          ...messageAttributes(record),
          ...(tags && { 'ahasend.tags': [...tags] }),
          ...omitted(record.omitted),
        },
        links: [this.#ownContext],
        ...(failure && { failure }),
      },
      parent,
      { traceId },
    )
    for (const exchange of record.exchanges) this.#recordExchange(exchange, context)
    if (this.#kept.length < MAX_LINKS) this.#kept.push(context)
    return context
  }

  #recordChildren({ exchanges }: SessionRecord, context: SpanContext): void {
    for (const dial of this.#session.dials) this.#traces.recordDial(dial, context)
    for (const exchange of exchanges) this.#recordExchange(exchange, context)
  }

  #recordExchange(exchange: Exchange, parent: SpanContext): void {
    const { command, at, end } = exchange
    const failure = exchangeFailure(exchange)
    const attributes = exchangeAttributes(exchange)
    const span = { name: command, kind: SpanKind.CLIENT, at, end, attributes, ...(failure && { failure }) }
    this.#traces.spans.record(span, parent)
  }
}

function omitted(count: number): { 'smtp.exchanges.omitted'?: number } {
  return count > 0 ? { 'smtp.exchanges.omitted': count } : {}
}

/** The phases of a dial, one after the other. */
function phasesOf(dial: Dial) {
  let at = dial.at
  return dialPhases
    .filter((phase): phase is Exclude<DialPhase, 'total'> => phase !== 'total' && dial.phases[phase] !== undefined)
    .map((phase) => {
      const start = at
      at += Math.max(0, dial.phases[phase] ?? 0)
      return { name: phase, at: start, end: at, attributes: { 'smtp.dial.phase': phase } }
    })
}
