/** The last refusals and failures: what happened, to which app, and where to look. */
import type { SpanContext } from '@opentelemetry/api'
import { PROBE_CLIENT } from '../otel/names/names.ts'
import { messageFailure, sessionFailure } from '../otel/records/failure.ts'
import type { Exchange, MessageRecord, SessionRecord } from '../otel/records/records.ts'
import type { ReplyCause } from '../proxy/events/closed-sets.ts'
import { isRefusal, type ShowClient } from './refused-clients.ts'

/** How many are kept. */
export const FAILURES = 50

/** One refusal or failure. `at` is when it was known, in milliseconds since the Unix epoch. */
export interface FailureReport {
  readonly at: number
  readonly app: string
  /** The client's network, or its address as far as PROXY_RECORD_ADDRESSES allows. */
  readonly client: string
  readonly server: string
  /** The command that was refused; absent when no reply decided. */
  readonly command?: string
  readonly code?: number
  readonly enhancedCode?: string
  readonly cause: ReplyCause
  /** `error.type`: the reply code, or why there was no reply. */
  readonly error: string
  /** What became of the message; absent when no message had begun. */
  readonly outcome?: string
  /** As far as PROXY_RECORD_ADDRESSES allows. */
  readonly sender?: string
  /** For traces and log lines. */
  readonly sessionId: string
  readonly traceId?: string
}

export class Failures {
  readonly #kept: FailureReport[] = []
  readonly #show: ShowClient

  constructor(show: ShowClient) {
    this.#show = show
  }

  /** A message is over. */
  message(record: MessageRecord, span: SpanContext | undefined): void {
    const failure = messageFailure(record)
    if (!failure || isOfProbe(record)) return
    const { end, sender } = record
    this.#keep({
      at: end.at,
      ...this.#whose(record, span),
      ...replyOf({ ...(end.command && { command: end.command }), ...(end.reply && { reply: end.reply }) }),
      error: failure.type,
      outcome: end.outcome,
      ...(sender !== undefined && { sender }),
    })
  }

  /**
   * A session is over. If its connection broke after a message had begun, the message is the failure. Refused clients are
   * not kept here, so that a port scan cannot push refused messages off the page.
   */
  session(record: SessionRecord, span: SpanContext | undefined): void {
    const failure = isRefusal(record.close.reason) ? undefined : sessionFailure(record)
    if (!failure || isOfProbe(record) || (record.close.messages > 0 && !record.refusal)) return
    this.#keep({
      at: record.close.at,
      ...this.#whose(record, span),
      ...replyOf(record.refusal ?? {}),
      error: failure.type,
    })
  }

  /** The newest first. */
  reports(): readonly FailureReport[] {
    return this.#kept.toReversed()
  }

  #whose({ session: { open, server } }: MessageRecord | SessionRecord, span: SpanContext | undefined) {
    const { clientName: app, clientAddress, sessionId } = open
    return { app, client: this.#show(clientAddress), server, sessionId, ...(span && { traceId: span.traceId }) }
  }

  #keep(report: FailureReport): void {
    this.#kept.push(report)
    if (this.#kept.length > FAILURES) this.#kept.shift()
  }
}

/** A failing probe fails every minute: it would push the failures of apps out of the list, and has an alert. */
function isOfProbe({ session }: MessageRecord | SessionRecord): boolean {
  return session.open.clientName === PROBE_CLIENT
}

function replyOf({ command, reply }: Partial<Pick<Exchange, 'command' | 'reply'>>) {
  const enhancedCode = reply?.enhancedCode
  return {
    ...(command && { command }),
    ...(reply && { code: reply.code }),
    ...(enhancedCode && { enhancedCode }),
    cause: reply?.cause ?? 'none',
  } as const
}
