/** Alerts about alerting itself. */
import type { Alert } from './alert.ts'

export function alertingAlerts(): readonly Alert[] {
  return [watchdog()]
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
