/** The second row: since when mail fails, and how. */
import * as units from '@grafana/grafana-foundation-sdk/units'
import { dashboards } from '../../alerts/alert.ts'
import { SLOW_FINAL_REPLY } from '../../alerts/thresholds.ts'
import { causeColors, outcomeColors } from '../../panels/colors.ts'
import { areas, events, lines } from '../../panels/graphs.ts'
import { dashboardLink, runbookLink } from '../../panels/links.ts'
import { sumBy } from '../../panels/panels.ts'
import { refusalGraph } from '../../panels/refusals.ts'
import { tracesOfCode, tracesOfFailedMessages, tracesOfSlowMessages } from '../../panels/traces.ts'
import { DRAINED_PER_MINUTE, ENDED_PER_MINUTE, finalReplyTime, TURNED_AWAY_PER_MINUTE } from '../../promql/mail.ts'
import { quantile, RATE_INTERVAL, rarePerMinute, sum } from '../../promql/queries.ts'
import type { Row } from '../dashboard.ts'

const outcomes = areas({
  title: 'Messages by outcome',
  description:
    'Messages per minute. tempfail: refused temporarily; apps retry. permfail: refused permanently. in_doubt: ' +
    'no final reply arrived. aborted: the app gave up. turned away: sessions refused before their message. ' +
    'drained: refused or interrupted because the proxy stopped; apps retry, so this is not a failure.',
  unit: units.Short,
  queries: [
    sumBy(ENDED_PER_MINUTE, 'smtp.transaction.outcome'),
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

const byCode = refusalGraph({
  title: 'Refusals by code',
  description:
    'Refusals per minute, except idle disconnects and 503, which follows another refusal. The refusals dashboard ' +
    'explains each code.',
  by: ['smtp.reply.code', 'smtp.reply.cause'],
  colors: causeColors,
  dataLinks: [tracesOfCode],
  links: [tracesOfFailedMessages, dashboardLink('Refusals', dashboards.refusals)],
})

const SLOW = 'alert threshold for p95'

const finalReply = lines({
  title: 'Time to the final reply',
  description:
    'The time from the last byte of a message to its final reply: median, p95 and p99. The alert fires if p95 ' +
    'stays above the dashed line. Always shows all apps.',
  unit: units.Seconds,
  queries: [
    ...[0.5, 0.95, 0.99].map((q) => ({
      expr: finalReplyTime(q, RATE_INTERVAL),
      legend: `p${q * 100}`,
    })),
    { expr: `vector(${SLOW_FINAL_REPLY})`, legend: SLOW },
  ],
  logarithmic: 10,
  dashed: { [SLOW]: 'red' },
  links: [tracesOfSlowMessages, runbookLink('AhaSendSlowFinalReplies')],
})

const byCommand = lines({
  title: 'Reply time by command, p95',
  description:
    'How long AhaSend takes to reply; 5% of replies take longer. CONNECT is the wait for the greeting, ' +
    'END-OF-MESSAGE the wait for the final reply. Always shows all apps.',
  unit: units.Seconds,
  queries: [{ expr: quantile(0.95, RATE_INTERVAL, 'commandDuration', {}, 'smtp.command'), legend: '{{smtp_command}}' }],
  logarithmic: 10,
  links: [tracesOfSlowMessages],
})

export const failures: Row = {
  heading: 'Since when does mail fail, and how?',
  height: 8,
  panels: [
    [12, outcomes],
    [12, by421Cause],
    [8, byCode],
    [8, finalReply],
    [8, byCommand],
  ],
}
