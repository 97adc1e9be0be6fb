/** The second row: whether connections to AhaSend are fast and stable. */
import * as units from '@grafana/grafana-foundation-sdk/units'
import { closeColors, dialColors, lookupColors } from '../../panels/colors.ts'
import { areas, events, heatmap, lines } from '../../panels/graphs.ts'
import { runbookLink } from '../../panels/links.ts'
import { sumBy } from '../../panels/panels.ts'
import { SELECTED_APPS, spanWith, tracesLink, tracesOfFailedDials } from '../../panels/traces.ts'
import { quantile, RATE_INTERVAL, rarePerMinute, select, sum } from '../../promql/queries.ts'
import type { Row } from '../dashboard.ts'

const lifetimes = heatmap({
  title: 'How long do sessions last?',
  description:
    'Sessions that ended, by duration; brighter cells have more sessions. A band at 60 s: AhaSend closes idle ' +
    'connections. A band at the bottom: apps that open a connection for each message, or sessions that are turned away.',
  unit: units.Seconds,
  expr: sum(`increase(${select.bucket('sessionDuration')}[${RATE_INTERVAL}])`, 'le'),
  links: [tracesLink('Traces of sessions', spanWith(SELECTED_APPS, 'session'))],
})

const reasons = areas({
  title: 'Why do sessions end?',
  description:
    'Sessions that ended per minute, by reason. quit and client_closed: the app finished. upstream_421: AhaSend sent a ' +
    '421, also to idle sessions. idle: PROXY_IDLE_TIMEOUT. upstream_closed, upstream_reset, dial_failed and error are ' +
    'failures.',
  unit: units.Short,
  queries: [sumBy(`60 * rate(${select.count('sessionDuration')}[${RATE_INTERVAL}])`, 'smtp.session.close_reason')],
  colors: closeColors,
  links: [
    tracesLink('Traces of broken sessions', spanWith(SELECTED_APPS, 'session', 'status = error')),
    runbookLink('AhaSendIdleDisconnects'),
    runbookLink('AhaSendDroppingSessions'),
  ],
})

const phases = lines({
  title: 'Time to connect to AhaSend, p95',
  description:
    'How long each phase of a connection attempt takes (5% take longer): DNS (0 with a kept answer), TCP, the greeting, STARTTLS with ' +
    'its handshake, and the total. Preconnections (PROXY_WARM_CONNECTIONS) count too, although no app waits ' +
    'for them.',
  unit: units.Seconds,
  queries: [
    { expr: quantile(0.95, RATE_INTERVAL, 'dialDuration', {}, 'smtp.dial.phase'), legend: '{{smtp_dial_phase}}' },
  ],
  logarithmic: 10,
  links: [tracesLink('Traces of slow dials', spanWith({}, 'dial', 'duration > 1s'))],
})

const failedDials = events({
  title: 'Failed dials by reason',
  description:
    'Attempts to connect to an upstream that failed, per minute. greeting_refused: a 421 instead of a ' +
    "greeting. local_resources_exhausted: the proxy's machine has no file descriptor, local port or memory " +
    'left. name_not_found, resolver_failed and resolver_timeout: DNS lookups, one per event loop every five seconds; mail ' +
    'continues with the last answer for an hour (five minutes with name_not_found), so repair the DNS resolver before that. ' +
    'All other reasons are network, DNS or TLS failures; the proxy sends nothing if it cannot verify the certificate.',
  queries: [
    sumBy(rarePerMinute('dials', { 'error.type': { not: '' } }), 'server.address', 'error.type'),
    sumBy(rarePerMinute('lookups', { 'error.type': { not: '' } }), 'server.address', 'error.type'),
  ],
  colors: { ...dialColors, ...lookupColors },
  noValue: 'No failed dials seen',
  links: [tracesOfFailedDials, runbookLink('AhaSendUnreachable'), runbookLink('SmtpProxyOutOfResources')],
})

export const connections: Row = {
  heading: 'Are connections stable?',
  height: 9,
  panels: [
    [12, lifetimes],
    [12, reasons],
    [12, phases],
    [12, failedDials],
  ],
}
