/** The second row: whether the proxy works correctly. */
import * as units from '@grafana/grafana-foundation-sdk/units'
import { closeColors, lossColors } from '../../panels/colors.ts'
import { events, lines } from '../../panels/graphs.ts'
import { runbookLink } from '../../panels/links.ts'
import { sumBy } from '../../panels/panels.ts'
import { SELECTED_APPS, spanWith, tracesLink } from '../../panels/traces.ts'
import { rarePerMinute, rareSessionsPerMinute, sum } from '../../promql/queries.ts'
import type { Row } from '../dashboard.ts'
import { OWN_REFUSALS, REFUSED, UPTIME } from './queries.ts'

const uptimes = lines({
  title: 'Proxy uptime',
  description: 'How long each proxy has been running. A drop is a restart. A gap means that the proxy was not scraped.',
  unit: units.Seconds,
  queries: [{ expr: UPTIME, legend: '{{instance}}' }],
  links: [runbookLink('SmtpProxyDown'), runbookLink('SmtpProxyRestarting'), runbookLink('SmtpProxyAbsent')],
})

const refused = events({
  title: 'Sessions refused by the proxy',
  description:
    'Sessions per minute that the proxy refused, on all listeners. session_limit: PROXY_MAX_SESSIONS or ' +
    "PROXY_MAX_SESSIONS_PER_CLIENT is reached. not_allowed: the client's address is not in PROXY_ALLOW. " +
    'proxy_header: no valid PROXY header from an address in PROXY_TRUST_PROXY_PROTOCOL. dial_failed: no ' +
    "upstream is reachable, or the proxy's machine has no file descriptor, local port or memory left.",
  queries: [sumBy(rareSessionsPerMinute(OWN_REFUSALS), 'smtp.session.close_reason')],
  colors: closeColors,
  noValue: 'No refused sessions seen',
  links: [
    tracesLink(
      'Traces of these sessions',
      spanWith({ 'smtp.session.close_reason': { matches: REFUSED.join('|') }, ...SELECTED_APPS }, 'session'),
    ),
    runbookLink('SmtpProxyRefusingSessions'),
    runbookLink('SmtpProxyOutOfResources'),
    runbookLink('SmtpProxyProxyHeaderInvalid'),
    runbookLink('AhaSendUnreachable'),
  ],
})

const opaque = events({
  title: 'Opaque sessions',
  description:
    'Sessions per minute that the proxy continues to relay but can no longer parse, by reason. Mail is not ' +
    'affected, but metrics and traces are incomplete. Also shows replies that the app may not have received: ' +
    'incomplete (AhaSend closed the connection in the middle), undelivered (the app had disconnected), ' +
    'after_fin (the app had closed its sending side without QUIT before its message was accepted). An app ' +
    'without the reply may send the message again.',
  queries: [
    sumBy(rarePerMinute('sessionOpaque'), 'smtp.opaque.reason'),
    { expr: sum(rarePerMinute('repliesLost'), 'smtp.reply.loss'), legend: 'reply {{smtp_reply_loss}}' },
  ],
  noValue: 'None seen',
  links: [
    tracesLink('Traces of opaque sessions', spanWith(SELECTED_APPS, 'session', 'span.smtp.opaque.reason != nil')),
    runbookLink('SmtpProxySessionsOpaque'),
  ],
})

const losses = events({
  title: 'Telemetry losses',
  description:
    'Lost records per minute. queue_full: records arrived faster than they were exported. export_failed: the receiver ' +
    'did not accept them. stdout_full: nothing reads the log fast enough. rate_limited: dropped by design. observer: a ' +
    'bug in the telemetry code.',
  queries: [
    sumBy(rarePerMinute('telemetryLost'), 'telemetry.signal', 'telemetry.loss'),
    { expr: sum(rarePerMinute('observerFailures')), legend: 'observer' },
  ],
  colors: lossColors,
  noValue: 'No losses seen',
  links: [
    runbookLink('SmtpProxyTelemetryLost'),
    runbookLink('SmtpProxyObserverFailing'),
    runbookLink('SmtpProxyMetricsOverflowing'),
  ],
})

export const operation: Row = {
  heading: 'Does the proxy work correctly?',
  height: 8,
  panels: [
    [12, uptimes],
    [12, refused],
    [12, opaque],
    [12, losses],
  ],
}
