/** Alerts about the probe: what it finds, and that it no longer reports. */

import { labels } from '../names.ts'
import { BY_INSTANCE, BY_JOB } from '../promql/counts.ts'
import { HOUR, MINUTE } from '../promql/durations.ts'
import { joined } from '../promql/expressions.ts'
import type { RuleMaker } from '../promql/rule-maker.ts'
import { type Alert, dashboards } from './alert.ts'
import { PROBE_FAILURES } from './thresholds.ts'

export function probeAlerts(make: RuleMaker): readonly Alert[] {
  return [...failing(make), absent(make)]
}

/** Permanent refusals of the probe's login or addresses: they are about the probe, unless the account is disabled. */
const OWN_FAULT = { matches: '5[013-9].|52[^1]' } as const
const NOT_OWN_FAULT = { matchesNot: OWN_FAULT.matches } as const
const ABOUT_PROBE = ['auth', 'mail', 'rcpt'] as const

/** critical: apps most likely fail, too. warning: AhaSend refuses the probe's own login, sender or recipient. */
function failing(make: RuleMaker): readonly Alert[] {
  const { series } = make.select
  const inARow = (...failures: readonly string[]) => {
    const most = `max by (${labels(...BY_INSTANCE, 'smtp.probe.step', 'error.type')}) (${failures.join(' or ')})`
    return withJobOfProxy(`${most} >= ${PROBE_FAILURES}`)
  }
  const shared = {
    name: 'SmtpProxyProbeFailing',
    for: 0,
    description: ({ count, label }) =>
      `${count} runs of the probe at ${label('instance')} failed in a row, the last one at the step ` +
      `${label('smtp.probe.step')} with ${label('error.type')}. The probe connects to the proxy and logs in like an app.`,
    panel: [dashboards.refusals, 'Failed runs of the probe'],
  } as const satisfies Partial<Alert>
  return [
    {
      ...shared,
      severity: 'critical',
      expr: inARow(
        series('probeFailures', { 'error.type': NOT_OWN_FAULT }),
        series('probeFailures', { 'smtp.probe.step': { noneOf: ABOUT_PROBE } }),
      ),
      summary: 'The probe fails: apps may be unable to send mail through the proxy.',
    },
    {
      ...shared,
      severity: 'warning',
      expr: inARow(series('probeFailures', { 'smtp.probe.step': { oneOf: ABOUT_PROBE }, 'error.type': OWN_FAULT })),
      summary: 'AhaSend refuses the login, the sender or the recipient of the probe.',
    },
  ]
}

/** The probe was scraped within the last six hours, and no longer is: a probe that was never started is not missed. */
function absent(make: RuleMaker): Alert {
  const success = make.select.series('probeSuccess')
  const count = (series: string) => `count by (${labels(...BY_JOB)}) (${series})`
  const seen = count(`last_over_time(${success}[${make.span(6 * HOUR)}])`)
  return {
    name: 'SmtpProxyProbeAbsent',
    severity: 'warning',
    expr: withJobOfProxy(joined('unless', seen, count(success))),
    for: 10 * MINUTE,
    summary: 'The probe no longer reports.',
    description: ({ label }) =>
      `Prometheus has scraped no result of the probe of ${label('job')} for ten minutes. Until the probe reports again, ` +
      'it finds no outage.',
    panel: [dashboards.refusals, 'Last run of the probe'],
  }
}

/**
 * The probe's job is the job of the proxy and `-probe`. The alert has the job of the proxy, so that alerts about the proxy
 * silence it.
 */
function withJobOfProxy(expr: string): string {
  return `label_replace(${expr}, "job", "$1", "job", "(.+)-probe")`
}
