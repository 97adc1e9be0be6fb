/** Links from a panel to a runbook and to another dashboard. Links to traces are in traces.ts. */
import { DashboardLinkBuilder, DashboardLinkType } from '@grafana/grafana-foundation-sdk/dashboard'
import type { Alert, DashboardUid } from '../alerts/alert.ts'
import { runbookOf } from '../alerts/runbook.ts'

/** A reference to a variable that Grafana replaces; `format` defines how it writes several values. */
export function variable(name: string, format?: string): string {
  return `\${${name}${format ? `:${format}` : ''}}`
}

export const PROMETHEUS = variable('prometheus_datasource')

/** A link to the runbook of an alert. */
export function runbookLink(alert: Alert['name']): DashboardLinkBuilder {
  return linkTo(`Runbook: ${alert}`, runbookOf(alert))
}

/** A link to another dashboard with the same time range and proxies, and the same apps unless `clients` is set. */
export function dashboardLink(title: string, uid: DashboardUid, clients?: string): DashboardLinkBuilder {
  const variables = ['prometheus_datasource', 'tempo_datasource', 'job', 'instance', 'server']
  const apps = clients === undefined ? variable('client', 'queryparam') : `var-client=${clients}`
  const query = [variable('__url_time_range'), ...variables.map((name) => variable(name, 'queryparam')), apps]
  return linkTo(title, `/d/${uid}?${query.join('&')}`, false)
}

/** A link to an address, which opens in a new tab unless `targetBlank` is false. */
export function linkTo(title: string, url: string, targetBlank = true): DashboardLinkBuilder {
  return new DashboardLinkBuilder(title).type(DashboardLinkType.Link).url(url).targetBlank(targetBlank)
}
