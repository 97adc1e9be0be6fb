/** The first row: whether mail is flowing, and the worst failures in numbers. */
import * as units from '@grafana/grafana-foundation-sdk/units'
import { dashboards } from '../../alerts/alert.ts'
import { SLOW_FINAL_REPLY } from '../../alerts/thresholds.ts'
import { dashboardLink, runbookLink } from '../../panels/links.ts'
import { countStat, stat } from '../../panels/stats.ts'
import {
  OF_SELECTED_APPS,
  SELECTED_APPS,
  spanWith,
  tracesLink,
  tracesOfFailedMessages,
  tracesOfSlowMessages,
  traceWith,
} from '../../panels/traces.ts'
import { notMeasured, rangeTexts, thresholds, zeroIsGood } from '../../panels/values.ts'
import { acceptedShare, finalReplyTime, flowing, NO_ACTION_CAUSES } from '../../promql/mail.ts'
import { countInRange, measured, RECENT } from '../../promql/queries.ts'
import type { Row } from '../dashboard.ts'

const NO_MAIL = notMeasured('No mail')

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
  title: 'Accepted, 5 min',
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
  title: 'Final reply, p99',
  description:
    'Over the last five minutes, 1% of messages waited longer than this for the final reply, after their last ' +
    'byte. Always shows all apps.',
  unit: units.Seconds,
  queries: [{ expr: measured(finalReplyTime(0.99, RECENT)) }],
  thresholds: thresholds('green', [SLOW_FINAL_REPLY / 2, 'orange'], [SLOW_FINAL_REPLY, 'red']),
  mappings: rangeTexts(NO_MAIL),
  links: [tracesOfSlowMessages, runbookLink('AhaSendSlowFinalReplies')],
})

const disabled = countStat({
  title: 'Disabled (521)',
  description:
    'The number of 521 replies in the selected time range: the account is suspended, paused or out of credits. Act on ' +
    'the first one.',
  queries: [{ expr: countInRange('replies', { 'smtp.reply.cause': 'account_disabled' }) }],
  thresholds: zeroIsGood(),
  links: [
    tracesLink('Traces with a 521', traceWith(spanWith({ 'smtp.reply.code': 521 }), OF_SELECTED_APPS)),
    runbookLink('AhaSendAccountDisabled'),
  ],
})

/** Excludes 421 replies to idle connections and those of a stopping proxy: they are not a problem. */
const NOT_IDLE = { 'smtp.reply.code': 421, 'smtp.reply.cause': { noneOf: NO_ACTION_CAUSES } } as const

const turnedAwayBy421 = countStat({
  title: '421 except idle',
  description:
    'The number of sessions that AhaSend or the proxy ended or refused with 421 in the selected time range. Idle ' +
    'disconnects are normal and not included. Apps retry after a 421; many of them are an outage.',
  queries: [{ expr: countInRange('replies', NOT_IDLE) }],
  thresholds: zeroIsGood('orange'),
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

const inDoubt = countStat({
  title: 'In doubt',
  description:
    'Messages in the selected time range that were sent in full but got no final reply. AhaSend may have queued them, so ' +
    'a retry may create duplicates.',
  queries: [{ expr: countInRange('transactions', { 'smtp.transaction.outcome': 'in_doubt' }) }],
  thresholds: zeroIsGood('purple'),
  links: [
    tracesLink(
      'Traces of messages in doubt',
      traceWith(spanWith({ 'smtp.transaction.outcome': 'in_doubt', ...SELECTED_APPS }, 'transaction')),
    ),
    runbookLink('AhaSendMailInDoubt'),
  ],
})

export const summary: Row = {
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
}
