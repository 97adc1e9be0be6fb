import * as units from '@grafana/grafana-foundation-sdk/units'
import { dashboards } from '../alerts/alert.ts'
import { SLOW_FINAL_REPLY } from '../alerts/thresholds.ts'
import { apps } from '../panels/apps.ts'
import { causeColors, outcomeColors } from '../panels/colors.ts'
import { areas, events, lines } from '../panels/graphs.ts'
import {
  CLIENTS,
  dashboardLink,
  OF_CHOSEN_APPS,
  runbookLink,
  spanWith,
  tracesLink,
  tracesOfCode,
  traceWith,
} from '../panels/links.ts'
import { noneIsGood, noneYet, stat, thresholds, words } from '../panels/panels.ts'
import {
  acceptedShare,
  DRAINED_PER_MINUTE,
  ENDED_PER_MINUTE,
  flowing,
  grown,
  measured,
  NOBODYS,
  NOW,
  orZero,
  quantile,
  refusedPerMinute,
  SHOWN,
  STEP,
  seldom,
  sum,
  TURNED_AWAY_PER_MINUTE,
} from '../promql/queries.ts'
import { dashboard } from './dashboard.ts'

const FINAL = { 'smtp.command': 'END-OF-MESSAGE' } as const
/** A 421 for an idle connection, or at the proxy's own end, is no trouble. */
const NOT_IDLE = { 'smtp.reply.code': 421, 'smtp.reply.cause': { noneOf: NOBODYS } } as const
const NO_MAIL = noneYet('No mail')

const failedMails = tracesLink(
  'Traces of mails that failed',
  traceWith(spanWith({}, 'transaction', 'status = error'), OF_CHOSEN_APPS),
)

const isFlowing = stat({
  title: 'Is mail flowing?',
  description:
    'Of the last five minutes. Yes: at least 99 % of what apps tried to send was accepted, or refused for what it is ' +
    '(format, recipient, domain, password). Partly: at least half; red below 90 %. No: less. What is missing fails ' +
    'because of AhaSend, the account or the proxy. Idle disconnects, stops of the proxy and late unsubscribe links do not ' +
    'count.',
  unit: units.PercentUnit,
  queries: [{ expr: measured(flowing(NOW)) }],
  thresholds: thresholds('red'),
  mappings: words(
    NO_MAIL,
    { from: 0.99, text: 'Yes', color: 'green' },
    { from: 0.9, to: 0.99, text: 'Partly', color: 'orange' },
    { from: 0.5, to: 0.9, text: 'Partly', color: 'red' },
    { from: -0.5, to: 0.5, text: 'No', color: 'red' },
  ),
  loud: true,
  nothing: 'No proxy seen',
  links: [failedMails, runbookLink('SmtpProxyDown')],
})

const accepted = stat({
  title: 'Accepted share',
  description:
    'Of the last five minutes: the share of mails that AhaSend accepted. A session that is turned away before its mail ' +
    'counts as one that was not. It can be low while mail flows: see the refusals.',
  unit: units.PercentUnit,
  queries: [{ expr: measured(acceptedShare(NOW)) }],
  thresholds: thresholds('red', [0.9, 'orange'], [0.98, 'green']),
  mappings: words(NO_MAIL),
  decimals: 1,
  links: [failedMails, dashboardLink('Refusals', dashboards.refusals), runbookLink('SmtpProxyErrorBudgetBurning')],
})

const slowest = stat({
  title: 'p99 of final replies',
  description:
    'Of the last five minutes: one in a hundred mails waits longer than this for the reply to its last dot. All apps together.',
  unit: units.Seconds,
  queries: [{ expr: measured(quantile(0.99, NOW, 'commandDuration', FINAL)) }],
  thresholds: thresholds('green', [SLOW_FINAL_REPLY / 2, 'orange'], [SLOW_FINAL_REPLY, 'red']),
  mappings: words(NO_MAIL),
  links: [
    tracesLink('Traces of slow mails', spanWith({}, 'transaction', 'duration > 2s')),
    runbookLink('AhaSendSlowFinalReplies'),
  ],
})

const disabled = stat({
  title: 'Account disabled (521)',
  description:
    'How often AhaSend answered 521 in the time shown: the account is suspended, paused or out of credits. One is enough ' +
    'to act.',
  unit: units.LocaleFormat,
  queries: [{ expr: orZero(sum(grown(SHOWN, 'replies', { 'smtp.reply.cause': 'account_disabled' }))) }],
  thresholds: noneIsGood(),
  decimals: 0,
  links: [
    tracesLink('Traces with a 521', traceWith(spanWith({ 'smtp.reply.code': 521 }), OF_CHOSEN_APPS)),
    runbookLink('AhaSendAccountDisabled'),
  ],
})

const turnedAwayBy421 = stat({
  title: '421, not idle',
  description:
    'How often a session was ended or refused with 421 in the time shown, by AhaSend or by the proxy. Idle disconnects ' +
    'are normal and left out. A few are retried; many are an outage.',
  unit: units.LocaleFormat,
  queries: [{ expr: orZero(sum(grown(SHOWN, 'replies', NOT_IDLE))) }],
  thresholds: noneIsGood('orange'),
  decimals: 0,
  links: [
    tracesLink(
      'Traces with a 421',
      traceWith(
        spanWith({ 'smtp.reply.code': 421 }, undefined, 'span.smtp.reply.cause != "idle_timeout"'),
        OF_CHOSEN_APPS,
      ),
    ),
    runbookLink('AhaSendLoadShedding'),
    runbookLink('AhaSendInternalErrors'),
  ],
})

const inDoubt = stat({
  title: 'In doubt',
  description:
    'Mails in the time shown that were sent whole and never answered. AhaSend may have queued them; apps that send them ' +
    'again double them.',
  unit: units.LocaleFormat,
  queries: [{ expr: orZero(sum(grown(SHOWN, 'transactions', { 'smtp.transaction.outcome': 'in_doubt' }))) }],
  thresholds: noneIsGood('purple'),
  decimals: 0,
  links: [
    tracesLink(
      'Traces of mails in doubt',
      traceWith(
        spanWith({ 'smtp.transaction.outcome': 'in_doubt', 'smtp.client.name': { matches: CLIENTS } }, 'transaction'),
      ),
    ),
    runbookLink('AhaSendMailInDoubt'),
  ],
})

const outcomes = areas({
  title: 'Mails by outcome',
  description:
    'Messages a minute. tempfail: refused temporarily, apps retry. permfail: refused permanently. in_doubt: no final ' +
    'reply arrived. aborted: the app gave up. turned away: sessions refused before their message. drained: refused or ' +
    'cut because the proxy was stopped; apps retry, so this is no failure.',
  unit: units.Short,
  queries: [
    { expr: sum(ENDED_PER_MINUTE, 'smtp.transaction.outcome'), legend: '{{smtp_transaction_outcome}}' },
    { expr: TURNED_AWAY_PER_MINUTE, legend: 'turned away' },
    { expr: DRAINED_PER_MINUTE, legend: 'drained' },
  ],
  colors: outcomeColors,
  links: [failedMails, runbookLink('AhaSendTemporaryErrors')],
})

const by421Cause = events({
  title: '421 by cause',
  description:
    '421 replies a minute. idle_timeout (grey) is what AhaSend does to connections that a pool keeps for more than 60 s: ' +
    'normal. AhaSend causes load_shedding and internal_error; this side causes upstream_unreachable, session_limit and ' +
    'local_resources_exhausted.',
  unit: units.Short,
  queries: [
    {
      expr: sum(seldom('replies', { 'smtp.reply.code': 421 }), 'smtp.reply.code', 'smtp.reply.cause'),
      legend: '{{smtp_reply_cause}}',
    },
  ],
  colors: causeColors,
  nothing: 'No 421 seen',
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
    'Refusals a minute, but for idle disconnects and for 503, which follows another refusal. What each means is on the ' +
    'refusals dashboard.',
  unit: units.Short,
  queries: [
    {
      expr: sum(refusedPerMinute(), 'smtp.reply.code', 'smtp.reply.cause'),
      legend: '{{smtp_reply_code}} {{smtp_reply_cause}}',
    },
  ],
  colors: causeColors,
  nothing: 'No refusal seen',
  dataLinks: [tracesOfCode],
  links: [failedMails, dashboardLink('Refusals', dashboards.refusals)],
})

const SLOW = 'alert on p95'

const finalReply = lines({
  title: 'Time to the final reply',
  description:
    'From the last dot of a mail to its answer, at the median and for the slowest in 20 and in 100. The alert begins ' +
    'where the p95 stays above the dashed line. All apps together.',
  unit: units.Seconds,
  queries: [
    ...[0.5, 0.95, 0.99].map((q) => ({ expr: quantile(q, STEP, 'commandDuration', FINAL), legend: `p${q * 100}` })),
    { expr: `vector(${SLOW_FINAL_REPLY})`, legend: SLOW },
  ],
  logarithmic: 10,
  dashed: { [SLOW]: 'red' },
  links: [
    tracesLink('Traces of slow mails', spanWith({}, 'transaction', 'duration > 2s')),
    runbookLink('AhaSendSlowFinalReplies'),
  ],
})

const byCommand = lines({
  title: 'p95 by command',
  description:
    'How long AhaSend takes to answer, for the slowest in 20. CONNECT is the wait for the greeting, END-OF-MESSAGE the ' +
    'final reply. All apps together.',
  unit: units.Seconds,
  queries: [{ expr: quantile(0.95, STEP, 'commandDuration', {}, 'smtp.command'), legend: '{{smtp_command}}' }],
  logarithmic: 10,
  links: [tracesLink('Traces of slow mails', spanWith({}, 'transaction', 'duration > 2s'))],
})

export const mailHealth = dashboard({
  uid: dashboards.mail,
  title: 'AhaSend: mail health',
  question: 'Is mail flowing? If not, since when, in which way and for which app?',
  rows: [
    {
      heading: 'Is mail flowing?',
      height: 5,
      panels: [
        [4, isFlowing],
        [4, accepted],
        [4, slowest],
        [4, disabled],
        [4, turnedAwayBy421],
        [4, inDoubt],
      ],
    },
    {
      heading: 'Since when, and how?',
      height: 8,
      panels: [
        [12, outcomes],
        [12, by421Cause],
        [8, byCode],
        [8, finalReply],
        [8, byCommand],
      ],
    },
    { heading: 'Which app?', height: 7, panels: [[24, apps]] },
  ],
})
