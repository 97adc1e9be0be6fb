import { type SpanContext, TraceFlags } from '@opentelemetry/api'
import type { Logger } from 'pino'
import type { CloseReason } from '../../proxy/events/closed-sets.ts'
import type { Dial, Lookup } from '../../proxy/events/dial.ts'
import { dialExplanations, lookupExplanations } from '../../proxy/events/dial-explanations.ts'
import { originOf } from '../export/logger.ts'
import type { Losses } from '../export/losses.ts'
import { createRateLimit, type RateLimit } from '../export/rate-limit.ts'
import { explanations, needsAction } from '../metrics/app-tls.ts'
import { refusedSessions } from '../names/names.ts'
import { adviceOn } from './advice.ts'
import { type Attributes, dialAttributes, messageAttributes, sessionAttributes } from './attributes.ts'
import type { MessageRecord, SessionFacts, SessionRecord } from './records.ts'

/** Close reasons of sessions that could not send mail. */
const REFUSED: ReadonlySet<CloseReason> = new Set<CloseReason>(['dial_failed', ...refusedSessions])

/** While lookups of a name fail, one line in this time, in milliseconds. */
const LOOKUP_LINES_MS = 60_000

const LAST_ANSWER =
  'Mail continues with the addresses of the last answer, for at most an hour (5 minutes if the name is gone)'
const NO_ANSWER = 'There is no earlier answer to use, so the proxy cannot reach this upstream'

/**
 * Writes one line for each message and one for each session, with all attributes. Failed dials and sessions without a
 * message are limited to a few lines per second and reason; the rest is only counted.
 */
export class Log {
  readonly #logger: Logger
  readonly #limit: RateLimit
  /** When a failed lookup was last logged, by upstream: only configured hosts. */
  readonly #lookupsLogged = new Map<string, number>()

  constructor(logger: Logger, losses: Losses) {
    this.#logger = logger
    this.#limit = createRateLimit((reason, suppressed) => {
      losses.count('logs', 'rate_limited', suppressed)
      logger.warn({ reason, suppressed }, 'lines suppressed')
    })
  }

  /** Writes the line of a finished message. `span` is its span, or only its trace if the span was not kept. */
  message(record: MessageRecord, span: SpanContext | undefined): void {
    const { outcome } = record.end
    const level = outcome === 'accepted' || outcome === 'aborted' ? 'info' : 'warn'
    if (!this.#logger.isLevelEnabled(level)) return
    const duration_ms = milliseconds(record.at, record.end.at)
    this.#logger[level]({ ...messageAttributes(record), duration_ms, ...traceIds(span) }, 'transaction')
  }

  /** Writes the line of a finished session. */
  session(record: SessionRecord, span: SpanContext | undefined): void {
    const { session, close } = record
    const { tlsFailure } = session
    const level = REFUSED.has(close.reason) || (tlsFailure && needsAction(tlsFailure.error)) ? 'warn' : 'info'
    if (!this.#logger.isLevelEnabled(level)) return
    if (close.messages === 0 && !this.#limit.allows(`session ${tlsFailure?.error ?? close.reason}`)) return
    const duration_ms = milliseconds(session.open.at, close.at)
    const lastDial = session.upstream ?? session.dials.at(-1)
    const dial = lastDial && { dial: dialLine(lastDial) }
    const advice = tlsFailure ? explanations[tlsFailure.error] : adviceOn(close, session.clientAddress !== undefined)
    const extras = { ...(advice && { advice }), duration_ms, ...dial, ...traceIds(span) }
    this.#logger[level]({ ...sessionAttributes(record), ...extras }, 'session')
  }

  /** Writes the line of a dial for `session`, or of a preconnect. */
  dial(dial: Dial, session?: SessionFacts): void {
    const line = () => ({ ...(session && { 'smtp.session.id': session.open.sessionId }), ...dialLine(dial) })
    if (!dial.error) {
      if (this.#logger.isLevelEnabled('debug')) this.#logger.debug(line(), 'dialled')
    } else if (this.#limit.allows(`dial ${dial.error}`)) this.#logger.warn(line(), 'dial failed')
  }

  /** Writes a line about a lookup that failed: the first one, and then one a minute for each upstream while they fail. */
  lookup({ end, serverAddress, error, detail, answerAgeMs }: Lookup): void {
    if (!error || end - (this.#lookupsLogged.get(serverAddress) ?? Number.NEGATIVE_INFINITY) < LOOKUP_LINES_MS) return
    this.#lookupsLogged.set(serverAddress, end)
    const line = {
      'server.address': serverAddress,
      'error.type': error,
      ...(detail !== undefined && { 'smtp.dial.detail': detail }),
      ...(answerAgeMs !== undefined && { 'smtp.dial.answer_age': Math.round(answerAgeMs / 1000) }),
      advice: `${lookupExplanations[error]}. ${answerAgeMs === undefined ? NO_ANSWER : LAST_ANSWER}`,
    }
    this.#logger.warn(line, 'lookup failed')
  }

  /** Logs the number of suppressed lines that no line has reported yet. Call it before the process ends. */
  flush(): void {
    this.#limit.flush()
  }

  /** Logs an exception of the telemetry itself. Its message may quote a client, so only its type and stack are logged. */
  telemetryFailed(error: unknown): void {
    if (!this.#limit.allows('observer')) return
    this.#logger.error(error instanceof Error ? originOf(error) : {}, 'telemetry failed')
  }
}

function dialLine(dial: Dial): Attributes {
  const advice = dial.advice ?? (dial.error && dialExplanations[dial.error])
  return {
    ...dialAttributes(dial),
    ...(advice !== undefined && { advice }),
    duration_ms: milliseconds(dial.at, dial.end),
  }
}

/** The names of https://opentelemetry.io/docs/specs/otel/compatibility/logging_trace_context/. */
function traceIds(span: SpanContext | undefined): Attributes {
  if (!span) return {}
  const kept = (span.traceFlags & TraceFlags.SAMPLED) !== 0
  return { trace_id: span.traceId, ...(kept && { span_id: span.spanId }), trace_flags: kept ? '01' : '00' }
}

/** Rounded to a microsecond, the resolution of the clock. */
function milliseconds(from: number, to: number): number {
  return Math.round((to - from) * 1000) / 1000
}
