import { type SpanContext, TraceFlags } from '@opentelemetry/api'
import type { Logger } from 'pino'
import type { CloseReason } from '../../proxy/events/closed-sets.ts'
import type { Dial } from '../../proxy/events/dial.ts'
import { originOf } from '../export/logger.ts'
import type { Losses } from '../export/losses.ts'
import { createRateLimit, type RateLimit } from '../export/rate-limit.ts'
import { explanations, needsAction } from '../metrics/app-tls.ts'
import { refusedSessions } from '../names/names.ts'
import { adviceOn } from './advice.ts'
import { type Attributes, dialAttributes, mailAttributes, sessionAttributes } from './attributes.ts'
import type { MailRecord, SessionFacts, SessionRecord } from './records.ts'

/** Sessions that ended so got nothing of what they came for. */
const REFUSED: ReadonlySet<CloseReason> = new Set<CloseReason>(['dial_failed', ...refusedSessions])

/**
 * One line for each mail and one for each session, which says all there is to say. What fails all the time for one
 * reason (dials, sessions in which no mail began) is told a few times a second and then counted.
 */
export class Log {
  readonly #logger: Logger
  readonly #limit: RateLimit

  constructor(logger: Logger, losses: Losses) {
    this.#logger = logger
    this.#limit = createRateLimit((reason, suppressed) => {
      losses.count('logs', 'rate_limited', suppressed)
      logger.warn({ reason, suppressed }, 'lines suppressed')
    })
  }

  /** A mail is over; `span` is its span, or only its trace where no span was kept. */
  mail(record: MailRecord, span: SpanContext | undefined): void {
    const { outcome } = record.end
    const level = outcome === 'accepted' || outcome === 'aborted' ? 'info' : 'warn'
    if (!this.#logger.isLevelEnabled(level)) return
    const duration_ms = milliseconds(record.at, record.end.at)
    this.#logger[level]({ ...mailAttributes(record), duration_ms, ...traceIds(span) }, 'transaction')
  }

  /** A session is over. */
  session(record: SessionRecord, span: SpanContext | undefined): void {
    const { session, close } = record
    const { tlsFailure } = session
    const level = REFUSED.has(close.reason) || (tlsFailure && needsAction(tlsFailure.error)) ? 'warn' : 'info'
    if (!this.#logger.isLevelEnabled(level)) return
    if (close.messages === 0 && !this.#limit.allows(`session ${tlsFailure?.error ?? close.reason}`)) return
    const duration_ms = milliseconds(session.open.at, close.at)
    const decisive = session.upstream ?? session.dials.at(-1)
    const dial = decisive && { dial: dialLine(decisive) }
    const advice = tlsFailure ? explanations[tlsFailure.error] : adviceOn(close)
    const extras = { ...(advice && { advice }), duration_ms, ...dial, ...traceIds(span) }
    this.#logger[level]({ ...sessionAttributes(record), ...extras }, 'session')
  }

  /** An attempt to reach an upstream, for `session` or ahead of need. */
  dial(dial: Dial, session?: SessionFacts): void {
    const line = () => ({ ...(session && { 'smtp.session.id': session.open.sessionId }), ...dialLine(dial) })
    if (!dial.error) {
      if (this.#logger.isLevelEnabled('debug')) this.#logger.debug(line(), 'dialled')
    } else if (this.#limit.allows(`dial ${dial.error}`)) this.#logger.warn(line(), 'dial failed')
  }

  /** Tells how many lines were held back and not told of yet. Call it before the end of the process. */
  flush(): void {
    this.#limit.flush()
  }

  /** Telemetry itself threw. The message may quote what a client sent, so only the place is told. */
  telemetryFailed(error: unknown): void {
    if (!this.#limit.allows('observer')) return
    this.#logger.error(error instanceof Error ? originOf(error) : {}, 'telemetry failed')
  }
}

function dialLine(dial: Dial): Attributes {
  const advice = dial.advice !== undefined && { advice: dial.advice }
  return { ...dialAttributes(dial), ...advice, duration_ms: milliseconds(dial.at, dial.end) }
}

/** The names of https://opentelemetry.io/docs/specs/otel/compatibility/logging_trace_context/. */
function traceIds(span: SpanContext | undefined): Attributes {
  if (!span) return {}
  const kept = (span.traceFlags & TraceFlags.SAMPLED) !== 0
  return { trace_id: span.traceId, ...(kept && { span_id: span.spanId }), trace_flags: kept ? '01' : '00' }
}

/** To the microsecond: clocks tell no more. */
function milliseconds(from: number, to: number): number {
  return Math.round((to - from) * 1000) / 1000
}
