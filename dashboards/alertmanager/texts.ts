/**
 * The notification texts for Slack, email and PagerDuty: the summary, the description, and links to the runbook and the
 * dashboard. Alertmanager's default texts link to Alertmanager, which only Prometheus can reach here.
 */

/** The severity, or `resolved`, and the summary that all alerts of the notification share. */
const TITLE =
  '{{ if eq .Status "firing" }}{{ .CommonLabels.severity }}{{ else }}resolved{{ end }}: {{ .CommonAnnotations.summary }}'

/** The link to the dashboard, if the alert has one. */
function dashboard(link: string): string {
  return `{{ with .Annotations.dashboard_url }}${link}{{ end }}`
}

const FIRST_DASHBOARD = '{{ (index .Alerts 0).Annotations.dashboard_url }}'
const FIRST_RUNBOOK = '{{ (index .Alerts 0).Annotations.runbook_url }}'

/** The firing alerts, each with its links, then the resolved ones. */
function list(firing: string, resolved: string): string {
  return `{{ range .Alerts.Firing }}${firing}{{ end }}{{ range .Alerts.Resolved }}${resolved}{{ end }}`
}

/** For `slack_configs`. */
export const SLACK = {
  send_resolved: true,
  title: TITLE,
  title_link: FIRST_DASHBOARD,
  fallback: TITLE,
  text: list(
    `{{ .Annotations.description }}
<{{ .Annotations.runbook_url }}|Runbook>${dashboard(' <{{ . }}|Dashboard>')}
`,
    'Resolved: {{ .Annotations.description }}\n',
  ),
}

/** For `email_configs`. Alertmanager escapes the values that it inserts into HTML. */
export const EMAIL = {
  send_resolved: true,
  headers: { Subject: TITLE },
  text: `${TITLE}

${list(
  `{{ .Annotations.description }}
Runbook: {{ .Annotations.runbook_url }}${dashboard('\nDashboard: {{ . }}')}

`,
  'Resolved: {{ .Annotations.description }}\n\n',
)}`,
  html: `<p><b>${TITLE}</b></p>
${list(
  `<p>{{ .Annotations.description }}<br>
<a href="{{ .Annotations.runbook_url }}">Runbook</a>${dashboard(' <a href="{{ . }}">Dashboard</a>')}</p>
`,
  '<p>Resolved: {{ .Annotations.description }}</p>\n',
)}`,
}

/** For `pagerduty_configs`. */
export const PAGERDUTY = {
  send_resolved: true,
  severity: 'critical',
  description: '{{ .CommonAnnotations.summary }}',
  client: 'ahasend-smtp-proxy',
  client_url: FIRST_DASHBOARD,
  links: [
    { text: 'Runbook', href: FIRST_RUNBOOK },
    { text: 'Dashboard', href: FIRST_DASHBOARD },
  ],
}
