/** Pieces of PromQL that panels are made of. Each selector heeds the variables of a dashboard that its metric knows. */

import {
  type AnyMetricKey,
  type GroupKey,
  type HistogramKey,
  labels,
  labelsOf,
  type Matchers,
  type Selectors,
  within,
} from '../names.ts'
import { NOT_DRAINED } from './counts.ts'
import { begun, counted, inParentheses } from './rule-maker.ts'

const PROXIES = 'job=~"$job", instance=~"$instance"'

/** What is seen of a metric: the chosen proxies, and of these the chosen upstreams and apps. */
function chosen(key: AnyMetricKey): string {
  const known = labelsOf(key)
  return [
    PROXIES,
    known.includes('server_address') ? 'server_address=~"$server"' : '',
    known.includes('smtp_client_name') ? 'smtp_client_name=~"$client"' : '',
  ]
    .filter(Boolean)
    .join(', ')
}

export const select = within(chosen)

/** Growth in the time that a dashboard shows. */
export const SHOWN = '$__range'
/** Growth of late: what the first row calls now. */
export const NOW = '5m'
/** Growth around each point of a graph. */
export const STEP = '$__rate_interval'

/** The chosen proxies with all that they do: for what is a proxy's own trouble, whichever app it is seen by. */
export const selectWhole = within(PROXIES)

/** A window in which growth can be counted. */
type Shown = keyof typeof SECONDS

/** Windows in seconds. */
const SECONDS = { [SHOWN]: '$__range_s', [NOW]: 300 } as const

/** How long before its window a series is looked for: so long may scraping have paused. */
const SEEN_BEFORE = '6h'

/** How much counters grew in a window, the first events of their series too: the first 521 is one, not none. */
export function grown<Key extends AnyMetricKey>(
  window: Shown,
  key: Key,
  matchers?: Matchers<Key>,
  from = select,
): string {
  return grownOf(window, key, from.series(key, matchers), from)
}

function grownOf(window: Shown, key: AnyMetricKey, series: string, from: Selectors): string {
  return counted(from, key, series, { span: window, seconds: SECONDS[window], seenBefore: SEEN_BEFORE })
}

/** How many sessions ended in a window. */
export function endedSessions(window: Shown, matchers: Matchers<'sessionDuration'>, from = select): string {
  return grownOf(window, 'sessionDuration', from.count('sessionDuration', matchers), from)
}

/** How fast counters grow, each minute: mail that comes seldom is still a number that one can read. */
export function perMinute<Key extends AnyMetricKey>(key: Key, matchers?: Matchers<Key>): string {
  return `60 * ${perSecond(key, matchers)}`
}

/** The same for what happens seldom. Of the first event of a series there is no rate: it counts as one a minute. */
export function seldom<Key extends AnyMetricKey>(key: Key, matchers?: Matchers<Key>): string {
  return seldomOf(key, select.series(key, matchers))
}

/** The same of sessions that ended. */
export function seldomEnded(matchers: Matchers<'sessionDuration'>): string {
  return seldomOf('sessionDuration', select.count('sessionDuration', matchers))
}

function seldomOf(key: AnyMetricKey, series: string): string {
  const first = begun(select, key, series, { span: STEP, seenBefore: SEEN_BEFORE })
  return `${first}\nor\n60 * rate(${series}[${STEP}])`
}

/** How fast counters grow, each second. */
export function perSecond<Key extends AnyMetricKey>(key: Key, matchers?: Matchers<Key>): string {
  return `rate(${select.series(key, matchers)}[${STEP}])`
}

/** A sum; with keys, one for each of their values. */
export function sum(expr: string, ...by: readonly GroupKey[]): string {
  return by.length === 0 ? `sum${inParentheses(expr)}` : `sum by (${labels(...by)}) ${inParentheses(expr)}`
}

/** A quantile (0 to 1) of what a histogram took in within a window; with keys, one for each of their values. */
export function quantile<Key extends HistogramKey>(
  q: number,
  window: string,
  key: Key,
  matchers?: Matchers<Key>,
  ...by: readonly GroupKey[]
): string {
  const growth = window === STEP ? 'rate' : 'increase'
  const buckets = `${growth}(${select.bucket(key, matchers)}[${window}])`
  return `histogram_quantile(${q}, sum by (${labels(...by, 'le')}) (${buckets}))`
}

/** A gauge that every proxy has from its start. */
const OF_A_PROXY = selectWhole.series('sessionActive')

/** Whether there are proxies to ask: one series while at least one is scraped, none otherwise. */
export const SEEN = `group(${OF_A_PROXY})`

/** A metric of processes, of the chosen proxies only: other programs under the same Prometheus have it too. */
export function ofProxies(expr: string): string {
  return `${expr} and on (${labels('job', 'instance')}) ${OF_A_PROXY}`
}

/** 0 instead of nothing when a counter has no series yet; still nothing when no proxy is scraped. */
export function orZero(expr: string): string {
  return `${expr} or on () (0 * ${SEEN})`
}

/**
 * What a message is refused with before it begins, for no fault of the app that sends it. Sessions above the session
 * limit are counted by their close reason: before TLS they get no reply.
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

/** Messages that a stop of the proxy ended: no failure, as the apps send them again. */
const DRAINED = { 'error.type': 'drained' } as const satisfies Matchers<'transactions'>
/** Refused temporarily, by AhaSend or because a connection was lost; not because the proxy stopped. */
export const REFUSED_FOR_NOW = {
  'smtp.transaction.outcome': 'tempfail',
  ...NOT_DRAINED,
} as const satisfies Matchers<'transactions'>

/** Messages a minute, series by series, without those that a stop of the proxy refused or cut; doubt stays doubt. */
export const ENDED_PER_MINUTE = [
  perMinute('transactions', NOT_DRAINED),
  perMinute('transactions', { 'smtp.transaction.outcome': 'in_doubt', ...DRAINED }),
].join('\nor\n')

/** Messages a minute that the proxy refused or cut because it stopped. */
export const DRAINED_PER_MINUTE = sum(seldom('transactions', { 'smtp.transaction.outcome': 'tempfail', ...DRAINED }))

/** Mails and sessions that came to nothing, and not for their own sake: AhaSend, the account or the proxy is why. */
function blocked(window: Shown, ...by: readonly GroupKey[]): string {
  return [
    sum(
      grown(window, 'transactions', {
        'smtp.transaction.outcome': { oneOf: ['tempfail', 'in_doubt'] },
        // as in the error budget: AhaSend asks for a retry of one marketing message
        'error.type': { noneOf: ['drained', 'unsubscribe_link'] },
      }),
      ...by,
    ),
    sum(grown(window, 'transactions', { 'error.type': '521' }), ...by),
    turnedAway(window, ...by),
  ].join(' + ')
}

const ABOVE_LIMIT = { 'smtp.session.close_reason': 'session_limit' } as const satisfies Matchers<'sessionDuration'>

/** Sessions a minute that were refused before a message. */
export const TURNED_AWAY_PER_MINUTE = sum(`${seldom('replies', TURNED_AWAY)}\nor\n${seldomEnded(ABOVE_LIMIT)}`)

/** Sessions that were refused before a message. */
export function turnedAway(window: Shown, ...by: readonly GroupKey[]): string {
  return sum(`${grown(window, 'replies', TURNED_AWAY)}\nor\n${endedSessions(window, ABOVE_LIMIT)}`, ...by)
}

/** Messages that ended, except those that the app gave up and those that a stop of the proxy ended. */
export function ended(window: Shown, ...by: readonly GroupKey[]): string {
  const ends = { 'smtp.transaction.outcome': { not: 'aborted' }, ...NOT_DRAINED } as const
  return sum(grown(window, 'transactions', ends), ...by)
}

/** The share of mail that got its due answer: accepted, or refused for what it is. NaN without mail. */
export function flowing(window: Shown): string {
  return `1 - (${blocked(window)}) / (${ended(window)} + ${turnedAway(window)})`
}

/** The share of what apps tried to send that AhaSend accepted. NaN without mail. */
export function acceptedShare(window: Shown, ...by: readonly GroupKey[]): string {
  const accepted = sum(grown(window, 'transactions', { 'smtp.transaction.outcome': 'accepted' }), ...by)
  return `${accepted} / (${ended(window, ...by)} + ${turnedAway(window, ...by)})`
}

/** An expression, while a proxy is scraped: what the last minutes' samples say of a dead one is history. */
export function whileSeen(expr: string): string {
  return `(${expr}) and on () ${SEEN}`
}

/** The same of a share or a quantile: -1 where there was nothing to measure, which Prometheus calls NaN. */
export function measured(expr: string): string {
  return `((${expr}) > -0.5 and on () ${SEEN}) or on () (-1 * ${SEEN})`
}

/** What AhaSend and the proxy say at the end of connections on which nothing is sent: nobody has to act. */
export const NOBODYS = ['idle_timeout', 'draining'] as const

/**
 * What says no, but for the end of connections on which nothing was sent, and but for 503: with pipelining that answers
 * what was sent behind a refused command.
 */
export const REFUSAL = {
  'smtp.reply.code': { matches: '4..|50[^3]|5[^0].' },
  'smtp.reply.cause': { noneOf: NOBODYS },
} as const satisfies Matchers<'replies'>

/** A 250 that is a refusal for some of the recipients. */
const PARTLY = { 'smtp.reply.cause': 'partially_queued' } as const

/** Refusals within a window, series by series. */
export function refused(window: Shown): string {
  return `${grown(window, 'replies', REFUSAL)}\nor\n${grown(window, 'replies', PARTLY)}`
}

/** Refusals a minute, series by series. */
export function refusedPerMinute(): string {
  return `${seldom('replies', REFUSAL)}\nor\n${seldom('replies', PARTLY)}`
}
