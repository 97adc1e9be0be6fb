/** Alerts about alerting itself. */
import { gone, grow, hold, type Scenario } from './scenario.ts'

const alive = {
  severity: 'none',
  labels: { job: undefined },
  description:
    'This alert always fires. While this alert fires, Alertmanager calls ALERT_HEARTBEAT_URL every minute. The service at that URL notifies you when the calls stop.',
} as const

export const WATCHDOG: readonly Scenario[] = [
  {
    name: 'always fires, with or without a proxy',
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

const FAILED = 'alertmanager_notifications_failed_total'
const failing = (integration: string, count: number) =>
  ({
    severity: 'warning',
    labels: { job: 'alertmanager', integration },
    description: `Alertmanager could not deliver ${count} notifications to ${integration} in 15 minutes. Its log shows the reason.`,
  }) as const
const by = (integration: string, reason: string, job = 'alertmanager') =>
  `${FAILED}{job="${job}", instance="alertmanager:9093", integration="${integration}", reason="${reason}"}`

export const NOT_DELIVERED: readonly Scenario[] = [
  {
    name: 'a failing receiver fires by its name until 15 minutes after its last failure',
    alert: 'SmtpProxyAlertsNotDelivered',
    series: {
      [by('slack', 'clientError')]: [hold(0, 20), grow(0, 0.2, 15), hold(3, 40)],
      [by('slack', 'other')]: [hold(0, 75)],
      [by('webhook', 'other')]: [hold(0, 75)],
    },
    fires: [[19.75], [26, failing('slack', 1)], [36, failing('slack', 3)], [60]],
  },
  {
    name: 'one failure for any reason fires',
    alert: 'SmtpProxyAlertsNotDelivered',
    series: {
      [by('email', 'clientError')]: [hold(7, 50)],
      [by('email', 'contextDeadlineExceeded')]: [hold(2, 20), hold(3, 30)],
    },
    fires: [[19.75], [20.25, failing('email', 1)], [34, failing('email', 1)], [36]],
  },
  {
    name: "another Alertmanager's failures do not fire",
    alert: 'SmtpProxyAlertsNotDelivered',
    series: { [by('slack', 'clientError', 'another')]: [hold(0, 20), grow(0, 1, 20)] },
    fires: [[25], [39]],
  },
]
