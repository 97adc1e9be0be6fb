/** Queries that several rows of the dashboard use. */
import type { Matchers } from '../../names.ts'
import { ofProxies, RATE_INTERVAL, select, sum } from '../../promql/queries.ts'

/** Why the proxy refuses sessions, as values of the close reason. */
export const REFUSED = ['session_limit', 'not_allowed', 'proxy_header', 'dial_failed'] as const

/** Sessions that the proxy refused. Replies are not counted: before TLS, and without a PROXY header, it sends none. */
export const OWN_REFUSALS = {
  'smtp.session.close_reason': { oneOf: REFUSED },
} as const satisfies Matchers<'sessionDuration'>

/** The uptime of each selected proxy, in seconds. */
export const UPTIME = ofProxies(select.series('uptime'))

/** The share of time (0 to 1) in which each event loop was active, in a window or at each point of a graph. */
export function loopActivity(window: string): string {
  const growthOrRate = window === RATE_INTERVAL ? 'rate' : 'increase'
  const time = (matchers: Matchers<'loopTime'>) =>
    sum(`${growthOrRate}(${select.series('loopTime', matchers)}[${window}])`, 'instance', 'smtp.loop')
  return `${time({ 'nodejs.eventloop.state': 'active' })} / ${time({})}`
}
