/** The alert about mail as a whole: whatever fails for any reason other than the message itself spends the error budget. */
import { BY_JOB, refused } from '../promql/counts.ts'
import { MINUTE } from '../promql/durations.ts'
import { joined } from '../promql/expressions.ts'
import type { RuleMaker } from '../promql/rule-maker.ts'
import { type Alert, dashboards } from './alert.ts'
import { burnRateAlerts, type ErrorShare } from './burn-rate.ts'
import { NAMED_OUTAGES } from './outages.ts'

/**
 * What the error budget counts: messages, and sessions that end before their first message. It does not count:
 * - a disabled account: a single 521 has its own page, and the account of one app must not hide the failures of the others
 * - what the proxy refuses or cuts when it is stopped: the apps send these messages again, and each restart would page
 * - marketing messages whose unsubscribe link is late
 *
 * Sessions above the session limit are counted by their close reason, because before TLS they get no reply.
 */
function failures(make: RuleMaker): readonly string[] {
  const { series } = make.select
  const blameless = {
    noneOf: ['not_allowed', 'session_limit', 'idle_timeout', 'account_disabled', 'draining'],
  } as const
  return [
    refused(make, 'session_limit'),
    series('transactions', {
      'smtp.transaction.outcome': { oneOf: ['tempfail', 'in_doubt'] },
      'error.type': { noneOf: ['drained', 'unsubscribe_link'] },
    }),
    series('replies', {
      'smtp.command': { oneOf: ['CONNECT', 'EHLO', 'HELO', 'STARTTLS'] },
      'smtp.reply.code': { matches: '[45]..' },
      'smtp.reply.cause': blameless,
    }),
    // 5xx to AUTH are wrong credentials, which have their own alert
    series('replies', {
      'smtp.command': 'AUTH',
      'smtp.reply.code': { matches: '4..' },
      'smtp.reply.cause': blameless,
      'smtp.reply.origin': 'upstream',
    }),
  ]
}

/** The failures that apps see, whether or not their reason has its own alert. */
export function errorBudgetAlerts(make: RuleMaker): readonly Alert[] {
  const { series } = make.select
  const failed = failures(make)
  const ended = series('transactions', {
    'smtp.transaction.outcome': { oneOf: ['accepted', 'permfail'] },
    'error.type': { not: '521' },
  })
  const share: ErrorShare = {
    what: 'mail_failure',
    bad: {
      what: 'mail_failure',
      by: BY_JOB,
      of: (window) => joined('or', ...failed.map((one) => make.increase(one, window))),
    },
    total: (window) => `(${make.count(share.bad, window)} + ${make.sum(BY_JOB, make.increase(ended, window))})`,
  }
  const alerts = burnRateAlerts(make, share, {
    name: 'SmtpProxyErrorBudgetBurning',
    summary: 'Too many messages fail for reasons other than the messages themselves.',
    description: ({ share: percent }) =>
      `${percent} of all attempts by apps failed: messages were refused temporarily or are in doubt, or connections or ` +
      'logins were refused. The objective is that 99.5% succeed over 30 days.',
    panel: [dashboards.mail, 'Accepted, 5 min'],
  })
  return alerts.map((alert) => (alert.severity === 'critical' ? exceptAfterOutage(make, alert) : alert))
}

/** The error budget looks back longer than the alert that names the reason: it would page after that alert resolves. */
function exceptAfterOutage(make: RuleMaker, alert: Alert): Alert {
  const fired = make.fired(NAMED_OUTAGES, 'critical', 30 * MINUTE)
  return fired === undefined ? alert : { ...alert, expr: joined('unless on (job)', alert.expr, fired) }
}
