/** All alerts, and the recording rules that they rest on. */
import type { Alert } from './alert.ts'
import { ahasendAlerts } from './alerts-ahasend.ts'
import { alertingAlerts } from './alerts-alerting.ts'
import { appAlerts } from './alerts-apps.ts'
import { limitAlerts } from './alerts-limits.ts'
import { proxyAlerts } from './alerts-proxy.ts'
import { tlsAlerts } from './alerts-tls.ts'
import { countsOf } from './counts.ts'
import { HOUR, type Making, type Recording, RuleMaker } from './rule-maker.ts'

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
