/** All alerts, and the recording rules that they need. */

import { countsOf } from '../promql/counts.ts'
import { HOUR } from '../promql/durations.ts'
import { type Making, type Recording, RuleMaker } from '../promql/rule-maker.ts'
import { ahasendAlerts } from './ahasend.ts'
import type { Alert } from './alert.ts'
import { alertingAlerts } from './alerting.ts'
import { appAlerts } from './apps.ts'
import { errorBudgetAlerts } from './error-budget.ts'
import { limitAlerts } from './limits.ts'
import { probeAlerts } from './probe.ts'
import { proxyAlerts } from './proxy.ts'
import { tlsAlerts } from './tls.ts'

/** Everything that Prometheus evaluates. */
export interface Rules {
  /** Recordings with windows of an hour or less, and those with longer windows, which are evaluated less often. */
  readonly recordings: { readonly short: readonly Recording[]; readonly long: readonly Recording[] }
  readonly alerts: readonly Alert[]
}

/** The rules in the order of their evaluation: alerts about AhaSend come before those that look them up in ALERTS. */
export function rulesOf(making: Making = {}): Rules {
  const make = new RuleMaker(making)
  const counts = countsOf(make)
  const topics = [
    ahasendAlerts,
    appAlerts,
    limitAlerts,
    errorBudgetAlerts,
    proxyAlerts,
    tlsAlerts,
    probeAlerts,
    alertingAlerts,
  ]
  const alerts = topics.flatMap((alertsOf) => alertsOf(make, counts))
  const { recordings } = make
  return {
    recordings: {
      short: recordings.filter(({ window }) => window <= HOUR),
      long: recordings.filter(({ window }) => window > HOUR),
    },
    alerts,
  }
}
