/** Alerting itself. */
import { gone, hold, type Scenario } from './scenario.ts'

const alive = {
  severity: 'none',
  labels: { job: undefined },
  description:
    'Fires always. Alertmanager calls ALERT_HEARTBEAT_URL each minute while it does; whatever listens there tells when the calls stop.',
} as const

export const WATCHDOG: readonly Scenario[] = [
  {
    name: 'fires always, whether there is a proxy or not',
    alert: 'SmtpProxyWatchdog',
    series: { up: [hold(1, 10), gone(10), hold(0, 10)] },
    fires: [
      [0, alive],
      [5, alive],
      [15, alive],
      [29, alive],
    ],
  },
]
