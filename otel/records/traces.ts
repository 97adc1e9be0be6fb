/**
 * Spans of mails and sessions, built when they are over: by then it is known whose trace a mail belongs to and how it
 * ended, so that failures are always kept, and a mail that is not kept costs no span.
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
import { dialAttributes, exchangeAttributes, mailAttributes, sessionAttributes } from './attributes.ts'
import { dialFailure, exchangeFailure, mailFailure, sessionFailure } from './failure.ts'
import type { Exchange, MailRecord, SessionFacts, SessionRecord } from './records.ts'
import { Spans } from './spans.ts'

/** Links of a session to its mails: as many as the SDK keeps. */
const MAX_LINKS = 128

export interface TracesOptions {
  readonly resource: Resource
  readonly processors: readonly SpanProcessor[]
  /** Decides on what did not fail and was not slow. */
  readonly sampler: Sampler
  /** Whether a `traceparent` in a mail's header makes its span a child of that trace. */
  readonly joinTraces: boolean
  /** Mails and greetings that took longer are always kept. */
  readonly slowMs: number
  /** Counts spans of failures that came too fast. */
  readonly losses: Losses
}

/** The spans of one session. */
export interface SessionTrace {
  /** A mail is over. Returns its span; where none was kept, the trace that its header named, if any. */
  mail(record: MailRecord): SpanContext | undefined
  /** The session is over. Returns its span, if one was kept. */
  close(record: SessionRecord): SpanContext | undefined
}

/** Begins to make spans. Nothing is exported but by `processors`. */
export function startTraces(options: TracesOptions): Traces {
  return new Traces(options)
}

/** Decides what is kept, and how a span lies below another. */
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

  /** The traces of a session that begins. */
  open(session: SessionFacts): SessionTrace {
    return new OneSession(session, this)
  }

  /** An attempt to reach an upstream that no session waited for: a trace of its own. */
  dial(dial: Dial): void {
    const traceId = this.spans.newTraceId()
    const failure = dialFailure(dial)
    const kept = failure ? this.mayKeep(`dial ${failure.type}`) : this.samples(spans.dial, ROOT_CONTEXT, traceId)
    if (kept) this.recordDial(dial, ROOT_CONTEXT)
  }

  isSlow(ms: number): boolean {
    return ms > this.#options.slowMs
  }

  /** Failures that come by the thousand and belong to no mail are kept a few times a second, and counted. */
  mayKeep(reason: string): boolean {
    return this.#limit.allows(reason)
  }

  /** What the configured sampler says of a span. */
  samples(name: string, parent: Context, traceId: string): boolean {
    const { decision } = this.#options.sampler.shouldSample(parent, traceId, name, SpanKind.SERVER, {}, [])
    return decision === SamplingDecision.RECORD_AND_SAMPLED
  }

  /** The context that a mail's header names, or none. */
  contextOf(headers: MessageHeaders | undefined): Context {
    if (!this.#options.joinTraces || headers?.traceparent === undefined) return ROOT_CONTEXT
    return this.#propagator.extract(ROOT_CONTEXT, headers, {
      get: (carrier: MessageHeaders, key) => carrier[key as 'traceparent' | 'tracestate'],
      keys: () => ['traceparent', 'tracestate'],
    })
  }

  recordDial(dial: Dial, parent: Context): void {
    const failure = dialFailure(dial)
    const { at, end } = dial
    const attributes = dialAttributes(dial)
    const span = { name: spans.dial, kind: SpanKind.CLIENT, at, end, attributes, ...(failure && { failure }) }
    const context = this.spans.record(span, parent)
    for (const phase of phasesOf(dial)) this.spans.recordChild({ ...phase, kind: SpanKind.INTERNAL }, context)
  }

  /** Hands over what is left. Rejects when the exporter fails. */
  shutdown(): Promise<void> {
    this.#limit.flush()
    return this.spans.shutdown()
  }
}

class OneSession implements SessionTrace {
  readonly #traces: Traces
  readonly #session: SessionFacts
  /** Of the session's span, which ends long after the mails that name it. */
  #context: SpanContext | undefined
  #mails = 0
  readonly #kept: SpanContext[] = []

  constructor(session: SessionFacts, traces: Traces) {
    this.#session = session
    this.#traces = traces
  }

  mail(record: MailRecord): SpanContext | undefined {
    this.#mails += 1
    const parent = this.#traces.contextOf(record.end.headers)
    const joined = trace.getSpanContext(parent)
    const traceId = joined?.traceId ?? this.#traces.spans.newTraceId()
    if (this.#keeps(record, parent, traceId)) return this.#recordMail(record, parent, traceId)
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
      ROOT_CONTEXT,
      this.#ownContext,
    )
    this.#recordInside(record, context)
    return context
  }

  get #ownContext(): SpanContext {
    this.#context ??= this.#traces.spans.newRoot()
    return this.#context
  }

  #keeps(record: MailRecord, parent: Context, traceId: string): boolean {
    if (mailFailure(record) || this.#traces.isSlow(record.end.at - record.at)) return true
    return this.#traces.samples(spans.transaction, parent, traceId)
  }

  /** A session is kept with any of its mails, so that their links lead somewhere. */
  #keepsSession(record: SessionRecord): boolean {
    if (this.#kept.length > 0) return true
    const failure = sessionFailure(record)
    if (failure || this.#session.opaque) return this.#traces.mayKeep(`session ${failure?.type ?? 'opaque'}`)
    if (this.#isSlowToGreet(record)) return true
    return this.#mails === 0 && this.#traces.samples(spans.session, ROOT_CONTEXT, this.#ownContext.traceId)
  }

  #isSlowToGreet({ exchanges }: SessionRecord): boolean {
    const [first] = exchanges
    return first?.command === 'CONNECT' && this.#traces.isSlow(first.end - first.at)
  }

  #recordMail(record: MailRecord, parent: Context, traceId: string): SpanContext {
    const failure = mailFailure(record)
    const tags = record.end.headers?.tags
    const context = this.#traces.spans.record(
      {
        name: spans.transaction,
        kind: SpanKind.SERVER,
        at: record.at,
        end: record.end.at,
        attributes: {
          ...mailAttributes(record),
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

  #recordInside({ exchanges }: SessionRecord, context: SpanContext): void {
    const parent = trace.setSpanContext(ROOT_CONTEXT, context)
    for (const dial of this.#session.dials) this.#traces.recordDial(dial, parent)
    for (const exchange of exchanges) this.#recordExchange(exchange, context)
  }

  #recordExchange(exchange: Exchange, parent: SpanContext): void {
    const { command, at, end } = exchange
    const failure = exchangeFailure(exchange)
    const attributes = exchangeAttributes(exchange)
    const span = { name: command, kind: SpanKind.CLIENT, at, end, attributes, ...(failure && { failure }) }
    this.#traces.spans.recordChild(span, parent)
  }
}

function omitted(count: number): { 'smtp.exchanges.omitted'?: number } {
  return count > 0 ? { 'smtp.exchanges.omitted': count } : {}
}

/** The phases of a dial lie one behind the other. */
function phasesOf(dial: Dial) {
  let at = dial.at
  return dialPhases
    .filter((phase): phase is Exclude<DialPhase, 'total'> => phase !== 'total' && dial.phases[phase] !== undefined)
    .map((phase) => {
      const begin = at
      at += Math.max(0, dial.phases[phase] ?? 0)
      return { name: phase, at: begin, end: at, attributes: { 'smtp.dial.phase': phase } }
    })
}
