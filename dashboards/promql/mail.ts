/** PromQL of panels about mail: what ended, what was refused, what was turned away. */
import type { GroupKey, Matchers } from '../names.ts'
import { NOT_DRAINED } from './counts.ts'
import {
  type DashboardWindow,
  endedSessions,
  growth,
  perMinute,
  quantile,
  rarePerMinute,
  rareSessionsPerMinute,
  sum,
} from './queries.ts'

/**
 * Refusals before a message begins that the app did not cause. Sessions above the session limit are counted by their
 * close reason instead: before TLS they get no reply.
 */
const TURNED_AWAY = {
  'smtp.command': { oneOf: ['CONNECT', 'EHLO', 'HELO', 'AUTH'] },
  'smtp.reply.cause': {
    oneOf: [
      'load_shedding',
      'internal_error',
      'connection_limit',
      'shutting_down',
      'account_disabled',
      'upstream_unreachable',
      'upstream_lost',
      'local_resources_exhausted',
    ],
  },
} as const satisfies Matchers<'replies'>

/** Messages that a stop of the proxy ended. They are not failures: apps retry them. */
const DRAINED = { 'error.type': 'drained' } as const satisfies Matchers<'transactions'>
/** Messages refused temporarily by AhaSend or because a connection was lost, but not because the proxy stopped. */
export const REFUSED_TEMPORARILY = {
  'smtp.transaction.outcome': 'tempfail',
  ...NOT_DRAINED,
} as const satisfies Matchers<'transactions'>

/** Messages per minute, by series. Excludes messages that a stop of the proxy ended, unless they are in doubt. */
export const ENDED_PER_MINUTE = [
  perMinute('transactions', NOT_DRAINED),
  perMinute('transactions', { 'smtp.transaction.outcome': 'in_doubt', ...DRAINED }),
].join('\nor\n')

/** Messages per minute that the proxy refused or interrupted because it stopped. */
export const DRAINED_PER_MINUTE = sum(
  rarePerMinute('transactions', { 'smtp.transaction.outcome': 'tempfail', ...DRAINED }),
)

/** Messages and sessions that failed because of AhaSend, the account or the proxy, not because of the message. */
function blocked(window: DashboardWindow, ...by: readonly GroupKey[]): string {
  return [
    sum(
      growth(window, 'transactions', {
        'smtp.transaction.outcome': { oneOf: ['tempfail', 'in_doubt'] },
        // as in the error budget: AhaSend asks for a retry of one marketing message
        'error.type': { noneOf: ['drained', 'unsubscribe_link'] },
      }),
      ...by,
    ),
    sum(growth(window, 'transactions', { 'error.type': '521' }), ...by),
    turnedAway(window, ...by),
  ].join(' + ')
}

const ABOVE_LIMIT = { 'smtp.session.close_reason': 'session_limit' } as const satisfies Matchers<'sessionDuration'>

/** Sessions per minute that were refused before a message. */
export const TURNED_AWAY_PER_MINUTE = sum(
  `${rarePerMinute('replies', TURNED_AWAY)}\nor\n${rareSessionsPerMinute(ABOVE_LIMIT)}`,
)

/** Sessions that were refused before a message. */
export function turnedAway(window: DashboardWindow, ...by: readonly GroupKey[]): string {
  return sum(`${growth(window, 'replies', TURNED_AWAY)}\nor\n${endedSessions(window, ABOVE_LIMIT)}`, ...by)
}

/** Messages that ended, except those that the app aborted and those that a stop of the proxy ended. */
export function ended(window: DashboardWindow, ...by: readonly GroupKey[]): string {
  const ends = { 'smtp.transaction.outcome': { not: 'aborted' }, ...NOT_DRAINED } as const
  return sum(growth(window, 'transactions', ends), ...by)
}

/** The share of mail that was accepted, or refused because of the message itself. NaN without mail. */
export function flowing(window: DashboardWindow): string {
  return `1 - (${blocked(window)}) / (${ended(window)} + ${turnedAway(window)})`
}

/** The share of the mail sent by apps that AhaSend accepted. NaN without mail. */
export function acceptedShare(window: DashboardWindow, ...by: readonly GroupKey[]): string {
  const accepted = sum(growth(window, 'transactions', { 'smtp.transaction.outcome': 'accepted' }), ...by)
  return `${accepted} / (${ended(window, ...by)} + ${turnedAway(window, ...by)})`
}

/** Causes of replies that end connections on which nothing is sent: no one has to act. */
export const NO_ACTION_CAUSES = ['idle_timeout', 'draining'] as const

/**
 * Refusals, except replies that end connections on which nothing was sent, and except 503: with pipelining, 503 answers
 * the commands after a refused command.
 */
export const REFUSAL = {
  'smtp.reply.code': { matches: '4..|50[^3]|5[^0].' },
  'smtp.reply.cause': { noneOf: NO_ACTION_CAUSES },
} as const satisfies Matchers<'replies'>

/** A 250 reply that is a refusal for some of the recipients. */
const PARTLY = { 'smtp.reply.cause': 'partially_queued' } as const

/** Refusals within a window, by series. */
export function refused(window: DashboardWindow): string {
  return `${growth(window, 'replies', REFUSAL)}\nor\n${growth(window, 'replies', PARTLY)}`
}

/** Refusals per minute, by series. */
export function refusedPerMinute(): string {
  return `${rarePerMinute('replies', REFUSAL)}\nor\n${rarePerMinute('replies', PARTLY)}`
}

/** A quantile (0 to 1) of the time from the last byte of a message to its final reply. */
export function finalReplyTime(q: number, window: string): string {
  return quantile(q, window, 'commandDuration', { 'smtp.command': 'END-OF-MESSAGE' })
}
