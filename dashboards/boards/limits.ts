import * as units from '@grafana/grafana-foundation-sdk/units'
import { dashboards } from '../alerts/alert.ts'
import { LIMITS } from '../alerts/thresholds.ts'
import { closeColors, dialColors } from '../panels/colors.ts'
import { areas, events, lines } from '../panels/graphs.ts'
import { CLIENTS, dashboardLink, runbookLink, spanWith, tracesLink } from '../panels/links.ts'
import { heatmap, noneIsGood, noneYet, stat, thresholds, words } from '../panels/panels.ts'
import { grown, measured, NOW, orZero, quantile, SHOWN, STEP, seldom, select, sum } from '../promql/queries.ts'
import { dashboard } from './dashboard.ts'

const LIMIT_HIT = {
  'smtp.reply.cause': { oneOf: ['message_too_big', 'too_many_recipients', 'connection_limit'] },
} as const

const within = stat({
  title: 'Within the limits?',
  description:
    'No: in the time shown AhaSend refused something for being too big (20 MiB), for too many recipients (50) or for too ' +
    'many mails on a connection (10,000). The refusals say what and whose.',
  unit: units.Short,
  queries: [{ expr: orZero(sum(grown(SHOWN, 'replies', LIMIT_HIT))) }],
  thresholds: noneIsGood(),
  mappings: words({ to: 0.5, text: 'Yes', color: 'green' }, { from: 0.5, text: 'No', color: 'red' }),
  loud: true,
  nothing: 'No proxy seen',
  links: [
    dashboardLink('Refusals', dashboards.refusals),
    runbookLink('AhaSendMessageSizeLimit'),
    runbookLink('AhaSendRecipientLimit'),
    runbookLink('AhaSendConnectionLimit'),
  ],
})

/** Of the proxy's own machine, so they say nothing about AhaSend. */
const NOT_OURS = { 'error.type': { not: 'local_resources_exhausted' } } as const
const dialsThatFailed = sum(grown(NOW, 'dials', { 'error.type': { noneOf: ['', 'local_resources_exhausted'] } }))

const reached = stat({
  title: 'Is AhaSend reached?',
  description:
    'Of the last five minutes. Yes: at least 99 % of the attempts to reach an upstream succeeded. Partly: at least half. ' +
    'A 421 in place of the greeting is a failure. An attempt for which the proxy had no descriptor, port or memory left ' +
    'does not count.',
  unit: units.PercentUnit,
  queries: [{ expr: measured(`1 - ${dialsThatFailed} / ${sum(grown(NOW, 'dials', NOT_OURS))}`) }],
  thresholds: thresholds('red'),
  mappings: words(
    noneYet('No dials'),
    { from: 0.99, text: 'Yes', color: 'green' },
    { from: 0.5, to: 0.99, text: 'Partly', color: 'orange' },
    { from: -0.5, to: 0.5, text: 'No', color: 'red' },
  ),
  loud: true,
  nothing: 'No proxy seen',
  links: [
    tracesLink('Traces of failed dials', spanWith({}, 'dial', 'status = error')),
    runbookLink('AhaSendUnreachable'),
  ],
})

const FULLEST = 'in the fullest proxy'

const open = stat({
  title: 'Sessions open',
  description:
    'Connections of the chosen apps that are open now, and how many of them the fullest proxy has. PROXY_MAX_SESSIONS is ' +
    'the limit of one proxy for all apps, 10,000 unless set. All upstreams together.',
  unit: units.LocaleFormat,
  queries: [
    { expr: sum(select.series('sessionActive')), legend: 'open' },
    { expr: `max(${sum(select.series('sessionActive'), 'job', 'instance')})`, legend: FULLEST },
  ],
  thresholds: thresholds('text'),
  colors: { [FULLEST]: thresholds('text', [5000, 'orange'], [9000, 'red']) },
  decimals: 0,
})

const idle = stat({
  title: 'Idle disconnects',
  description:
    'Connections that AhaSend closed in the time shown, because nothing was sent for 60 s. Normal for pools; if apps log ' +
    "errors, their pool's idle time is above 60 s.",
  unit: units.LocaleFormat,
  queries: [{ expr: orZero(sum(grown(SHOWN, 'replies', { 'smtp.reply.cause': 'idle_timeout' }))) }],
  thresholds: thresholds('text'),
  decimals: 0,
  links: [runbookLink('AhaSendIdleDisconnects')],
})

const largest = stat({
  title: 'Largest mail, at most',
  description:
    'The upper end of the size class of the largest message in the time shown; AhaSend takes 20 MiB (20,971,520 bytes) ' +
    'with headers and base64. Classes end at 4, 10, 15 and 20 MiB; orange is the last one. All upstreams together.',
  unit: units.BytesIEC,
  queries: [{ expr: measured(quantile(1, SHOWN, 'messageSize')) }],
  thresholds: thresholds('green', [LIMITS.messageSize, 'orange']),
  mappings: words(noneYet('No mail')),
  links: [
    tracesLink(
      'Traces of large mails',
      spanWith(
        { 'smtp.message.size': { atLeast: 10_485_760 }, 'smtp.client.name': { matches: CLIENTS } },
        'transaction',
      ),
    ),
    runbookLink('AhaSendMessageSizeLimit'),
  ],
})

const lifetimes = heatmap({
  title: 'How long do connections live?',
  description:
    'Sessions that ended, by lifetime; brighter is more. A band at 60 s is AhaSend closing idle connections, one at the ' +
    'bottom is apps that connect for each mail, or are turned away.',
  unit: units.Seconds,
  expr: sum(`increase(${select.bucket('sessionDuration')}[${STEP}])`, 'le'),
  links: [tracesLink('Traces of sessions', spanWith({ 'smtp.client.name': { matches: CLIENTS } }, 'session'))],
})

const reasons = areas({
  title: 'Why do sessions end?',
  description:
    'Sessions that ended, a minute, by reason. quit and client_closed: the app is done. upstream_421: AhaSend said 421, ' +
    'to idle ones too. idle: PROXY_IDLE_TIMEOUT. upstream_closed, upstream_reset, dial_failed and error are faults.',
  unit: units.Short,
  queries: [
    {
      expr: sum(`60 * rate(${select.count('sessionDuration')}[${STEP}])`, 'smtp.session.close_reason'),
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
  title: 'Time to reach AhaSend, p95',
  description:
    'How long the phases of a dial take for the slowest in 20: DNS, TCP, the greeting, STARTTLS with its handshake, and ' +
    'all together. Dials ahead of need (PROXY_WARM_CONNECTIONS) count too, but make no app wait.',
  unit: units.Seconds,
  queries: [{ expr: quantile(0.95, STEP, 'dialDuration', {}, 'smtp.dial.phase'), legend: '{{smtp_dial_phase}}' }],
  logarithmic: 10,
  links: [tracesLink('Traces of slow dials', spanWith({}, 'dial', 'duration > 1s'))],
})

const failedDials = events({
  title: 'Failed dials by reason',
  description:
    'Attempts a minute to reach an upstream that failed. greeting_refused is a 421 in place of the greeting. ' +
    'local_resources_exhausted: the machine of the proxy has no descriptor, port or memory left. The others are network, ' +
    'DNS or TLS: nothing is sent when the certificate cannot be trusted.',
  unit: units.Short,
  queries: [
    {
      expr: sum(seldom('dials', { 'error.type': { not: '' } }), 'server.address', 'error.type'),
      legend: '{{server_address}} {{error_type}}',
    },
  ],
  colors: dialColors,
  nothing: 'No failed dial seen',
  links: [
    tracesLink('Traces of failed dials', spanWith({}, 'dial', 'status = error')),
    runbookLink('AhaSendUnreachable'),
    runbookLink('SmtpProxyOutOfResources'),
  ],
})

const LIMIT = "AhaSend's limit"

/** Quantiles, of which 1 is the largest, and AhaSend's limit. */
function againstLimit(key: keyof typeof LIMITS, ...quantiles: readonly number[]) {
  const known = quantiles.map((q) => ({ expr: quantile(q, STEP, key), legend: q === 1 ? 'largest' : `p${q * 100}` }))
  return [...known, { expr: `vector(${LIMITS[key]})`, legend: LIMIT }]
}

const sizes = lines({
  title: 'Message size',
  description:
    'Bytes on the wire, including headers and base64, as the upper end of a size class. The limit is 20 MiB ' +
    '(20,971,520 bytes): beyond it AhaSend answers 552. All upstreams together.',
  unit: units.BytesIEC,
  queries: againstLimit('messageSize', 0.5, 0.99, 1),
  dashed: { [LIMIT]: 'red' },
  logarithmic: 2,
  links: [
    tracesLink(
      'Traces of large mails',
      spanWith(
        { 'smtp.message.size': { atLeast: 10_485_760 }, 'smtp.client.name': { matches: CLIENTS } },
        'transaction',
      ),
    ),
    runbookLink('AhaSendMessageSizeLimit'),
  ],
})

const recipients = lines({
  title: 'Recipients per mail',
  description:
    'Recipients of a mail: one in two, ten and a hundred mails has more, as estimated within a class. The limit is 50: ' +
    'beyond it AhaSend answers 452. All apps and upstreams together.',
  unit: units.Short,
  queries: againstLimit('messageRecipients', 0.5, 0.9, 0.99),
  dashed: { [LIMIT]: 'red' },
  links: [
    tracesLink(
      'Traces of mails with many recipients',
      spanWith({ 'smtp.message.recipient_count': { atLeast: 40 } }, 'transaction'),
    ),
    runbookLink('AhaSendRecipientLimit'),
  ],
})

const messages = lines({
  title: 'Mails per connection',
  description:
    'Mails of a session, known when it ends, as the upper end of a class. The limit is 10,000: then AhaSend ' +
    'answers 421 or 452 until the app connects again. All apps together.',
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
  question: "Do apps and AhaSend stay connected, how fast, and how near are we to AhaSend's limits?",
  rows: [
    {
      heading: "Within AhaSend's limits, and is it reached?",
      height: 5,
      panels: [
        [5, within],
        [5, reached],
        [5, largest],
        [5, idle],
        [4, open],
      ],
    },
    {
      heading: 'How do connections fare?',
      height: 9,
      panels: [
        [12, lifetimes],
        [12, reasons],
        [12, phases],
        [12, failedDials],
      ],
    },
    {
      heading: 'How near are the limits?',
      height: 8,
      panels: [
        [8, sizes],
        [8, recipients],
        [8, messages],
      ],
    },
  ],
})
