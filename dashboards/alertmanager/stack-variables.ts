/**
 * The variables that compose.yaml reads, except PROXY_* (known to the proxy) and ALERT_*. The list makes it possible to
 * report a misspelled variable. A test compares it with compose.yaml.
 */
export const STACK_VARIABLES = [
  'SETTINGS_FILE',
  'SMTP_PUBLISH',
  'GRAFANA_PUBLISH',
  'GRAFANA_URL',
  'GRAFANA_ADMIN_USER',
  'GRAFANA_ADMIN_PASSWORD',
  'GRAFANA_DISABLED_PLUGINS',
  'PROMETHEUS_RETENTION',
  'PROMETHEUS_RETENTION_SIZE',
  'TEMPO_RETENTION',
  'PROMETHEUS_MEMORY',
  'ALERTMANAGER_MEMORY',
  'TEMPO_MEMORY',
  'GRAFANA_MEMORY',
  'LOG_DRIVER',
  'NODE_IMAGE',
  'PROMETHEUS_IMAGE',
  'ALERTMANAGER_IMAGE',
  'TEMPO_IMAGE',
  'GRAFANA_IMAGE',
  'REHEARSAL_IMAGE',
  'REHEARSAL_PUBLISH',
  'REVISION',
  'CERTIFICATES',
] as const
