/** Building blocks of the PromQL of panels. Each selector applies the dashboard variables for which its metric has a label. */

import {
  type AnyMetricKey,
  type GroupKey,
  type HistogramKey,
  labels,
  labelsOf,
  type Matchers,
  type Selectors,
  within,
  withoutProbe,
} from '../names.ts'
import { increaseWithFirst, inParentheses, newSeries } from './expressions.ts'

const PROXIES = 'job=~"$job", instance=~"$instance"'

/**
 * The conditions on a metric: the selected proxies and, if it has these labels, the selected upstreams and apps. The probe is
 * not an app, also if all apps are selected.
 */
function selected(key: AnyMetricKey): string {
  const metricLabels = labelsOf(key)
  return [
    PROXIES,
    metricLabels.includes('server_address') ? 'server_address=~"$server"' : '',
    metricLabels.includes('smtp_client_name') ? 'smtp_client_name=~"$client"' : '',
    withoutProbe(key),
  ]
    .filter(Boolean)
    .join(', ')
}

export const select = within(selected)

/** The time range of the dashboard. */
export const RANGE = '$__range'
/** The window of the current state, which the first row shows. */
export const RECENT = '5m'
/** The window of each point of a graph. */
export const RATE_INTERVAL = '$__rate_interval'

/** The selected proxies with all their apps and upstreams: for problems of the proxy itself. */
export const selectWholeProxies = within((key) => [PROXIES, withoutProbe(key)].filter(Boolean).join(', '))

/** The probes of the selected proxies: the name of their job is that of the proxy and `-probe`. */
export const selectProbes = within('job=~"(?:$job)-probe"')

/** A window over which a panel counts events. */
export type DashboardWindow = keyof typeof SECONDS

/** Windows in seconds. */
const SECONDS = { [RANGE]: '$__range_s', [RECENT]: 300 } as const

/** How far before its window a series is looked up: the longest pause in scraping that does not matter. */
const SEEN_BEFORE = '6h'

/** The increase of counters over a window, including the first event of a series: the first 521 counts as one. */
export function growth<Key extends AnyMetricKey>(
  window: DashboardWindow,
  key: Key,
  matchers?: Matchers<Key>,
  from = select,
): string {
  return growthOf(window, key, from.series(key, matchers), from)
}

function growthOf(window: DashboardWindow, key: AnyMetricKey, series: string, from: Selectors): string {
  return increaseWithFirst(from, key, series, { span: window, seconds: SECONDS[window], seenBefore: SEEN_BEFORE })
}

/** The number of sessions that ended in a window. */
export function endedSessions(window: DashboardWindow, matchers: Matchers<'sessionDuration'>, from = select): string {
  return growthOf(window, 'sessionDuration', from.count('sessionDuration', matchers), from)
}

/** The rate of counters per minute: a low rate of mail is still a readable number. */
export function perMinute<Key extends AnyMetricKey>(key: Key, matchers?: Matchers<Key>): string {
  return `60 * ${perSecond(key, matchers)}`
}

/** The rate per minute of rare events. The first event of a series has no rate: it counts as one per minute. */
export function rarePerMinute<Key extends AnyMetricKey>(key: Key, matchers?: Matchers<Key>): string {
  return rarePerMinuteOf(key, select.series(key, matchers))
}

/** The rate per minute of sessions that ended, as a rare event. */
export function rareSessionsPerMinute(matchers: Matchers<'sessionDuration'>): string {
  return rarePerMinuteOf('sessionDuration', select.count('sessionDuration', matchers))
}

function rarePerMinuteOf(key: AnyMetricKey, series: string): string {
  const first = newSeries(select, key, series, { span: RATE_INTERVAL, seenBefore: SEEN_BEFORE })
  return `${first}\nor\n60 * rate(${series}[${RATE_INTERVAL}])`
}

/** The rate of counters per second. */
export function perSecond<Key extends AnyMetricKey>(key: Key, matchers?: Matchers<Key>): string {
  return `rate(${select.series(key, matchers)}[${RATE_INTERVAL}])`
}

/** A sum; with keys, one per combination of their values. */
export function sum(expr: string, ...by: readonly GroupKey[]): string {
  return by.length === 0 ? `sum${inParentheses(expr)}` : `sum by (${labels(...by)}) ${inParentheses(expr)}`
}

/** A quantile (0 to 1) of a histogram's observations in a window; with keys, one per combination of their values. */
export function quantile<Key extends HistogramKey>(
  q: number,
  window: string,
  key: Key,
  matchers?: Matchers<Key>,
  ...by: readonly GroupKey[]
): string {
  const growthOrRate = window === RATE_INTERVAL ? 'rate' : 'increase'
  const buckets = `${growthOrRate}(${select.bucket(key, matchers)}[${window}])`
  return `histogram_quantile(${q}, sum by (${labels(...by, 'le')}) (${buckets}))`
}

/** A gauge that every proxy exports from its start. */
const OF_A_PROXY = within(PROXIES).series('sessionActive')

/** One series while at least one proxy is scraped, otherwise none. */
const SCRAPED = `group(${OF_A_PROXY})`

/** A process metric of the selected proxies only: other programs in the same Prometheus export it too. */
export function ofProxies(expr: string): string {
  return `${expr} and on (${labels('job', 'instance')}) ${OF_A_PROXY}`
}

/** 0 if a counter has no series yet, but still no value if no proxy is scraped. */
export function orZero(expr: string): string {
  return `${expr} or on () (0 * ${SCRAPED})`
}

/** The number of events in the time range of the dashboard, including the first one. */
export function countInRange<Key extends AnyMetricKey>(key: Key, matchers: Matchers<Key>): string {
  return orZero(sum(growth(RANGE, key, matchers)))
}

/** An expression while a proxy is scraped, otherwise no value: recent samples of a dead proxy are out of date. */
export function whileScraped(expr: string): string {
  return `(${expr}) and on () ${SCRAPED}`
}

/** A share or a quantile while a proxy is scraped: -1 if there was nothing to measure (NaN in Prometheus). */
export function measured(expr: string): string {
  return `((${expr}) > -0.5 and on () ${SCRAPED}) or on () (-1 * ${SCRAPED})`
}
