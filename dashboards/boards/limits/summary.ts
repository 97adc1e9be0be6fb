/** The first row: whether AhaSend is reachable, and whether the traffic is within AhaSend's limits. */
import * as units from '@grafana/grafana-foundation-sdk/units'
import { dashboards } from '../../alerts/alert.ts'
import { LIMITS } from '../../alerts/thresholds.ts'
import { dashboardLink, runbookLink } from '../../panels/links.ts'
import { countStat, stat } from '../../panels/stats.ts'
import { tracesOfFailedDials, tracesOfLargeMessages } from '../../panels/traces.ts'
import { notMeasured, rangeTexts, thresholds, zeroIsGood } from '../../panels/values.ts'
import { countInRange, growth, measured, quantile, RANGE, RECENT, select, sum } from '../../promql/queries.ts'
import type { Row } from '../dashboard.ts'

const LIMIT_HIT = {
  'smtp.reply.cause': { oneOf: ['message_too_big', 'too_many_recipients', 'connection_limit'] },
} as const

const within = stat({
  title: "Within AhaSend's limits?",
  description:
    'No: in the selected time range, AhaSend refused a message above 20 MiB, a message with more than 50 recipients, or ' +
    'more than 10,000 messages on a connection. The refusals dashboard shows what was refused and for which app.',
  unit: units.Short,
  queries: [{ expr: countInRange('replies', LIMIT_HIT) }],
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
    'Over the last five minutes. Yes: at least 99% of the attempts to connect to an upstream (dials) ' +
    'succeeded. Partly: at least 50%. A 421 instead of a greeting is a failure. Attempts that failed because ' +
    "the proxy's machine had no file descriptor, local port or memory left do not count.",
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
  links: [tracesOfFailedDials, runbookLink('AhaSendUnreachable')],
})

const BUSIEST = 'busiest proxy'

const open = stat({
  title: 'Open sessions',
  description:
    'Open connections of the selected apps: in total, and on the proxy that has the most. PROXY_MAX_SESSIONS ' +
    'limits the sessions of all apps on one proxy (default 10,000). Always shows all upstreams.',
  unit: units.LocaleFormat,
  queries: [
    { expr: sum(select.series('sessionActive')), legend: 'total' },
    { expr: `max(${sum(select.series('sessionActive'), 'job', 'instance')})`, legend: BUSIEST },
  ],
  thresholds: thresholds('text'),
  colors: { [BUSIEST]: thresholds('text', [5000, 'orange'], [9000, 'red']) },
  decimals: 0,
})

const idle = countStat({
  title: 'Idle disconnects',
  description:
    'Connections that AhaSend closed in the selected time range because nothing was sent for 60 s. This is normal for ' +
    "connection pools. If apps log errors, set their pool's idle timeout below 60 s.",
  queries: [{ expr: countInRange('replies', { 'smtp.reply.cause': 'idle_timeout' }) }],
  thresholds: thresholds('text'),
  links: [runbookLink('AhaSendIdleDisconnects')],
})

const largest = stat({
  title: 'Largest message, at most',
  description:
    'The upper bound of the histogram bucket that holds the largest message in the selected time range. ' +
    'AhaSend accepts up to 20 MiB (20,971,520 bytes), including headers and base64. The highest bounds are 4, ' +
    '10, 15 and 20 MiB; 20 MiB is orange. Always shows all upstreams.',
  unit: units.BytesIEC,
  queries: [{ expr: measured(quantile(1, RANGE, 'messageSize')) }],
  thresholds: thresholds('green', [LIMITS.messageSize, 'orange']),
  mappings: rangeTexts(notMeasured('No mail')),
  links: [tracesOfLargeMessages, runbookLink('AhaSendMessageSizeLimit')],
})

export const summary: Row = {
  heading: 'Is AhaSend reachable, and is the traffic within its limits?',
  height: 5,
  panels: [
    [5, within],
    [5, reachable],
    [5, largest],
    [4, idle],
    [5, open],
  ],
}
