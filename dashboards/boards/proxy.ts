import * as units from '@grafana/grafana-foundation-sdk/units'
import type { closeReasons } from '../../otel/names/names.ts'
import { dashboards } from '../alerts/alert.ts'
import { CERTIFICATE } from '../alerts/thresholds.ts'
import { closeColors, lossColors } from '../panels/colors.ts'
import { events, lines } from '../panels/graphs.ts'
import { CLIENTS, runbookLink, spanWith, tracesLink } from '../panels/links.ts'
import { notMeasured, rangeTexts, stat, thresholds, zeroIsGood } from '../panels/panels.ts'
import {
  endedSessions,
  growth,
  measured,
  ofProxies,
  orZero,
  perSecond,
  quantile,
  RATE_INTERVAL,
  RECENT,
  rarePerMinute,
  rareSessionsPerMinute,
  select,
  selectWholeProxies,
  sum,
  whileScraped,
} from '../promql/queries.ts'
import { dashboard } from './dashboard.ts'

const DAY = 86_400

type CloseReason = (typeof closeReasons)[number]
/** Excludes records that the rate limit drops by design. */
const LOST = { 'telemetry.loss': { not: 'rate_limited' } } as const
const REFUSED = [
  'session_limit',
  'not_allowed',
  'proxy_header',
  'dial_failed',
] as const satisfies readonly CloseReason[]
/** Sessions that the proxy refused. Replies are not counted: before TLS, and without a PROXY header, it sends none. */
const OWN_REFUSALS = { 'smtp.session.close_reason': { oneOf: REFUSED } } as const
const UPTIME = ofProxies(select.series('uptime'))
const BUSY = { 'nodejs.eventloop.state': 'active' } as const

const daysLeft = `(min by (tls_side) (${select.series('certificateNotAfter')}) - time()) / ${DAY}`
const busiest = (window: string) => {
  const share = (state: object) =>
    `sum by (instance, smtp_loop) (increase(${select.series('loopTime', state)}[${window}]))`
  return `max(${share(BUSY)} / ${share({})})`
}

/** The number of checks that fail. */
const failedChecks = [
  `(${orZero(`${sum(endedSessions(RECENT, OWN_REFUSALS, selectWholeProxies))} > bool 0`)})`,
  `(${sum(growth(RECENT, 'sessionOpaque', {}, selectWholeProxies))} > bool 0)`,
  `(${sum(growth(RECENT, 'telemetryLost', LOST, selectWholeProxies))} > bool 0)`,
  `(${sum(growth(RECENT, 'observerFailures', {}, selectWholeProxies))} > bool 0)`,
  `(${busiest(RECENT)} > bool 0.8)`,
  `(${orZero(`min(${daysLeft}) < bool ${CERTIFICATE.listener.critical / DAY}`)})`,
].join(' + ')

const isHealthy = stat({
  title: 'Is the proxy healthy?',
  description:
    'Over the last five minutes. Yes: the proxy refused no session, no session became opaque, no telemetry was lost, no ' +
    'telemetry observer failed, no event loop was busy for more than 80% of the time, and no certificate expires within ' +
    'three days. No: the number of these six checks that fail. They cover all apps of the selected proxies.',
  unit: units.Short,
  queries: [{ expr: measured(failedChecks) }],
  thresholds: zeroIsGood(),
  mappings: rangeTexts(
    notMeasured('Just started'),
    { from: -0.5, to: 0.5, text: 'Yes', color: 'green' },
    ...[1, 2, 3, 4, 5, 6].map((n) => ({ from: n - 0.5, to: n + 0.5, text: `No (${n})`, color: 'red' })),
  ),
  decimals: 0,
  filled: true,
  noValue: 'No proxy seen',
  links: [runbookLink('SmtpProxyDown'), runbookLink('SmtpProxyAbsent')],
})

const scraped = stat({
  title: 'Proxies seen',
  description: 'The number of proxies that Prometheus scrapes now, and the uptime of the one that started last.',
  unit: units.Seconds,
  queries: [
    { expr: `count(${UPTIME})`, legend: 'proxies' },
    { expr: `min(${UPTIME})`, legend: 'shortest uptime' },
  ],
  thresholds: thresholds('text'),
  units: { proxies: units.Short },
  noValue: 'none',
  links: [runbookLink('SmtpProxyDown'), runbookLink('SmtpProxyRestarting')],
})

const busy = stat({
  title: 'Busiest event loop',
  description:
    'The share of the last five minutes in which the busiest event loop was active. Near 100%, mail is delayed.',
  unit: units.PercentUnit,
  queries: [{ expr: whileScraped(busiest(RECENT)) }],
  thresholds: thresholds('green', [0.6, 'orange'], [0.8, 'red']),
  decimals: 0,
})

const certificates = stat({
  title: 'Days left on certificates',
  description:
    "Days until the certificates expire: the one that AhaSend presented last (upstream), and the listeners' own, if they " +
    'have one. AhaSend renews its certificate.',
  unit: units.Short,
  queries: [{ expr: daysLeft, legend: '{{tls_side}}' }],
  thresholds: thresholds(
    'red',
    [CERTIFICATE.listener.critical / DAY, 'orange'],
    [CERTIFICATE.listener.warning / DAY, 'green'],
  ),
  decimals: 0,
  links: [runbookLink('SmtpProxyCertificateExpiring'), runbookLink('AhaSendCertificateExpiring')],
})

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
    'PROXY_MAX_SESSIONS_PER_CLIENT is reached. not_allowed: the address is not in PROXY_ALLOW. proxy_header: no valid ' +
    'header from an address in PROXY_TRUST_PROXY_PROTOCOL. dial_failed: no upstream is reachable, or the proxy has no ' +
    'file descriptor, port or memory left.',
  unit: units.Short,
  queries: [
    {
      expr: sum(rareSessionsPerMinute(OWN_REFUSALS), 'smtp.session.close_reason'),
      legend: '{{smtp_session_close_reason}}',
    },
  ],
  colors: closeColors,
  noValue: 'No refused sessions seen',
  links: [
    tracesLink(
      'Traces of these sessions',
      spanWith(
        { 'smtp.session.close_reason': { matches: REFUSED.join('|') }, 'smtp.client.name': { matches: CLIENTS } },
        'session',
      ),
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
    'Sessions per minute that the proxy continues to relay but can no longer parse, by reason. Mail is not affected, but ' +
    'metrics and traces are incomplete. Also replies that the app may not have received: incomplete (AhaSend closed the ' +
    'connection in the middle), undelivered (the app had disconnected), after_fin (the app had closed its sending side ' +
    'without QUIT before its message was accepted). An app without the reply may send the message again.',
  unit: units.Short,
  queries: [
    { expr: sum(rarePerMinute('sessionOpaque'), 'smtp.opaque.reason'), legend: '{{smtp_opaque_reason}}' },
    { expr: sum(rarePerMinute('repliesLost'), 'smtp.reply.loss'), legend: 'reply {{smtp_reply_loss}}' },
  ],
  noValue: 'None seen',
  links: [
    tracesLink(
      'Traces of opaque sessions',
      spanWith({ 'smtp.client.name': { matches: CLIENTS } }, 'session', 'span.smtp.opaque.reason != nil'),
    ),
    runbookLink('SmtpProxySessionsOpaque'),
  ],
})

const losses = events({
  title: 'Telemetry losses',
  description:
    'Lost records per minute. queue_full: records arrived faster than they were exported. export_failed: the receiver ' +
    'did not accept them. stdout_full: nothing reads the log fast enough. rate_limited: dropped by design. observer: a ' +
    'bug in the telemetry code.',
  unit: units.Short,
  queries: [
    {
      expr: sum(rarePerMinute('telemetryLost'), 'telemetry.signal', 'telemetry.loss'),
      legend: '{{telemetry_signal}} {{telemetry_loss}}',
    },
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

const LOOP = '{{instance}} loop {{smtp_loop}}'
const loopShare = (state: object) => `sum by (instance, smtp_loop) (${perSecond('loopTime', state)})`

const loops = lines({
  title: 'Event loops and CPU',
  description:
    'The share of time in which each event loop that relays mail was active (PROXY_WORKERS sets their number), and the ' +
    'CPU usage of the whole process: 100% is one core.',
  unit: units.PercentUnit,
  queries: [
    { expr: `${loopShare(BUSY)} / ${loopShare({})}`, legend: LOOP },
    { expr: `sum by (instance) (${ofProxies(perSecond('cpuTime'))})`, legend: '{{instance}} CPU' },
  ],
})

const delays = lines({
  title: 'Event loop delay, p99',
  description:
    'The longest delay of the event loop in each second; 1% of seconds have a longer one. Each reply can take longer by ' +
    'this delay. Above 100 ms, something blocks the loop.',
  unit: units.Seconds,
  queries: [{ expr: quantile(0.99, RATE_INTERVAL, 'loopDelay', {}, 'instance', 'smtp.loop'), legend: LOOP }],
  links: [
    tracesLink(
      'Traces of slow messages',
      spanWith({ 'smtp.client.name': { matches: CLIENTS } }, 'transaction', 'duration > 2s'),
    ),
  ],
})

const memory = lines({
  title: 'Memory',
  description:
    'Physical memory of each process, and the used heap of its event loops. A heap that grows steadily is a leak.',
  unit: units.BytesIEC,
  queries: [
    { expr: ofProxies(select.series('memoryUsage')), legend: '{{instance}}' },
    { expr: select.series('loopHeap'), legend: `${LOOP} heap` },
  ],
})

const traffic = lines({
  title: 'Bytes relayed',
  description: 'Bytes per second, without TLS overhead. transmit: from apps to AhaSend. receive: from AhaSend to apps.',
  unit: units.BytesPerSecondIEC,
  queries: [{ expr: sum(perSecond('io'), 'network.io.direction'), legend: '{{network_io_direction}}' }],
  links: [
    tracesLink(
      'Traces of large messages',
      spanWith(
        { 'smtp.message.size': { atLeast: 10_485_760 }, 'smtp.client.name': { matches: CLIENTS } },
        'transaction',
      ),
    ),
  ],
})

export const proxy = dashboard({
  uid: dashboards.proxy,
  title: 'AhaSend: the proxy itself',
  question: 'Is the proxy healthy, and is its telemetry complete?',
  rows: [
    {
      heading: 'Is the proxy healthy?',
      height: 5,
      panels: [
        [6, isHealthy],
        [6, scraped],
        [6, busy],
        [6, certificates],
      ],
    },
    {
      heading: 'Does the proxy work correctly?',
      height: 8,
      panels: [
        [12, uptimes],
        [12, refused],
        [12, opaque],
        [12, losses],
      ],
    },
    {
      heading: 'Does the proxy have enough resources?',
      height: 8,
      panels: [
        [12, loops],
        [12, delays],
        [12, memory],
        [12, traffic],
      ],
    },
  ],
})
