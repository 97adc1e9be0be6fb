/**
 * What people read in Slack, in mails and in PagerDuty: the summary, what happened, and where to look. Alertmanager's own
 * texts link to an Alertmanager, and ours can be reached by nobody but Prometheus.
 */

/** The state of all, and the sentence that they share. */
const TITLE =
  '{{ if eq .Status "firing" }}{{ .CommonLabels.severity }}{{ else }}over{{ end }}: {{ .CommonAnnotations.summary }}'

/** The dashboard that shows it, where there is one. */
function dashboard(link: string): string {
  return `{{ with .Annotations.dashboard_url }}${link}{{ end }}`
}

const FIRST_DASHBOARD = '{{ (index .Alerts 0).Annotations.dashboard_url }}'
const FIRST_RUNBOOK = '{{ (index .Alerts 0).Annotations.runbook_url }}'

/** What fires, each with its links, then what is over. */
function list(firing: string, over: string): string {
  return `{{ range .Alerts.Firing }}${firing}{{ end }}{{ range .Alerts.Resolved }}${over}{{ end }}`
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
    'Over: {{ .Annotations.description }}\n',
  ),
}

/** For `email_configs`. Alertmanager escapes what it puts into HTML. */
export const EMAIL = {
  send_resolved: true,
  headers: { Subject: TITLE },
  text: `${TITLE}

${list(
  `{{ .Annotations.description }}
Runbook: {{ .Annotations.runbook_url }}${dashboard('\nDashboard: {{ . }}')}

`,
  'Over: {{ .Annotations.description }}\n\n',
)}`,
  html: `<p><b>${TITLE}</b></p>
${list(
  `<p>{{ .Annotations.description }}<br>
<a href="{{ .Annotations.runbook_url }}">Runbook</a>${dashboard(' <a href="{{ . }}">Dashboard</a>')}</p>
`,
  '<p>Over: {{ .Annotations.description }}</p>\n',
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
