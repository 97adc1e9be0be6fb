/** The variables and annotations of every dashboard. */
import {
  AnnotationQueryBuilder,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard'
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus'
import { type GroupKey, label, metric, within, withoutProbe } from '../names.ts'
import { ofProxies, select } from '../promql/queries.ts'
import { PROMETHEUS } from './links.ts'

/** The uids that provisioning/ gives to data sources. Elsewhere, Grafana selects the first data source of the type. */
export const datasources = { prometheus: 'prometheus', tempo: 'tempo' } as const

export const FROM_PROMETHEUS = { type: 'prometheus', uid: PROMETHEUS } as const

/** Names and labels follow grafana/dashboard-linter's rules for dashboards with two types of data sources. */
export function variables() {
  const proxies = within((key) => ['job=~"$job"', withoutProbe(key)].filter(Boolean).join(', '))
  return [
    datasource('prometheus', 'Prometheus'),
    datasource('tempo', 'Tempo'),
    values('job', 'Job', 'Prometheus jobs of the proxies.', 'job', metric('sessionActive')).allValue('.+'),
    values('instance', 'Instance', 'Proxy instances.', 'instance', proxies.series('sessionActive')).allValue('.+'),
    values('server', 'Upstream', 'AhaSend upstreams.', 'server.address', proxies.series('transactions')).allValue('.*'),
    values('client', 'App', 'Apps that send mail.', 'smtp.client.name', proxies.series('transactions')).allValue('.*'),
  ]
}

function datasource(type: keyof typeof datasources, title: string): DatasourceVariableBuilder {
  return new DatasourceVariableBuilder(`${type}_datasource`)
    .label(`${title} data source`)
    .type(type)
    .current({ text: title, value: datasources[type] })
}

/** A variable with the values of a label. All values are selected at first. */
function values(name: string, title: string, help: string, key: GroupKey, of: string): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .label(title)
    .description(help)
    .datasource(FROM_PROMETHEUS)
    .query(`label_values(${of}, ${label(key)})`)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .current({ text: 'All', value: '$__all' })
}

/** Marks restarts of a proxy, and alerts while they fire. */
export function annotations(): AnnotationQueryBuilder[] {
  // The process is younger than the interval between two points, however long the interval is.
  const restarted = ofProxies(`${select.series('uptime')} < 60 + $__interval_ms / 1000`)
  const firing = 'ALERTS{alertname=~"AhaSend.+|SmtpProxy.+", alertstate="firing", job=~"$job"}'
  return [
    annotation('Restarts', restarted, 'blue', 'Proxy started', '{{instance}}'),
    annotation('Alerts', firing, 'red', '{{alertname}}', '{{severity}}').tagKeys(ALERT_TAGS),
  ]
}

/**
 * Labels that distinguish alerts of one name. As tags, Grafana shows only the labels that an alert has; in the text
 * format, it would show the name of a missing label.
 */
const ALERT_TAGS = (['smtp.client.name', 'server.address', 'instance', 'smtp.reply.cause', 'error.type'] as const)
  .map(label)
  .join(',')

function annotation(name: string, expr: string, color: string, title: string, text: string): AnnotationQueryBuilder {
  return new AnnotationQueryBuilder()
    .name(name)
    .datasource(FROM_PROMETHEUS)
    .enable(true)
    .hide(false)
    .iconColor(color)
    .expr(expr)
    .step('60s')
    .titleFormat(title)
    .textFormat(text)
    .target(new DataqueryBuilder().refId('A').datasource(FROM_PROMETHEUS).expr(expr).range().interval('60s'))
}
