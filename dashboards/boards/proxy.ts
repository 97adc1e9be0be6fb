import * as units from '@grafana/grafana-foundation-sdk/units'
import type { closeReasons } from '../../otel/names/names.ts'
import { dashboards } from '../alerts/alert.ts'
import { CERTIFICATE } from '../alerts/thresholds.ts'
import { closeColors, lossColors } from '../panels/colors.ts'
import { events, lines } from '../panels/graphs.ts'
import { CLIENTS, runbookLink, spanWith, tracesLink } from '../panels/links.ts'
import { noneIsGood, noneYet, stat, thresholds, words } from '../panels/panels.ts'
import {
  endedSessions,
  grown,
  measured,
  NOW,
  ofProxies,
  orZero,
  perSecond,
  quantile,
  STEP,
  seldom,
  seldomEnded,
  select,
  selectWhole,
  sum,
  whileSeen,
} from '../promql/queries.ts'
import { dashboard } from './dashboard.ts'

const DAY = 86_400

type CloseReason = (typeof closeReasons)[number]
/** What is held back on purpose is no loss. */
const LOST = { 'telemetry.loss': { not: 'rate_limited' } } as const
const REFUSED = [
  'session_limit',
  'not_allowed',
  'proxy_header',
  'dial_failed',
] as const satisfies readonly CloseReason[]
/** Sessions that the proxy refused. Not its replies: before TLS, and without a PROXY header, it sends none. */
const OWN_REFUSALS = { 'smtp.session.close_reason': { oneOf: REFUSED } } as const
const UPTIME = ofProxies(select.series('uptime'))
const BUSY = { 'nodejs.eventloop.state': 'active' } as const

const daysLeft = `(min by (tls_side) (${select.series('certificateNotAfter')}) - time()) / ${DAY}`
const busiest = (window: string) => {
  const share = (state: object) =>
    `sum by (instance, smtp_loop) (increase(${select.series('loopTime', state)}[${window}]))`
  return `max(${share(BUSY)} / ${share({})})`
}

/** Each true statement counts one. */
const troubles = [
  `(${orZero(`${sum(endedSessions(NOW, OWN_REFUSALS, selectWhole))} > bool 0`)})`,
  `(${sum(grown(NOW, 'sessionOpaque', {}, selectWhole))} > bool 0)`,
  `(${sum(grown(NOW, 'telemetryLost', LOST, selectWhole))} > bool 0)`,
  `(${sum(grown(NOW, 'observerFailures', {}, selectWhole))} > bool 0)`,
  `(${busiest(NOW)} > bool 0.8)`,
  `(${orZero(`min(${daysLeft}) < bool ${CERTIFICATE.listener.critical / DAY}`)})`,
].join(' + ')

const isWell = stat({
  title: 'Is the proxy well?',
  description:
    'Of the last five minutes. Yes: the proxy refused no session, none became opaque, no telemetry was ' +
    'lost, no event loop was busy for more than 80 % of the time, and no certificate ends within three days. Else how ' +
    'many of these six are not so. Of whole proxies, whichever app is chosen.',
  unit: units.Short,
  queries: [{ expr: measured(troubles) }],
  thresholds: noneIsGood(),
  mappings: words(
    noneYet('Just started'),
    { from: -0.5, to: 0.5, text: 'Yes', color: 'green' },
    { from: 0.5, to: 1.5, text: '1 trouble', color: 'red' },
    ...[2, 3, 4, 5, 6].map((n) => ({ from: n - 0.5, to: n + 0.5, text: `${n} troubles`, color: 'red' })),
  ),
  decimals: 0,
  loud: true,
  nothing: 'No proxy seen',
  links: [runbookLink('SmtpProxyDown'), runbookLink('SmtpProxyAbsent')],
})

const seen = stat({
  title: 'Proxies seen',
  description: 'Proxies that are scraped now, and since when the youngest of them runs.',
  unit: units.Seconds,
  queries: [
    { expr: `count(${UPTIME})`, legend: 'proxies' },
    { expr: `min(${UPTIME})`, legend: 'youngest runs for' },
  ],
  thresholds: thresholds('text'),
  units: { proxies: units.Short },
  nothing: 'none',
  links: [runbookLink('SmtpProxyDown'), runbookLink('SmtpProxyRestarting')],
})

const busy = stat({
  title: 'Busiest event loop',
  description: 'The share of the last five minutes in which the busiest event loop worked. Near 100 % mail waits.',
  unit: units.PercentUnit,
  queries: [{ expr: whileSeen(busiest(NOW)) }],
  thresholds: thresholds('green', [0.6, 'orange'], [0.8, 'red']),
  decimals: 0,
})

const certificates = stat({
  title: 'Days left on certificates',
  description:
    "Until the certificate ends that AhaSend showed last (upstream), and the listeners' own, if they have one. AhaSend " +
    'renews its own.',
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

const proxies = lines({
  title: 'Proxies',
  description: 'How long each proxy has been running. A fall is a restart, a gap is one that was not scraped.',
  unit: units.Seconds,
  queries: [{ expr: UPTIME, legend: '{{instance}}' }],
  links: [runbookLink('SmtpProxyDown'), runbookLink('SmtpProxyRestarting'), runbookLink('SmtpProxyAbsent')],
})

const refused = events({
  title: 'Sessions refused by the proxy',
  description:
    'Sessions a minute that the proxy refused, on all listeners. session_limit: PROXY_MAX_SESSIONS or ' +
    'PROXY_MAX_SESSIONS_PER_CLIENT. not_allowed: PROXY_ALLOW. proxy_header: PROXY_TRUST_PROXY_PROTOCOL, and no valid ' +
    'header. dial_failed: no upstream could be reached, or no descriptor, port or memory is left.',
  unit: units.Short,
  queries: [
    {
      expr: sum(seldomEnded(OWN_REFUSALS), 'smtp.session.close_reason'),
      legend: '{{smtp_session_close_reason}}',
    },
  ],
  colors: closeColors,
  nothing: 'No refused session seen',
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
    'Sessions a minute that are relayed without being understood any more, by reason. Mail goes on, but metrics and ' +
    'traces say less than happens. Also replies that the app may lack: incomplete (AhaSend closed in the middle), ' +
    'undelivered (the app was gone), after_fin (the app had closed its sending side without QUIT before its message was ' +
    'accepted). An app that lacks such a reply may send the message again.',
  unit: units.Short,
  queries: [
    { expr: sum(seldom('sessionOpaque'), 'smtp.opaque.reason'), legend: '{{smtp_opaque_reason}}' },
    { expr: sum(seldom('repliesLost'), 'smtp.reply.loss'), legend: 'reply {{smtp_reply_loss}}' },
  ],
  nothing: 'None seen',
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
    'Records a minute that were lost. queue_full: more than was taken away. export_failed: the receiver did not take ' +
    'them. stdout_full: nobody reads the log. rate_limited is on purpose. observer: a bug in the telemetry itself.',
  unit: units.Short,
  queries: [
    {
      expr: sum(seldom('telemetryLost'), 'telemetry.signal', 'telemetry.loss'),
      legend: '{{telemetry_signal}} {{telemetry_loss}}',
    },
    { expr: sum(seldom('observerFailures')), legend: 'observer' },
  ],
  colors: lossColors,
  nothing: 'No loss seen',
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
    'The share of the time in which each event loop that relays mail worked (PROXY_WORKERS), and the CPU of the whole ' +
    'process: 100 % is one core.',
  unit: units.PercentUnit,
  queries: [
    { expr: `${loopShare(BUSY)} / ${loopShare({})}`, legend: LOOP },
    { expr: `sum by (instance) (${ofProxies(perSecond('cpuTime'))})`, legend: '{{instance}} CPU' },
  ],
})

const delays = lines({
  title: 'Event loop delay, p99',
  description:
    'The longest wait for a turn within a second, in the worst of a hundred seconds: so much is added to every reply. ' +
    'Above 100 ms something blocks the loop.',
  unit: units.Seconds,
  queries: [{ expr: quantile(0.99, STEP, 'loopDelay', {}, 'instance', 'smtp.loop'), legend: LOOP }],
  links: [
    tracesLink(
      'Traces of slow mails',
      spanWith({ 'smtp.client.name': { matches: CLIENTS } }, 'transaction', 'duration > 2s'),
    ),
  ],
})

const memory = lines({
  title: 'Memory',
  description:
    'Physical memory of each process, and what its event loops use of their heaps. Steady growth of the heap is a leak.',
  unit: units.BytesIEC,
  queries: [
    { expr: ofProxies(select.series('memoryUsage')), legend: '{{instance}}' },
    { expr: select.series('loopHeap'), legend: `${LOOP} heap` },
  ],
})

const traffic = lines({
  title: 'Octets relayed',
  description: 'Inside TLS, each second. transmit: from apps to AhaSend. receive: from AhaSend to apps.',
  unit: units.BytesPerSecondIEC,
  queries: [{ expr: sum(perSecond('io'), 'network.io.direction'), legend: '{{network_io_direction}}' }],
  links: [
    tracesLink(
      'Traces of large mails',
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
  question: 'Is the proxy well, and does its telemetry see everything?',
  rows: [
    {
      heading: 'Is the proxy well?',
      height: 5,
      panels: [
        [6, isWell],
        [6, seen],
        [6, busy],
        [6, certificates],
      ],
    },
    {
      heading: 'Does it do its work?',
      height: 8,
      panels: [
        [12, proxies],
        [12, refused],
        [12, opaque],
        [12, losses],
      ],
    },
    {
      heading: 'Has it enough of everything?',
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
