/** One line of the live tail: what happened, from the events and records of the proxy. It never contains text of a peer. */
import type { SpanContext } from '@opentelemetry/api'
import { sessionFailure } from '../../otel/records/failure.ts'
import type { Exchange, MessageRecord, SessionRecord } from '../../otel/records/records.ts'
import type {
  AppTlsError,
  CloseReason,
  CommandName,
  DialError,
  ReplyCause,
  ReplyOrigin,
  TransactionError,
  TransactionOutcome,
} from '../../proxy/events/closed-sets.ts'
import type { ReplyFacts } from '../../proxy/events/reply.ts'
import type { SessionEvent, SessionOpen } from '../../proxy/events/session-event.ts'
import type { RecipientCounts } from '../../proxy/events/transaction.ts'

/** What a line is about: one command, one message, or a session that failed without a reply. */
export type Subject = CommandName | 'message' | 'session'

/** The cause of a reply or, without a reply, why there was none. */
export type LineCause = ReplyCause | Exclude<TransactionError, `${number}`> | AppTlsError | DialError | CloseReason

export interface TailLine {
  /** When it was known, as an ISO 8601 time in UTC. */
  readonly time: string
  readonly app: string
  readonly subject: Subject
  /** Absent without a reply. */
  readonly code?: number
  readonly enhancedCode?: string
  readonly cause: LineCause
  readonly origin?: ReplyOrigin
  /** Messages only, like `size`, `recipients` and `sender`. */
  readonly outcome?: TransactionOutcome
  readonly size?: number
  readonly recipients?: RecipientCounts
  /** As far as PROXY_RECORD_ADDRESSES allows. */
  readonly sender?: string
  /** Milliseconds in which AhaSend owed a reply. For a message, those of its first 128 commands. */
  readonly ahasendMs: number
  /** Milliseconds from the first byte to the end. For a message, that includes the time in which the app sent it. */
  readonly totalMs: number
  readonly sessionId: string
  /** Absent for commands, and without a trace. */
  readonly traceId?: string
}

/** The line for an event of a session; undefined if the event is no reply. */
export function commandLine(open: SessionOpen, event: SessionEvent): TailLine | undefined {
  if (event.type !== 'greeting' && event.type !== 'exchange') return undefined
  const { at, end, reply } = event
  const totalMs = rounded(end - at)
  return {
    time: timeOf(end),
    app: open.clientName,
    subject: event.type === 'greeting' ? 'CONNECT' : event.command,
    ...replyOf(reply),
    ahasendMs: reply.origin === 'upstream' ? totalMs : 0,
    totalMs,
    sessionId: open.sessionId,
  }
}

/** The line for a finished message. */
export function messageLine(record: MessageRecord, span: SpanContext | undefined): TailLine {
  const { session, end, sender, exchanges } = record
  const { outcome, size, recipients, reply, error } = end
  return {
    time: timeOf(end.at),
    app: session.open.clientName,
    subject: 'message',
    ...(reply ? replyOf(reply) : { cause: wordOf(error) }),
    outcome,
    size,
    recipients,
    ...(sender !== undefined && { sender }),
    ahasendMs: rounded(waitedMs(exchanges)),
    totalMs: rounded(end.at - record.at),
    ...idsOf(record, span),
  }
}

/** The line for a session that failed before its first message and got no reply, such as one whose TLS failed. */
export function sessionLine(record: SessionRecord, span: SpanContext | undefined): TailLine | undefined {
  const { session, close, refusal } = record
  const failure = sessionFailure(record)
  if (!failure || refusal || close.messages > 0) return undefined
  return {
    time: timeOf(close.at),
    app: session.open.clientName,
    subject: 'session',
    cause: failure.type as LineCause,
    ahasendMs: 0,
    totalMs: rounded(close.at - session.open.at),
    ...idsOf(record, span),
  }
}

function replyOf({ code, enhancedCode, cause, origin }: ReplyFacts) {
  return { code, ...(enhancedCode !== undefined && { enhancedCode }), cause, origin }
}

/** The reason of a message without a reply. A number stands for a reply, which has its own field. */
function wordOf(error: TransactionError | undefined): LineCause {
  return error === undefined || /^\d/.test(error) ? 'none' : (error as Exclude<TransactionError, `${number}`>)
}

function idsOf({ session }: MessageRecord | SessionRecord, span: SpanContext | undefined) {
  return { sessionId: session.open.sessionId, ...(span && { traceId: span.traceId }) }
}

/** The time in which at least one command waited for AhaSend: pipelined commands wait together. */
function waitedMs(exchanges: readonly Exchange[]): number {
  let [waited, until] = [0, 0]
  const ofUpstream = exchanges.filter(({ reply }) => reply?.origin !== 'proxy')
  for (const { at, end } of ofUpstream.toSorted((one, other) => one.at - other.at)) {
    waited += Math.max(0, end - Math.max(at, until))
    until = Math.max(until, end)
  }
  return waited
}

function timeOf(at: number): string {
  return new Date(at).toISOString()
}

function rounded(milliseconds: number): number {
  return Math.max(0, Math.round(milliseconds * 10) / 10)
}
