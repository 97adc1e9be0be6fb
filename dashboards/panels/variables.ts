/** What one can choose above every dashboard, and what is marked on its graphs. */
import {
  AnnotationQueryBuilder,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard'
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus'
import { type GroupKey, label, metric, within } from '../names.ts'
import { ofProxies, select } from '../promql/queries.ts'
import { PROMETHEUS } from './links.ts'

/** The uids that provisioning/ gives to data sources. Elsewhere Grafana takes the first of the type. */
export const datasources = { prometheus: 'prometheus', tempo: 'tempo' } as const

export const FROM_PROMETHEUS = { type: 'prometheus', uid: PROMETHEUS } as const

/** Names and labels are as grafana/dashboard-linter wants them where there are two kinds of data sources. */
export function variables() {
  const proxies = within('job=~"$job"')
  return [
    datasource('prometheus', 'Prometheus'),
    datasource('tempo', 'Tempo'),
    choice('job', 'Job', 'Which proxies.', 'job', metric('sessionActive')).allValue('.+'),
    choice('instance', 'Instance', 'Which of them.', 'instance', proxies.series('sessionActive')).allValue('.+'),
    choice('server', 'Upstream', 'Which AhaSend.', 'server.address', proxies.series('transactions')).allValue('.*'),
    choice('client', 'App', 'Who sends.', 'smtp.client.name', proxies.series('transactions')).allValue('.*'),
  ]
}

function datasource(type: keyof typeof datasources, title: string): DatasourceVariableBuilder {
  return new DatasourceVariableBuilder(`${type}_datasource`)
    .label(`${title} data source`)
    .type(type)
    .current({ text: title, value: datasources[type] })
}

/** The values of a label, all of them at first. */
function choice(name: string, title: string, help: string, key: GroupKey, of: string): QueryVariableBuilder {
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

/** Restarts of a proxy, and alerts while they fire. */
export function annotations(): AnnotationQueryBuilder[] {
  // A point that is younger than the distance to the point before it, however far the points are apart.
  const restarted = ofProxies(`${select.series('uptime')} < 60 + $__interval_ms / 1000`)
  const firing = 'ALERTS{alertname=~"AhaSend.+|SmtpProxy.+", alertstate="firing", job=~"$job"}'
  return [
    mark('Restarts', restarted, 'blue', 'Proxy started', '{{instance}}'),
    mark('Alerts', firing, 'red', '{{alertname}}', '{{severity}}').tagKeys(TOLD_OF_ALERTS),
  ]
}

/** What tells alerts of one name apart. Grafana writes those that an alert has; a name in a text would stay as it is. */
const TOLD_OF_ALERTS = (['smtp.client.name', 'server.address', 'instance', 'smtp.reply.cause', 'error.type'] as const)
  .map(label)
  .join(',')

function mark(name: string, expr: string, color: string, title: string, text: string): AnnotationQueryBuilder {
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
