/** What counts as failed, and what `error.type` then says. A trace of it is always kept. */
import type { CloseReason, CommandName, ReplyCause } from '../../proxy/events/closed-sets.ts'
import type { Dial } from '../../proxy/events/dial.ts'
import type { ReplyFacts } from '../../proxy/events/reply.ts'
import { needsAction } from '../metrics/app-tls.ts'
import { refusedSessions } from '../names/names.ts'
import type { Exchange, MailRecord, SessionRecord } from './records.ts'

/** Why something failed: `type` is the attribute `error.type`; `hint` a cause, for the status of a span. */
export interface Failure {
  readonly type: string
  readonly hint?: string
}

/** A mail failed when it was refused or may have been lost; a client that gave up is no failure. */
export function mailFailure({ end }: MailRecord): Failure | undefined {
  if (end.outcome === 'accepted' || end.outcome === 'aborted') return undefined
  return { type: end.error ?? '_OTHER', ...hintOf(end.reply) }
}

/** An exchange failed when it was refused, or when no answer came although the client waited. */
export function exchangeFailure({ reply, error }: Exchange): Failure | undefined {
  if (!reply) return error && { type: error }
  return reply.code >= 400 || reply.code < 200 ? { type: `${reply.code}`, ...hintOf(reply) } : undefined
}

export function dialFailure({ error, detail }: Dial): Failure | undefined {
  return error && { type: error, ...(detail && { hint: detail }) }
}

/** A session whose client was refused before any mail, or whose connection broke. Idle ends are no failures. */
export function sessionFailure(record: SessionRecord): Failure | undefined {
  const { session, close, refusal } = record
  const { tlsFailure } = session
  if (tlsFailure) return needsAction(tlsFailure.error) ? tlsFailureOf(tlsFailure) : undefined
  const lastDial = session.dials.at(-1)
  if (close.reason === 'dial_failed' && lastDial) return dialFailure(lastDial)
  if (refusal?.reply && !USUAL.has(refusal.reply.cause)) return exchangeFailure(refusal)
  if (REFUSED.has(close.reason)) return { type: close.reason, ...(close.detail && { hint: close.detail }) }
  return BROKEN.has(close.reason) ? { type: 'upstream_lost', hint: close.reason } : undefined
}

/** Refused without a reply: before TLS on a listener with TLS from the first byte, or before a client was known. */
const REFUSED: ReadonlySet<CloseReason> = new Set<CloseReason>(refusedSessions)

function tlsFailureOf({ error, detail }: NonNullable<SessionRecord['session']['tlsFailure']>): Failure {
  return { type: error, ...(detail && { hint: detail }) }
}

/** Ends of a session that nobody announced. */
const BROKEN: ReadonlySet<CloseReason> = new Set<CloseReason>(['upstream_closed', 'upstream_reset', 'error'])

/** Commands whose refusal keeps a client from sending any mail, by how near to one they bring it. */
const NEEDED: ReadonlyMap<CommandName, number> = new Map<CommandName, number>([
  ['CONNECT', 0],
  ['EHLO', 1],
  ['HELO', 1],
  ['STARTTLS', 2],
  ['AUTH', 3],
])

/** What AhaSend says when it ends a session in which nothing happens: normal for pools of connections. */
const USUAL: ReadonlySet<ReplyCause> = new Set<ReplyCause>(['idle_timeout', 'shutting_down', 'draining'])

/** Whether an exchange outside a mail says how the session went. A 503 to what a client pipelined behind does not. */
export function decidesSession({ command, reply }: Exchange): boolean {
  return reply !== undefined && reply.code >= 400 && (NEEDED.has(command) || reply.code === 421)
}

/**
 * Whether an accepted command shows that a refusal before it kept the client from nothing: it tried another mechanism, or
 * did without. Behind a 421 nothing does.
 */
export function overcomes({ command, reply }: Exchange, refusal: Exchange): boolean {
  if (!reply || reply.code < 200 || reply.code >= 300 || refusal.reply?.code === 421) return false
  return command === 'MAIL' || (NEEDED.get(command) ?? -1) >= (NEEDED.get(refusal.command) ?? 0)
}

function hintOf(reply: ReplyFacts | undefined): { readonly hint?: string } {
  return reply && reply.cause !== 'none' ? { hint: reply.cause } : {}
}
