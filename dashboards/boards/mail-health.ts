import * as units from '@grafana/grafana-foundation-sdk/units'
import { dashboards } from '../alerts/alert.ts'
import { SLOW_FINAL_REPLY } from '../alerts/thresholds.ts'
import { apps } from '../panels/apps.ts'
import { causeColors, outcomeColors } from '../panels/colors.ts'
import { areas, events, lines } from '../panels/graphs.ts'
import {
  CLIENTS,
  dashboardLink,
  OF_SELECTED_APPS,
  runbookLink,
  spanWith,
  tracesLink,
  tracesOfCode,
  traceWith,
} from '../panels/links.ts'
import { notMeasured, rangeTexts, stat, thresholds, zeroIsGood } from '../panels/panels.ts'
import {
  acceptedShare,
  DRAINED_PER_MINUTE,
  ENDED_PER_MINUTE,
  flowing,
  NO_ACTION_CAUSES,
  refusedPerMinute,
  TURNED_AWAY_PER_MINUTE,
} from '../promql/mail.ts'
import {
  growth,
  measured,
  orZero,
  quantile,
  RANGE,
  RATE_INTERVAL,
  RECENT,
  rarePerMinute,
  sum,
} from '../promql/queries.ts'
import { dashboard } from './dashboard.ts'

const FINAL = { 'smtp.command': 'END-OF-MESSAGE' } as const
/** Excludes 421 replies to idle connections and those of a stopping proxy: they are not a problem. */
const NOT_IDLE = { 'smtp.reply.code': 421, 'smtp.reply.cause': { noneOf: NO_ACTION_CAUSES } } as const
const NO_MAIL = notMeasured('No mail')

const tracesOfFailedMessages = tracesLink(
  'Traces of failed messages',
  traceWith(spanWith({}, 'transaction', 'status = error'), OF_SELECTED_APPS),
)

const isFlowing = stat({
  title: 'Is mail flowing?',
  description:
    'Over the last five minutes. Yes: at least 99% of the messages that apps tried to send were accepted, or refused ' +
    'because of the message or the app (format, recipient, domain, password). Partly: at least 50%; red below 90%. No: ' +
    'less than 50%. All other messages fail because of AhaSend, the account or the proxy. Idle disconnects, stops of the ' +
    'proxy and 451 for an unsubscribe link do not count.',
  unit: units.PercentUnit,
  queries: [{ expr: measured(flowing(RECENT)) }],
  thresholds: thresholds('red'),
  mappings: rangeTexts(
    NO_MAIL,
    { from: 0.99, text: 'Yes', color: 'green' },
    { from: 0.9, to: 0.99, text: 'Partly', color: 'orange' },
    { from: 0.5, to: 0.9, text: 'Partly', color: 'red' },
    { from: -0.5, to: 0.5, text: 'No', color: 'red' },
  ),
  filled: true,
  noValue: 'No proxy seen',
  links: [tracesOfFailedMessages, runbookLink('SmtpProxyDown')],
})

const accepted = stat({
  title: 'Accepted share',
  description:
    'The share of messages that AhaSend accepted over the last five minutes. A session that is turned away before its ' +
    'message counts as a message that was not accepted. The share can be low while mail is flowing, for example if many ' +
    'recipients are invalid: see the refusals dashboard.',
  unit: units.PercentUnit,
  queries: [{ expr: measured(acceptedShare(RECENT)) }],
  thresholds: thresholds('red', [0.9, 'orange'], [0.98, 'green']),
  mappings: rangeTexts(NO_MAIL),
  decimals: 1,
  links: [
    tracesOfFailedMessages,
    dashboardLink('Refusals', dashboards.refusals),
    runbookLink('SmtpProxyErrorBudgetBurning'),
  ],
})

const slowest = stat({
  title: 'Final reply time, p99',
  description:
    'Over the last five minutes, 1% of messages waited longer than this for the final reply, after their last byte. ' +
    'All apps together.',
  unit: units.Seconds,
  queries: [{ expr: measured(quantile(0.99, RECENT, 'commandDuration', FINAL)) }],
  thresholds: thresholds('green', [SLOW_FINAL_REPLY / 2, 'orange'], [SLOW_FINAL_REPLY, 'red']),
  mappings: rangeTexts(NO_MAIL),
  links: [
    tracesLink('Traces of slow messages', spanWith({}, 'transaction', 'duration > 2s')),
    runbookLink('AhaSendSlowFinalReplies'),
  ],
})

const disabled = stat({
  title: 'Account disabled (521)',
  description:
    'The number of 521 replies in the selected time range: the account is suspended, paused or out of credits. Act on ' +
    'the first one.',
  unit: units.LocaleFormat,
  queries: [{ expr: orZero(sum(growth(RANGE, 'replies', { 'smtp.reply.cause': 'account_disabled' }))) }],
  thresholds: zeroIsGood(),
  decimals: 0,
  links: [
    tracesLink('Traces with a 521', traceWith(spanWith({ 'smtp.reply.code': 521 }), OF_SELECTED_APPS)),
    runbookLink('AhaSendAccountDisabled'),
  ],
})

const turnedAwayBy421 = stat({
  title: '421 except idle',
  description:
    'The number of sessions that AhaSend or the proxy ended or refused with 421 in the selected time range. Idle ' +
    'disconnects are normal and not included. Apps retry after a 421; many of them are an outage.',
  unit: units.LocaleFormat,
  queries: [{ expr: orZero(sum(growth(RANGE, 'replies', NOT_IDLE))) }],
  thresholds: zeroIsGood('orange'),
  decimals: 0,
  links: [
    tracesLink(
      'Traces with a 421',
      traceWith(
        spanWith({ 'smtp.reply.code': 421 }, undefined, 'span.smtp.reply.cause != "idle_timeout"'),
        OF_SELECTED_APPS,
      ),
    ),
    runbookLink('AhaSendLoadShedding'),
    runbookLink('AhaSendInternalErrors'),
  ],
})

const inDoubt = stat({
  title: 'In doubt',
  description:
    'Messages in the selected time range that were sent in full but got no final reply. AhaSend may have queued them, so ' +
    'a retry may create duplicates.',
  unit: units.LocaleFormat,
  queries: [{ expr: orZero(sum(growth(RANGE, 'transactions', { 'smtp.transaction.outcome': 'in_doubt' }))) }],
  thresholds: zeroIsGood('purple'),
  decimals: 0,
  links: [
    tracesLink(
      'Traces of messages in doubt',
      traceWith(
        spanWith({ 'smtp.transaction.outcome': 'in_doubt', 'smtp.client.name': { matches: CLIENTS } }, 'transaction'),
      ),
    ),
    runbookLink('AhaSendMailInDoubt'),
  ],
})

const outcomes = areas({
  title: 'Messages by outcome',
  description:
    'Messages per minute. tempfail: refused temporarily, apps retry. permfail: refused permanently. in_doubt: no final ' +
    'reply arrived. aborted: the app gave up. turned away: sessions refused before their message. drained: refused or ' +
    'interrupted because the proxy stopped; apps retry, so this is not a failure.',
  unit: units.Short,
  queries: [
    { expr: sum(ENDED_PER_MINUTE, 'smtp.transaction.outcome'), legend: '{{smtp_transaction_outcome}}' },
    { expr: TURNED_AWAY_PER_MINUTE, legend: 'turned away' },
    { expr: DRAINED_PER_MINUTE, legend: 'drained' },
  ],
  colors: outcomeColors,
  links: [tracesOfFailedMessages, runbookLink('AhaSendTemporaryErrors')],
})

const by421Cause = events({
  title: '421 by cause',
  description:
    '421 replies per minute. idle_timeout (grey) is normal: AhaSend closes pooled connections on which nothing is sent ' +
    'for 60 s. AhaSend causes load_shedding and internal_error. The proxy or its network causes upstream_unreachable, ' +
    'session_limit and local_resources_exhausted.',
  unit: units.Short,
  queries: [
    {
      expr: sum(rarePerMinute('replies', { 'smtp.reply.code': 421 }), 'smtp.reply.code', 'smtp.reply.cause'),
      legend: '{{smtp_reply_cause}}',
    },
  ],
  colors: causeColors,
  noValue: 'No 421 replies seen',
  dataLinks: [tracesOfCode],
  links: [
    runbookLink('AhaSendLoadShedding'),
    runbookLink('AhaSendIdleDisconnects'),
    runbookLink('AhaSendInternalErrors'),
  ],
})

const byCode = events({
  title: 'Refusals by code',
  description:
    'Refusals per minute, except idle disconnects and 503, which follows another refusal. The refusals dashboard ' +
    'explains each code.',
  unit: units.Short,
  queries: [
    {
      expr: sum(refusedPerMinute(), 'smtp.reply.code', 'smtp.reply.cause'),
      legend: '{{smtp_reply_code}} {{smtp_reply_cause}}',
    },
  ],
  colors: causeColors,
  noValue: 'No refusals seen',
  dataLinks: [tracesOfCode],
  links: [tracesOfFailedMessages, dashboardLink('Refusals', dashboards.refusals)],
})

const SLOW = 'alert threshold for p95'

const finalReply = lines({
  title: 'Time to the final reply',
  description:
    'The time from the last byte of a message to its final reply: median, p95 and p99. The alert fires if p95 stays above ' +
    'the dashed line. All apps together.',
  unit: units.Seconds,
  queries: [
    ...[0.5, 0.95, 0.99].map((q) => ({
      expr: quantile(q, RATE_INTERVAL, 'commandDuration', FINAL),
      legend: `p${q * 100}`,
    })),
    { expr: `vector(${SLOW_FINAL_REPLY})`, legend: SLOW },
  ],
  logarithmic: 10,
  dashed: { [SLOW]: 'red' },
  links: [
    tracesLink('Traces of slow messages', spanWith({}, 'transaction', 'duration > 2s')),
    runbookLink('AhaSendSlowFinalReplies'),
  ],
})

const byCommand = lines({
  title: 'Reply time by command, p95',
  description:
    'How long AhaSend takes to reply; 5% of replies take longer. CONNECT is the wait for the greeting, END-OF-MESSAGE ' +
    'the wait for the final reply. All apps together.',
  unit: units.Seconds,
  queries: [{ expr: quantile(0.95, RATE_INTERVAL, 'commandDuration', {}, 'smtp.command'), legend: '{{smtp_command}}' }],
  logarithmic: 10,
  links: [tracesLink('Traces of slow messages', spanWith({}, 'transaction', 'duration > 2s'))],
})

export const mailHealth = dashboard({
  uid: dashboards.mail,
  title: 'AhaSend: mail health',
  question: 'Is mail flowing? If not, since when, how does it fail, and for which apps?',
  rows: [
    {
      heading: 'Is mail flowing?',
      height: 5,
      panels: [
        [5, isFlowing],
        [4, accepted],
        [4, slowest],
        [4, disabled],
        [4, turnedAwayBy421],
        [3, inDoubt],
      ],
    },
    {
      heading: 'Since when, and how does it fail?',
      height: 8,
      panels: [
        [12, outcomes],
        [12, by421Cause],
        [8, byCode],
        [8, finalReply],
        [8, byCommand],
      ],
    },
    { heading: 'Which apps are affected?', height: 7, panels: [[24, apps]] },
  ],
})
