/** What counts as a failure, and its `error.type`. Traces of failures are always kept. */
import type { CloseReason, CommandName, ReplyCause } from '../../proxy/events/closed-sets.ts'
import type { Dial } from '../../proxy/events/dial.ts'
import type { ReplyFacts } from '../../proxy/events/reply.ts'
import { needsAction } from '../metrics/app-tls.ts'
import { refusedSessions } from '../names/names.ts'
import type { Exchange, MessageRecord, SessionRecord } from './records.ts'

/** A failure. `type` is the attribute `error.type`; `hint` is a cause for the status of the span. */
export interface Failure {
  readonly type: string
  readonly hint?: string
}

/** A message failed if it was refused or may have been lost. A client that gave up is not a failure. */
export function messageFailure({ end }: MessageRecord): Failure | undefined {
  if (end.outcome === 'accepted' || end.outcome === 'aborted') return undefined
  return failure(end.error ?? '_OTHER', causeOf(end.reply))
}

/** A command failed if it was refused, or if no reply came although the client waited. */
export function exchangeFailure({ reply, error }: Exchange): Failure | undefined {
  if (!reply) return error && failure(error)
  return reply.code >= 400 || reply.code < 200 ? failure(`${reply.code}`, causeOf(reply)) : undefined
}

/** A dial failed if it has an error. */
export function dialFailure({ error, detail }: Dial): Failure | undefined {
  return error && failure(error, detail)
}

/** A session failed if its client was refused before any message, or if its connection broke. Idle timeouts are not failures. */
export function sessionFailure(record: SessionRecord): Failure | undefined {
  const { session, close, refusal } = record
  const { tlsFailure } = session
  if (tlsFailure) return needsAction(tlsFailure.error) ? failure(tlsFailure.error, tlsFailure.detail) : undefined
  const lastDial = session.dials.at(-1)
  if (close.reason === 'dial_failed' && lastDial) return dialFailure(lastDial)
  if (refusal?.reply && !NORMAL.has(refusal.reply.cause)) return exchangeFailure(refusal)
  if (REFUSED.has(close.reason)) return failure(close.reason, close.detail)
  return BROKEN.has(close.reason) ? failure('upstream_lost', close.reason) : undefined
}

/** Close reasons of sessions that were refused without a reply, before TLS or before the client was known. */
const REFUSED: ReadonlySet<CloseReason> = new Set<CloseReason>(refusedSessions)

/** Close reasons of sessions that ended without a reply or a QUIT. */
const BROKEN: ReadonlySet<CloseReason> = new Set<CloseReason>(['upstream_closed', 'upstream_reset', 'error'])

/** The commands that must succeed before a message, in order. */
const NEEDED: ReadonlyMap<CommandName, number> = new Map<CommandName, number>([
  ['CONNECT', 0],
  ['EHLO', 1],
  ['HELO', 1],
  ['STARTTLS', 2],
  ['AUTH', 3],
])

/** Causes of a 421 that are normal for pooled connections. */
const NORMAL: ReadonlySet<ReplyCause> = new Set<ReplyCause>(['idle_timeout', 'shutting_down', 'draining'])

/**
 * Whether a refused command outside a message decides the outcome of the session. A 503 to commands that a client pipelined
 * after the refused one does not.
 */
export function decidesSession({ command, reply }: Exchange): boolean {
  return reply !== undefined && reply.code >= 400 && (NEEDED.has(command) || reply.code === 421)
}

/**
 * Whether an accepted command makes an earlier refusal irrelevant, because the client tried another mechanism or continued
 * without one. After a 421 no command does.
 */
export function overcomes({ command, reply }: Exchange, refusal: Exchange): boolean {
  if (!reply || reply.code < 200 || reply.code >= 300 || refusal.reply?.code === 421) return false
  return command === 'MAIL' || (NEEDED.get(command) ?? -1) >= (NEEDED.get(refusal.command) ?? 0)
}

function failure(type: string, hint?: string): Failure {
  return hint ? { type, hint } : { type }
}

function causeOf(reply: ReplyFacts | undefined): string | undefined {
  return reply?.cause === 'none' ? undefined : reply?.cause
}
