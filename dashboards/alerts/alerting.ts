/** Alerts about alerting itself. */

import { MINUTE, type RuleMaker } from '../promql/rule-maker.ts'
import type { Alert } from './alert.ts'
import { ALERTMANAGER_JOB } from './thresholds.ts'

export function alertingAlerts(make: RuleMaker): readonly Alert[] {
  return [notDelivered(make), watchdog()]
}

/**
 * One failure is enough: Alertmanager tries again for a minute or more before it counts one, unless it was told that
 * trying is in vain. Told by the ways that are left, in which the failing one does not stand in the way.
 */
function notDelivered(make: RuleMaker): Alert {
  const failed = `alertmanager_notifications_failed_total{job="${ALERTMANAGER_JOB}"}`
  return {
    name: 'SmtpProxyAlertsNotDelivered',
    severity: 'warning',
    expr: `sum by (job, integration) (${make.increase(failed, 15 * MINUTE)}) > 0`,
    for: 0,
    summary: 'Alerts do not reach whom they are for.',
    description: ({ count }) =>
      `Alertmanager failed ${count} times in 15 minutes to tell of alerts by {{ $labels.integration }}. Its log says why.`,
  }
}

/**
 * Fires always, and is the last of its group: while it reaches somebody, rules are evaluated, Prometheus reaches
 * Alertmanager, and Alertmanager calls. Nothing else tells when these die.
 */
function watchdog(): Alert {
  return {
    name: 'SmtpProxyWatchdog',
    severity: 'none',
    expr: 'vector(1)',
    for: 0,
    summary: 'Alerts are evaluated and handed on.',
    description: () =>
      'Fires always. Alertmanager calls ALERT_HEARTBEAT_URL each minute while it does; whatever listens there tells ' +
      'when the calls stop.',
  }
}
