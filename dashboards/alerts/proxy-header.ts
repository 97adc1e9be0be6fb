/** The alert about connections that do not begin with a valid PROXY header. */

import { labels } from '../names.ts'
import { BY_INSTANCE, BY_JOB, type Counts, refused } from '../promql/counts.ts'
import { DAY, HOUR, MINUTE } from '../promql/durations.ts'
import { inParentheses, joined } from '../promql/expressions.ts'
import type { RuleMaker } from '../promql/rule-maker.ts'
import { type Alert, dashboards } from './alert.ts'
import { WITHOUT_HEADER } from './thresholds.ts'

const NAME = 'SmtpProxyProxyHeaderInvalid'

/** Seconds for which an instance is new: the hour that it would be compared with, and the window after that hour. */
const NEW = HOUR + WITHOUT_HEADER.window

/**
 * critical: a load balancer has most likely stopped sending the header. Clients that connect and leave without sending a
 * byte, as health checks do, do not count.
 */
export function proxyHeaderAlerts(make: RuleMaker, { withoutHeader }: Counts): readonly Alert[] {
  const shared = {
    name: NAME,
    for: 0,
    description: ({ count, label }) =>
      `${label('instance')} closed ${count} connections from networks in PROXY_TRUST_PROXY_PROTOCOL because they did not ` +
      'begin with a valid PROXY header. Apps on these connections get no reply.',
    panel: [dashboards.proxy, 'Sessions refused by the proxy'],
  } as const satisfies Partial<Alert>
  return [
    {
      ...shared,
      severity: 'critical',
      expr: outage(make, make.count(withoutHeader, WITHOUT_HEADER.window)),
      summary: 'A load balancer sends no valid PROXY header, and no messages are accepted.',
    },
    {
      ...shared,
      severity: 'warning',
      expr: `${make.sumOf(withoutHeader, 30 * MINUTE)} > 0`,
      summary: 'A load balancer opens connections without a valid PROXY header.',
    },
  ]
}

/**
 * It begins with more of these sessions than usual, at a time when messages are to be expected: a monitor that never sends
 * a header adds none in the evening, and one that starts at night stops no messages. Later there is nothing to compare with,
 * so it lasts until messages are accepted or the sessions stop.
 */
function outage(make: RuleMaker, faults: string): string {
  const { count } = WITHOUT_HEADER
  const silent = joined('unless', `${faults} >= ${count}`, `${make.sum(BY_INSTANCE, accepted(make))} > 0`)
  const more = joined('unless', silent, `${faults} - ${usual(make)} < ${count}`, asUsualForJob(make, faults))
  const begins = joined(`and on (${labels(...BY_JOB)})`, more, joined('or', ...messagesExpected(make)))
  const fired = make.fired([NAME], 'critical', 5 * MINUTE, BY_INSTANCE)
  return fired === undefined ? begins : joined('or', begins, joined('and', silent, fired))
}

/** Messages that were accepted within the window. */
function accepted(make: RuleMaker): string {
  return make.increase(acceptedSeries(make), WITHOUT_HEADER.window)
}

/** How many sessions without a header there were in a window of the hour before, on average. */
function usual(make: RuleMaker): string {
  const { window } = WITHOUT_HEADER
  const before = make.increaseBefore(refused(make, 'proxy_header'), HOUR, window)
  return `${make.sum(BY_INSTANCE, before)} / ${HOUR / window}`
}

/**
 * New instances with fewer than ten sessions without a header more than is usual for the job. They have no hour before of
 * their own: after a rollout, the monitor of an old instance checks a new one. Older instances are compared with themselves
 * only; otherwise the monitor of one would hide the outage of another.
 */
function asUsualForJob(make: RuleMaker, faults: string): string {
  return joined(
    `unless on (${labels(...BY_INSTANCE)})`,
    `${faults} - on (${labels(...BY_JOB)}) group_left () ${inParentheses(usualForJob(make))} < ${WITHOUT_HEADER.count}`,
    `${make.select.series('uptime')} offset ${make.span(NEW)}`,
  )
}

/**
 * The median of the sessions without a header, over windows in which the same instance accepted messages too, of the
 * instance with the highest median. A monitor adds the same number to all these windows. A load balancer that sends no
 * header adds some only to the windows in which its fault begins or ends, and the median ignores these few.
 * The windows are those of the day before any new instance began. If none has messages, as after a weekend, they are those
 * around this time a week ago.
 */
function usualForJob(make: RuleMaker): string {
  const { window } = WITHOUT_HEADER
  const beside = joined(
    'and',
    make.sum(BY_INSTANCE, make.increase(refused(make, 'proxy_header'), window)),
    `${make.sum(BY_INSTANCE, accepted(make))} > 0`,
  )
  const most = (span: number, ago: number) => {
    const windows = `${inParentheses(beside)}[${make.span(span)}:${make.span(window)}]`
    return `max by (${labels(...BY_JOB)}) (quantile_over_time(0.5, ${windows} offset ${make.span(ago)}))`
  }
  return joined('or', most(DAY, NEW), most(2 * HOUR, 7 * DAY - HOUR))
}

/** By job, because instances come and go: there were messages in the hour before, or at this time yesterday or a week ago. */
function messagesExpected(make: RuleMaker): string[] {
  return [WITHOUT_HEADER.window, DAY, 7 * DAY].map(
    (ago) => `${make.sum(BY_JOB, make.increaseBefore(acceptedSeries(make), HOUR, ago))} >= ${WITHOUT_HEADER.messages}`,
  )
}

function acceptedSeries(make: RuleMaker): string {
  return make.select.series('transactions', { 'smtp.transaction.outcome': 'accepted' })
}
