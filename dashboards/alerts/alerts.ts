/** All alerts, and the recording rules that they rest on. */

import { countsOf } from '../promql/counts.ts'
import { HOUR, type Making, type Recording, RuleMaker } from '../promql/rule-maker.ts'
import { ahasendAlerts } from './ahasend.ts'
import type { Alert } from './alert.ts'
import { alertingAlerts } from './alerting.ts'
import { appAlerts } from './apps.ts'
import { limitAlerts } from './limits.ts'
import { proxyAlerts } from './proxy.ts'
import { tlsAlerts } from './tls.ts'

export interface Rules {
  /** Those that look back an hour or less, and those that look back further and need not be evaluated as often. */
  readonly recordings: { readonly short: readonly Recording[]; readonly long: readonly Recording[] }
  readonly alerts: readonly Alert[]
}

export function rulesOf(making: Making = {}): Rules {
  const make = new RuleMaker(making)
  const counts = countsOf(make)
  const rooms = [ahasendAlerts, appAlerts, limitAlerts, proxyAlerts, tlsAlerts, alertingAlerts]
  const alerts = rooms.flatMap((alertsOf) => alertsOf(make, counts))
  const { recordings } = make
  return {
    recordings: {
      short: recordings.filter(({ window }) => window <= HOUR),
      long: recordings.filter(({ window }) => window > HOUR),
    },
    alerts,
  }
}
