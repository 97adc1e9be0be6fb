/** The alerts as rules that Grafana evaluates itself, for Prometheus servers that accept no rules. */
import { type Alert, grafanaWording } from '../alerts/alert.ts'
import { rulesOf } from '../alerts/alerts.ts'
import { JOB } from '../alerts/thresholds.ts'
import { durationOf, HOUR, MINUTE } from '../promql/durations.ts'
import { panelId } from './dashboards.ts'
import { annotationsOf, RULES_HEAD, tidy, yaml } from './rule-parts.ts'

const GRAFANA_HEAD = `${RULES_HEAD}
For a Grafana that evaluates alerts itself because its Prometheus accepts no rules. Copy this file to provisioning/alerting/.
It expects a data source with the uid prometheus. Do not use it if Prometheus has the rules: you would get every alert twice.
Grafana has no inhibition. In an outage, SmtpProxyErrorBudgetBurning fires in addition to the alert that names the reason,
and a warning in addition to the critical alert of the same name.
Alerts about alerting are left out: they watch Alertmanager, and SmtpProxyWatchdog would notify all receivers permanently.`

/** Without recordings: the queries contain all expressions, because Prometheus has none of our rules. */
export function grafanaRules(): string {
  const alerts = rulesOf({ recording: false }).alerts.flatMap(({ panel, ...alert }) =>
    panel ? { ...alert, panel } : [],
  )
  const groups = [
    { orgId: 1, name: JOB, folder: 'AhaSend SMTP proxy', interval: durationOf(MINUTE), rules: alerts.map(grafanaRule) },
  ]
  return yaml({ apiVersion: 1, groups }, GRAFANA_HEAD)
}

/**
 * The only rule that fires if Prometheus does not answer: all rules together would be a storm of notifications. KeepLast
 * requires Grafana 10.4.1.
 */
const FIRES_WITHOUT_PROMETHEUS = 'SmtpProxyAbsent'

/**
 * Each series that the query returns is an alert, even if its value is 0 or NaN, as in Prometheus. Grafana's own import of
 * Prometheus rules writes the same three steps.
 */
function grafanaRule(alert: Required<Alert>) {
  const { name, severity, panel } = alert
  return {
    uid: `${kebab(name)}-${severity}`,
    title: `${name} (${severity})`,
    condition: 'threshold',
    for: durationOf(alert.for),
    noDataState: 'OK',
    execErrState: name === FIRES_WITHOUT_PROMETHEUS ? 'Error' : 'KeepLast',
    labels: { severity, alert: name },
    dashboardUid: panel[0],
    panelId: panelId(panel),
    annotations: {
      ...annotationsOf(alert, grafanaWording),
      __dashboardUid__: panel[0],
      __panelId__: `${panelId(panel)}`,
    },
    data: [
      {
        refId: 'query',
        datasourceUid: 'prometheus',
        relativeTimeRange: { from: HOUR, to: 0 },
        model: { refId: 'query', expr: tidy(alert.expr), instant: true, range: false },
      },
      step('returned', { type: 'math', expression: 'is_number($query) || is_nan($query) || is_inf($query)' }),
      step('threshold', {
        type: 'threshold',
        expression: 'returned',
        conditions: [{ evaluator: { type: 'gt', params: [0] } }],
      }),
    ],
  }
}

function step(refId: string, model: object) {
  return { refId, datasourceUid: '__expr__', model: { refId, ...model } }
}

/** Grafana's uids have 40 characters at most. */
function kebab(name: string): string {
  return name
    .replace('AhaSend', 'Ahasend')
    .replaceAll(/(?<=[a-z])[A-Z]/g, '-$&')
    .toLowerCase()
}
