import * as units from '@grafana/grafana-foundation-sdk/units'
import { dashboards } from '../alerts/alert.ts'
import { LIMITS } from '../alerts/thresholds.ts'
import { closeColors, dialColors } from '../panels/colors.ts'
import { areas, events, lines } from '../panels/graphs.ts'
import { CLIENTS, dashboardLink, runbookLink, spanWith, tracesLink } from '../panels/links.ts'
import { heatmap, notMeasured, rangeTexts, stat, thresholds, zeroIsGood } from '../panels/panels.ts'
import {
  growth,
  measured,
  orZero,
  quantile,
  RANGE,
  RATE_INTERVAL,
  RECENT,
  rarePerMinute,
  select,
  sum,
} from '../promql/queries.ts'
import { dashboard } from './dashboard.ts'

const LIMIT_HIT = {
  'smtp.reply.cause': { oneOf: ['message_too_big', 'too_many_recipients', 'connection_limit'] },
} as const

const within = stat({
  title: "Within AhaSend's limits?",
  description:
    'No: in the selected time range, AhaSend refused a message above 20 MiB, a message with more than 50 recipients, or ' +
    'more than 10,000 messages on a connection. The refusals dashboard shows what was refused and for which app.',
  unit: units.Short,
  queries: [{ expr: orZero(sum(growth(RANGE, 'replies', LIMIT_HIT))) }],
  thresholds: zeroIsGood(),
  mappings: rangeTexts({ to: 0.5, text: 'Yes', color: 'green' }, { from: 0.5, text: 'No', color: 'red' }),
  filled: true,
  noValue: 'No proxy seen',
  links: [
    dashboardLink('Refusals', dashboards.refusals),
    runbookLink('AhaSendMessageSizeLimit'),
    runbookLink('AhaSendRecipientLimit'),
    runbookLink('AhaSendConnectionLimit'),
  ],
})

/** Excludes failures of the proxy's own machine, which are not caused by AhaSend or the network. */
const NOT_LOCAL = { 'error.type': { not: 'local_resources_exhausted' } } as const
const failedDialCount = sum(growth(RECENT, 'dials', { 'error.type': { noneOf: ['', 'local_resources_exhausted'] } }))

const reachable = stat({
  title: 'Is AhaSend reachable?',
  description:
    'Over the last five minutes. Yes: at least 99% of the attempts to connect to an upstream (dials) succeeded. Partly: ' +
    'at least 50%. A 421 in place of the greeting is a failure. Attempts that failed because the proxy had no file ' +
    'descriptor, port or memory left do not count.',
  unit: units.PercentUnit,
  queries: [{ expr: measured(`1 - ${failedDialCount} / ${sum(growth(RECENT, 'dials', NOT_LOCAL))}`) }],
  thresholds: thresholds('red'),
  mappings: rangeTexts(
    notMeasured('No attempts'),
    { from: 0.99, text: 'Yes', color: 'green' },
    { from: 0.5, to: 0.99, text: 'Partly', color: 'orange' },
    { from: -0.5, to: 0.5, text: 'No', color: 'red' },
  ),
  filled: true,
  noValue: 'No proxy seen',
  links: [
    tracesLink('Traces of failed dials', spanWith({}, 'dial', 'status = error')),
    runbookLink('AhaSendUnreachable'),
  ],
})

const BUSIEST = 'busiest proxy'

const open = stat({
  title: 'Open sessions',
  description:
    'Open connections of the selected apps: in total, and on the proxy that has most of them. PROXY_MAX_SESSIONS limits ' +
    'the sessions of all apps on one proxy (default 10,000). All upstreams together.',
  unit: units.LocaleFormat,
  queries: [
    { expr: sum(select.series('sessionActive')), legend: 'total' },
    { expr: `max(${sum(select.series('sessionActive'), 'job', 'instance')})`, legend: BUSIEST },
  ],
  thresholds: thresholds('text'),
  colors: { [BUSIEST]: thresholds('text', [5000, 'orange'], [9000, 'red']) },
  decimals: 0,
})

const idle = stat({
  title: 'Idle disconnects',
  description:
    'Connections that AhaSend closed in the selected time range because nothing was sent for 60 s. This is normal for ' +
    "connection pools. If apps log errors, set their pool's idle timeout below 60 s.",
  unit: units.LocaleFormat,
  queries: [{ expr: orZero(sum(growth(RANGE, 'replies', { 'smtp.reply.cause': 'idle_timeout' }))) }],
  thresholds: thresholds('text'),
  decimals: 0,
  links: [runbookLink('AhaSendIdleDisconnects')],
})

const largest = stat({
  title: 'Largest message, at most',
  description:
    'The upper bound of the histogram bucket that holds the largest message in the selected time range. AhaSend accepts ' +
    'up to 20 MiB (20,971,520 bytes), including headers and base64. The highest bounds are 4, 10, 15 and 20 MiB; 20 MiB ' +
    'is orange. All upstreams together.',
  unit: units.BytesIEC,
  queries: [{ expr: measured(quantile(1, RANGE, 'messageSize')) }],
  thresholds: thresholds('green', [LIMITS.messageSize, 'orange']),
  mappings: rangeTexts(notMeasured('No mail')),
  links: [
    tracesLink(
      'Traces of large messages',
      spanWith(
        { 'smtp.message.size': { atLeast: 10_485_760 }, 'smtp.client.name': { matches: CLIENTS } },
        'transaction',
      ),
    ),
    runbookLink('AhaSendMessageSizeLimit'),
  ],
})

const lifetimes = heatmap({
  title: 'How long do sessions last?',
  description:
    'Sessions that ended, by duration; brighter cells have more sessions. A band at 60 s: AhaSend closes idle ' +
    'connections. A band at the bottom: apps that open a connection for each message, or sessions that are turned away.',
  unit: units.Seconds,
  expr: sum(`increase(${select.bucket('sessionDuration')}[${RATE_INTERVAL}])`, 'le'),
  links: [tracesLink('Traces of sessions', spanWith({ 'smtp.client.name': { matches: CLIENTS } }, 'session'))],
})

const reasons = areas({
  title: 'Why do sessions end?',
  description:
    'Sessions that ended per minute, by reason. quit and client_closed: the app finished. upstream_421: AhaSend sent a ' +
    '421, also to idle sessions. idle: PROXY_IDLE_TIMEOUT. upstream_closed, upstream_reset, dial_failed and error are ' +
    'failures.',
  unit: units.Short,
  queries: [
    {
      expr: sum(`60 * rate(${select.count('sessionDuration')}[${RATE_INTERVAL}])`, 'smtp.session.close_reason'),
      legend: '{{smtp_session_close_reason}}',
    },
  ],
  colors: closeColors,
  links: [
    tracesLink(
      'Traces of broken sessions',
      spanWith({ 'smtp.client.name': { matches: CLIENTS } }, 'session', 'status = error'),
    ),
    runbookLink('AhaSendIdleDisconnects'),
    runbookLink('AhaSendDroppingSessions'),
  ],
})

const phases = lines({
  title: 'Time to connect to AhaSend, p95',
  description:
    'How long each phase of a connection attempt takes (5% take longer): DNS, TCP, the greeting, STARTTLS with its ' +
    'handshake, and the total. Preconnected sessions (PROXY_WARM_CONNECTIONS) count too, although no app waits for them.',
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
    'Attempts to connect to an upstream that failed, per minute. greeting_refused: a 421 in place of the greeting. ' +
    "local_resources_exhausted: the proxy's machine has no file descriptor, port or memory left. All other reasons are " +
    'network, DNS or TLS failures; the proxy sends nothing if it cannot verify the certificate.',
  unit: units.Short,
  queries: [
    {
      expr: sum(rarePerMinute('dials', { 'error.type': { not: '' } }), 'server.address', 'error.type'),
      legend: '{{server_address}} {{error_type}}',
    },
  ],
  colors: dialColors,
  noValue: 'No failed dials seen',
  links: [
    tracesLink('Traces of failed dials', spanWith({}, 'dial', 'status = error')),
    runbookLink('AhaSendUnreachable'),
    runbookLink('SmtpProxyOutOfResources'),
  ],
})

const LIMIT = "AhaSend's limit"

/** Quantiles (1 is the largest value) and AhaSend's limit. */
function againstLimit(key: keyof typeof LIMITS, ...quantiles: readonly number[]) {
  const measuredQuantiles = quantiles.map((q) => ({
    expr: quantile(q, RATE_INTERVAL, key),
    legend: q === 1 ? 'largest' : `p${q * 100}`,
  }))
  return [...measuredQuantiles, { expr: `vector(${LIMITS[key]})`, legend: LIMIT }]
}

const sizes = lines({
  title: 'Message size',
  description:
    'Message size in bytes, including headers and base64. "largest" is the upper bound of a histogram bucket. The limit ' +
    'is 20 MiB (20,971,520 bytes): AhaSend answers 552 to larger messages. All upstreams together.',
  unit: units.BytesIEC,
  queries: againstLimit('messageSize', 0.5, 0.99, 1),
  dashed: { [LIMIT]: 'red' },
  logarithmic: 2,
  links: [
    tracesLink(
      'Traces of large messages',
      spanWith(
        { 'smtp.message.size': { atLeast: 10_485_760 }, 'smtp.client.name': { matches: CLIENTS } },
        'transaction',
      ),
    ),
    runbookLink('AhaSendMessageSizeLimit'),
  ],
})

const recipients = lines({
  title: 'Recipients per message',
  description:
    'Recipients of a message: 50%, 10% and 1% of messages have more (p50, p90 and p99, estimated from histogram ' +
    'buckets). The limit is 50: beyond it, AhaSend answers 452. All apps and upstreams together.',
  unit: units.Short,
  queries: againstLimit('messageRecipients', 0.5, 0.9, 0.99),
  dashed: { [LIMIT]: 'red' },
  links: [
    tracesLink(
      'Traces of messages with many recipients',
      spanWith({ 'smtp.message.recipient_count': { atLeast: 40 } }, 'transaction'),
    ),
    runbookLink('AhaSendRecipientLimit'),
  ],
})

const messages = lines({
  title: 'Messages per connection',
  description:
    'Messages of a session, counted when it ends. "largest" is the upper bound of a histogram bucket. The limit is ' +
    '10,000: AhaSend then answers 421 or 452 until the app reconnects. All apps together.',
  unit: units.Short,
  queries: againstLimit('sessionMessages', 0.5, 0.99, 1),
  dashed: { [LIMIT]: 'red' },
  logarithmic: 10,
  links: [
    tracesLink('Traces of long sessions', spanWith({ 'smtp.session.messages': { atLeast: 5000 } }, 'session')),
    runbookLink('AhaSendConnectionLimit'),
  ],
})

export const limits = dashboard({
  uid: dashboards.limits,
  title: 'AhaSend: connections and limits',
  question: "Are connections to AhaSend fast and stable, and how close is the traffic to AhaSend's limits?",
  rows: [
    {
      heading: 'Is AhaSend reachable, and is the traffic within its limits?',
      height: 5,
      panels: [
        [5, within],
        [5, reachable],
        [5, largest],
        [4, idle],
        [5, open],
      ],
    },
    {
      heading: 'Are connections stable?',
      height: 9,
      panels: [
        [12, lifetimes],
        [12, reasons],
        [12, phases],
        [12, failedDials],
      ],
    },
    {
      heading: 'How close are the limits?',
      height: 8,
      panels: [
        [8, sizes],
        [8, recipients],
        [8, messages],
      ],
    },
  ],
})
