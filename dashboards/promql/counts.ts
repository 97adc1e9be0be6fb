/** What alerts count: each count is a set of series and the labels that its sum keeps. */
import type { replyCauses } from '../../otel/names/names.ts'
import type { AnyMetricKey, GroupKey, Matchers } from '../names.ts'
import { HOUR } from './durations.ts'
import { joined } from './expressions.ts'
import type { Count, RuleMaker } from './rule-maker.ts'

/** The labels that an alert keeps: which app's mail, and which upstream. */
export const BY_CLIENT = ['job', 'server.address', 'smtp.client.name'] as const satisfies readonly GroupKey[]
export const BY_SERVER = ['job', 'server.address'] as const satisfies readonly GroupKey[]
export const BY_JOB = ['job'] as const satisfies readonly GroupKey[]
export const BY_INSTANCE = ['job', 'instance'] as const satisfies readonly GroupKey[]
const BY_REASON = ['job', 'smtp.session.close_reason'] as const satisfies readonly GroupKey[]
/** An app at a listener. */
export const BY_LISTENER = ['job', 'smtp.listener', 'smtp.client.name'] as const satisfies readonly GroupKey[]
const BY_TLS_FAILURE = [...BY_LISTENER, 'error.type'] as const satisfies readonly GroupKey[]

/** Every count, by the name that alerts use. */
export type Counts = ReturnType<typeof countsOf>

/** Events that alerts count: from the first event where it matters, otherwise as growth. */
export function countsOf(make: RuleMaker) {
  return {
    ...firstReplies(make),
    ...firstEvents(make),
    ...firstSessions(make),
    ...growths(make),
    ...messageGrowths(make),
  }
}

/** AhaSend's replies, from the first one of each cause. */
function firstReplies(make: RuleMaker) {
  const replies = (cause: ReplyCause, what: string = cause) =>
    fromFirst(make, what, BY_CLIENT, 'replies', upstreamReplies(make, cause))
  return {
    accountDisabled: replies('account_disabled'),
    loginsRefused: replies('invalid_credentials', 'login_refused'),
    domainNotConfigured: replies('domain_not_configured'),
    wrongFormat: replies('message_format'),
    partiallyQueued: replies('partially_queued'),
    tooBig: replies('message_too_big'),
    tooManyRecipients: replies('too_many_recipients'),
    connectionLimit: replies('connection_limit'),
  }
}

/** Messages in doubt and failures of the proxy, from the first one. */
function firstEvents(make: RuleMaker) {
  const { series } = make.select
  const inDoubt = messages(make, { 'smtp.transaction.outcome': 'in_doubt' })
  const shortage = series('dials', { 'error.type': 'local_resources_exhausted' })
  return {
    inDoubt: fromFirst(make, 'in_doubt', BY_CLIENT, 'transactions', inDoubt),
    unreachable: fromFirst(make, 'upstream_unreachable', BY_INSTANCE, 'replies', unreachable(make)),
    outOfResources: fromFirst(make, 'local_resources_exhausted', BY_INSTANCE, 'dials', shortage),
    observerFailures: fromFirst(make, 'observer_failure', BY_INSTANCE, 'observerFailures', series('observerFailures')),
  }
}

/** Sessions that ended early, from the first one. */
function firstSessions(make: RuleMaker) {
  const sessions = (what: string, by: readonly GroupKey[], series: string) =>
    fromFirst(make, what, by, 'sessionDuration', series)
  return {
    dropped: sessions('session_dropped', BY_SERVER, dropped(make)),
    turnedAway: sessions('session_limit', BY_REASON, refused(make, 'session_limit')),
    notAllowed: sessions('not_allowed', BY_REASON, refused(make, 'not_allowed')),
    withoutHeader: sessions('proxy_header', BY_INSTANCE, refused(make, 'proxy_header')),
  }
}

/** Replies and TLS handshakes, of which the first does not matter. */
function growths(make: RuleMaker) {
  const handshakes = make.select.series('appTlsHandshakes', TLS_FAILURE)
  const shedding = greetings(make, { 'smtp.reply.cause': 'load_shedding' })
  return {
    recipientsRejected: growth(make, 'recipient_rejected', BY_CLIENT, upstreamReplies(make, 'recipient_rejected')),
    idleDisconnects: growth(make, 'idle_disconnect', BY_CLIENT, upstreamReplies(make, 'idle_timeout')),
    loginsAccepted: growth(make, 'login_accepted', BY_CLIENT, acceptedLogins(make)),
    tlsFailed: growth(make, 'app_tls_failed', BY_TLS_FAILURE, handshakes),
    tlsEntered: growth(make, 'app_tls_entered', BY_LISTENER, enteredTls(make)),
    loadShedding: growth(make, 'load_shedding', BY_SERVER, shedding),
    internalErrors: growth(make, 'internal_error', BY_SERVER, internalErrors(make)),
  }
}

/** Messages, of which the first does not matter. */
function messageGrowths(make: RuleMaker) {
  const not421 = { ...ENDED, 'error.type': { noneOf: ['421', 'drained'] } } as const
  const accepted = messages(make, { 'smtp.transaction.outcome': 'accepted' })
  return {
    temporaryErrors: growth(make, 'temporary_error', BY_SERVER, messages(make, { 'error.type': '451' })),
    accepted: growth(make, 'accepted', BY_CLIENT, accepted),
    ended: growth(make, 'ended', BY_CLIENT, messages(make, ENDED)),
    endedBut421: growth(make, 'ended', BY_SERVER, messages(make, not421)),
  }
}

/** Excludes messages that a stop of the proxy ended: neither AhaSend nor the apps caused that. */
export const NOT_DRAINED = { 'error.type': { not: 'drained' } } as const satisfies Matchers<'transactions'>

/** Messages that ended, except those that the app aborted and those that a stop of the proxy ended. */
const ENDED = { 'smtp.transaction.outcome': { not: 'aborted' }, ...NOT_DRAINED } as const

/** Failures that need action; port scanners and health checks close early. A success has no error type. */
const TLS_FAILURE = { 'error.type': { noneOf: ['', 'app_tls_closed'] } } as const

/** A count of a metric's series that includes the first event of a series. */
function fromFirst(make: RuleMaker, what: string, by: readonly GroupKey[], key: AnyMetricKey, series: string): Count {
  return { what, by, of: (window) => make.increaseWithFirst(key, series, window) }
}

/** A count that misses the first event of a series. */
function growth(make: RuleMaker, what: string, by: readonly GroupKey[], series: string): Count {
  return { what, by, of: (window) => make.increase(series, window) }
}

/** AhaSend's replies with a cause. */
export function upstreamReplies(make: RuleMaker, cause: ReplyCause): string {
  return make.select.series('replies', { 'smtp.reply.cause': cause, 'smtp.reply.origin': 'upstream' })
}

/**
 * Sessions that the proxy refused for this reason. Replies are not counted: a listener with TLS from the first byte sends
 * none before TLS.
 */
export function refused(make: RuleMaker, reason: 'session_limit' | 'not_allowed' | 'proxy_header'): string {
  return make.select.count('sessionDuration', { 'smtp.session.close_reason': reason })
}

type ReplyCause = (typeof replyCauses)[number]

/** AhaSend's greetings. */
export function greetings(make: RuleMaker, matchers: Matchers<'replies'> = {}): string {
  return make.select.series('replies', { ...matchers, 'smtp.command': 'CONNECT', 'smtp.reply.origin': 'upstream' })
}

/** Logins that AhaSend accepted. */
export function acceptedLogins(make: RuleMaker): string {
  return make.select.series('replies', {
    'smtp.command': 'AUTH',
    'smtp.reply.code': 235,
    'smtp.reply.origin': 'upstream',
  })
}

/** TLS handshakes of apps that succeeded. */
export function enteredTls(make: RuleMaker): string {
  return make.select.series('appTlsHandshakes', { 'error.type': '' })
}

/**
 * Whether events were counted in both halves of the window (in seconds, by default one hour): they continue, however rare
 * they are.
 * `increase` extrapolates one burst more over the half than over the whole window, so for one burst the difference is never
 * above zero.
 */
export function continues(make: RuleMaker, count: Count, window = HOUR): string {
  const [whole, half] = [make.count(count, window), make.count(count, window / 2)]
  return joined('and', `${half} > 0`, `${whole} - ${half} > 0.5`)
}

/** The proxy's reply in place of a greeting, once per connection. A client that continues gets the reply again. */
function unreachable(make: RuleMaker): string {
  return make.select.series('replies', {
    'smtp.command': 'CONNECT',
    'smtp.reply.cause': 'upstream_unreachable',
    'smtp.reply.origin': 'proxy',
  })
}

/** Sessions that AhaSend, or something on the network path, ended without a reply. */
function dropped(make: RuleMaker): string {
  return make.select.count('sessionDuration', {
    'smtp.session.close_reason': { oneOf: ['upstream_closed', 'upstream_reset'] },
  })
}

/**
 * 421 replies caused neither by idleness nor by load shedding. Unsolicited replies are excluded: they close pooled
 * connections when AhaSend restarts, or follow another refusal.
 */
function internalErrors(make: RuleMaker): string {
  return make.select.series('replies', {
    'smtp.command': { not: 'UNSOLICITED' },
    'smtp.reply.code': 421,
    'smtp.reply.cause': { oneOf: ['internal_error', 'shutting_down'] },
    'smtp.reply.origin': 'upstream',
  })
}

function messages(make: RuleMaker, matchers: Matchers<'transactions'>): string {
  return make.select.series('transactions', matchers)
}
