/** An alert, before it is written for Prometheus or for Grafana. */
import { type GroupKey, label } from '../names.ts'

/**
 * critical: wakes the person on call. warning: needs attention today. info: notifies no one, but is visible in Prometheus.
 * none: no problem; the problem is when it stops firing.
 */
export type Severity = 'critical' | 'warning' | 'info' | 'none'

/** The dashboards by topic; the values are their fixed uids. */
export const dashboards = {
  mail: 'ahasend-mail-health',
  refusals: 'ahasend-refusals',
  limits: 'ahasend-limits',
  proxy: 'ahasend-proxy',
} as const

export type DashboardUid = (typeof dashboards)[keyof typeof dashboards]

/** Placeholders that are filled in when the alert fires. Prometheus and Grafana have different template variables. */
export interface Wording {
  /** The value of a label. For the app without a name, words instead of the value `other`. */
  label(key: GroupKey): string
  /** The expression's value as a whole number. */
  readonly count: string
  /** The expression's value, a ratio, in percent. */
  readonly share: string
  /** The expression's value, a number of seconds, as a readable duration. */
  readonly time: string
}

/**
 * Every alert. Names start with AhaSend for what AhaSend reports or does, otherwise with SmtpProxy.
 *
 * A new alert needs a name here, someone in actors.ts, a rule in the file of its topic, a runbook in dashboards/runbooks, `runbookLink` on its panel
 * in dashboards/boards, scenarios in test/dashboards/alerts/scenarios and an entry in test/dashboards/alerts/incidents.ts.
 * Then run `npm run dashboards` and `npm run docs`. Tests name what is missing.
 */
export const alertNames = [
  'AhaSendAccountDisabled',
  'AhaSendLoadShedding',
  'AhaSendInternalErrors',
  'AhaSendTemporaryErrors',
  'AhaSendUnreachable',
  'AhaSendDroppingSessions',
  'AhaSendMailInDoubt',
  'AhaSendPartiallyQueued',
  'AhaSendSlowFinalReplies',
  'AhaSendCertificateExpiring',
  'AhaSendCredentialsRejected',
  'AhaSendDomainNotConfigured',
  'AhaSendMessageFormatRejected',
  'AhaSendRecipientsRejected',
  'AhaSendIdleDisconnects',
  'AhaSendMessageSizeLimit',
  'AhaSendRecipientLimit',
  'AhaSendConnectionLimit',
  'SmtpProxyErrorBudgetBurning',
  'SmtpProxyDown',
  'SmtpProxyAbsent',
  'SmtpProxyRestarting',
  'SmtpProxyRefusingSessions',
  'SmtpProxyOutOfResources',
  'SmtpProxyProxyHeaderInvalid',
  'SmtpProxyAppTlsFailing',
  'SmtpProxyCertificateExpiring',
  'SmtpProxySessionsOpaque',
  'SmtpProxyObserverFailing',
  'SmtpProxyTelemetryLost',
  'SmtpProxyMetricsOverflowing',
  'SmtpProxyProbeFailing',
  'SmtpProxyProbeAbsent',
  'SmtpProxyAlertsNotDelivered',
  'SmtpProxyWatchdog',
] as const

export type AlertName = (typeof alertNames)[number]

/** One rule. Several rules may share a name if their severities differ. */
export interface Alert {
  readonly name: AlertName
  readonly severity: Severity
  /** PromQL. Each series that it returns is one alert. */
  readonly expr: string
  /** How many seconds the expression must return a result before the alert fires; 0 if one evaluation is enough. */
  readonly for: number
  /** One sentence without placeholders. */
  readonly summary: string
  /** What happened, with values, and how it affects mail. */
  readonly description: (wording: Wording) => string
  /** The panel that shows the problem: its dashboard and title. Alerts about alerting have none. */
  readonly panel?: readonly [dashboard: DashboardUid, title: string]
}

/** `other` is the value of all clients that PROXY_CLIENTS does not name. */
const APP = `{{ if eq $labels.${label('smtp.client.name')} "other" }}apps without a name (PROXY_CLIENTS){{ else }}${labelValue('smtp.client.name')}{{ end }}`

function labelValue(key: GroupKey): string {
  return `{{ $labels.${label(key)} }}`
}

/** Prometheus' template variables. */
export const prometheusWording: Wording = wordingOf('$value')

/** Grafana's template variables: `$value` is a text with all values there, so the query (refId `query`) is named. */
export const grafanaWording: Wording = wordingOf('$values.query.Value')

function wordingOf(value: string): Wording {
  return {
    label: (key) => (key === 'smtp.client.name' ? APP : labelValue(key)),
    count: `{{ ${value} | printf "%.0f" }}`,
    share: `{{ ${value} | humanizePercentage }}`,
    time: `{{ ${value} | humanizeDuration }}`,
  }
}
