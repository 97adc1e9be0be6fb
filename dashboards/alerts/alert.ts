/** What an alert is before it is written for Prometheus or for Grafana. */
import { type GroupKey, label } from '../names.ts'

/**
 * critical: somebody gets up. warning: somebody looks today. info: nobody is told, it is there for whoever looks. none: no
 * trouble at all; it is missed when it does not fire.
 */
export type Severity = 'critical' | 'warning' | 'info' | 'none'

/** The dashboards by what they answer; the values are their fixed uids. */
export const dashboards = {
  mail: 'ahasend-mail-health',
  refusals: 'ahasend-refusals',
  limits: 'ahasend-limits',
  proxy: 'ahasend-proxy',
} as const

export type DashboardUid = (typeof dashboards)[keyof typeof dashboards]

/** Parts of a description that are filled in when the alert fires. Each system has its own template variables. */
export interface Wording {
  /** The value of a label. */
  label(key: GroupKey): string
  /** The expression's value as a whole number. */
  readonly count: string
  /** The expression's value, a ratio, in percent. */
  readonly share: string
  /** The expression's value, in seconds, as people say it. */
  readonly time: string
}

/** Every alert: sentences in CamelCase. What AhaSend does begins with AhaSend, what the proxy does with SmtpProxy. */
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
  'SmtpProxyAlertsNotDelivered',
  'SmtpProxyWatchdog',
] as const

export type AlertName = (typeof alertNames)[number]

/** One rule. Of one name there may be several, with different severities. */
export interface Alert {
  readonly name: AlertName
  readonly severity: Severity
  /** PromQL; whatever it returns is an alert. */
  readonly expr: string
  /** Seconds that the expression must return something; 0 where one evaluation is enough. */
  readonly for: number
  /** One sentence, the same each time. */
  readonly summary: string
  /** What happened, with values, and what it means for mail. */
  readonly description: (wording: Wording) => string
  /** The panel that shows it: its dashboard and its title. What is about alerting is shown by none. */
  readonly panel?: readonly [dashboard: DashboardUid, title: string]
}

/** Prometheus' template variables. */
export const prometheusWording: Wording = wordingOf('$value')

/** Grafana's: `$value` is there a text with all values, so the query (refId `query`) is named. */
export const grafanaWording: Wording = wordingOf('$values.query.Value')

function wordingOf(value: string): Wording {
  return {
    label: (key) => `{{ $labels.${label(key)} }}`,
    count: `{{ ${value} | printf "%.0f" }}`,
    share: `{{ ${value} | humanizePercentage }}`,
    time: `{{ ${value} | humanizeDuration }}`,
  }
}
