/** Alerts about alerting itself. */

import { MINUTE } from '../promql/durations.ts'
import type { RuleMaker } from '../promql/rule-maker.ts'
import type { Alert } from './alert.ts'
import { ALERTMANAGER_JOB } from './thresholds.ts'

export function alertingAlerts(make: RuleMaker): readonly Alert[] {
  return [notDelivered(make), watchdog()]
}

/**
 * One failure is enough: Alertmanager retries for a minute or more before it counts a failure, unless the receiver answers
 * that a retry is pointless. The other receivers deliver this alert; the failing one does not hold them up.
 */
function notDelivered(make: RuleMaker): Alert {
  const failed = `alertmanager_notifications_failed_total{job="${ALERTMANAGER_JOB}"}`
  return {
    name: 'SmtpProxyAlertsNotDelivered',
    severity: 'warning',
    expr: `sum by (job, integration) (${make.increase(failed, 15 * MINUTE)}) > 0`,
    for: 0,
    summary: 'Alertmanager cannot deliver notifications.',
    description: ({ count }) =>
      `Alertmanager could not deliver ${count} notifications to {{ $labels.integration }} in 15 minutes. Its ` +
      'log shows the reason.',
  }
}

/**
 * Always fires, and is the last alert of its group. While the heartbeat calls arrive, Prometheus evaluates the rules and
 * reaches Alertmanager, and Alertmanager can notify. No other alert reports when one of these stops.
 */
function watchdog(): Alert {
  return {
    name: 'SmtpProxyWatchdog',
    severity: 'none',
    expr: 'vector(1)',
    for: 0,
    summary: 'Prometheus evaluates the alerts and sends them to Alertmanager.',
    description: () =>
      'By design, this alert always fires. While it does, Alertmanager calls ALERT_HEARTBEAT_URL every minute. ' +
      'The service at that URL notifies you when the calls stop.',
  }
}
