/** Ways from a panel to what lies behind it: the traces in Tempo, the runbook, another dashboard. */
import { DashboardLinkBuilder, DashboardLinkType } from '@grafana/grafana-foundation-sdk/dashboard'
import { type AttributeKey, type DetailKey, spans } from '../../otel/names/names.ts'
import type { Alert, DashboardUid } from '../alerts/alert.ts'
import { runbookOf } from '../alerts/runbook.ts'

/** A variable as it stands in a text that Grafana fills in; `format` says how several values are written. */
export function variable(name: string, format?: string): string {
  return `\${${name}${format ? `:${format}` : ''}}`
}

export const PROMETHEUS = variable('prometheus_datasource')
const TEMPO = variable('tempo_datasource')
/** The chosen apps as a regular expression. */
export const CLIENTS = variable('client', 'pipe')

/** What an attribute of a span must be. `raw` is put into the query as it is, for what Grafana fills in. */
type Wanted =
  | string
  | number
  | boolean
  | { readonly matches: string }
  | { readonly atLeast: number }
  | { readonly raw: string }

type Conditions = { readonly [Key in AttributeKey | DetailKey]?: Wanted }

/** Conditions on one span, in TraceQL: its name, its attributes, and whatever else `more` says. */
export function spanWith(conditions: Conditions, name?: keyof typeof spans, ...more: readonly string[]): string {
  const wanted = Object.entries(conditions).map(([key, value]) => condition(`span.${key}`, value))
  return `{ ${[...(name ? [`name = "${spans[name]}"`] : []), ...wanted, ...more].join(' && ')} }`
}

function condition(attribute: string, wanted: Wanted): string {
  if (typeof wanted === 'string') return `${attribute} = "${wanted}"`
  if (typeof wanted !== 'object') return `${attribute} = ${wanted}`
  if ('atLeast' in wanted) return `${attribute} >= ${wanted.atLeast}`
  return 'raw' in wanted ? `${attribute} = ${wanted.raw}` : `${attribute} =~ "${wanted.matches}"`
}

/** Traces that have a span of each kind. Such a kind may say the reply, another the app: replies do not know it. */
export function traceWith(...kinds: readonly string[]): string {
  return kinds.join(' && ')
}

/** A span that knows the app: of the mail, or of the session where no mail began. */
export const OF_CHOSEN_APPS = spanWith({ 'smtp.client.name': { matches: CLIENTS } })

/** A link to the traces of a TraceQL query, in Explore, at the time that the dashboard shows. */
export function tracesLink(title: string, traceql: string): DashboardLinkBuilder {
  return linkTo(title, exploreUrl(traceql))
}

/** The code and cause that a series is about. */
const ofTheSeries = spanWith({
  'smtp.reply.code': { raw: variable('__field.labels.smtp_reply_code') },
  'smtp.reply.cause': variable('__field.labels.smtp_reply_cause'),
})

/** From a series of replies by code and cause to its traces. */
export const tracesOfCode = tracesLink('Traces of this code', traceWith(ofTheSeries, OF_CHOSEN_APPS))

/** From a series of replies by app, code and cause. */
export const tracesOfAppAndCode = tracesLink(
  'Traces of this app and code',
  traceWith(ofTheSeries, spanWith({ 'smtp.client.name': variable('__field.labels.smtp_client_name') })),
)

/** A link to what to do when an alert fires. */
export function runbookLink(alert: Alert['name']): DashboardLinkBuilder {
  return linkTo(`Runbook: ${alert}`, runbookOf(alert))
}

/** A link to another dashboard: the same time, the same proxies, the same apps or those of `clients`. */
export function dashboardLink(title: string, uid: DashboardUid, clients?: string): DashboardLinkBuilder {
  const kept = ['prometheus_datasource', 'tempo_datasource', 'job', 'instance', 'server']
  const apps = clients === undefined ? variable('client', 'queryparam') : `var-client=${clients}`
  const query = [variable('__url_time_range'), ...kept.map((name) => variable(name, 'queryparam')), apps]
  return linkTo(title, `/d/${uid}?${query.join('&')}`, false)
}

function linkTo(title: string, url: string, targetBlank = true): DashboardLinkBuilder {
  return new DashboardLinkBuilder(title).type(DashboardLinkType.Link).url(url).targetBlank(targetBlank)
}

/**
 * Explore's address as Grafana documents it (10.2 and later). Grafana fills in what is written as a variable, which must
 * stay readable. An ampersand would end the parameter where addresses are decoded once more on their way
 * (@braintree/sanitize-url from 7.0.2 on), so it is spelt as JSON can.
 */
function exploreUrl(query: string): string {
  const datasource = { type: 'tempo', uid: TEMPO }
  const pane = {
    datasource: TEMPO,
    queries: [{ refId: 'A', datasource, queryType: 'traceql', query, limit: 50, tableType: 'traces' }],
    range: { from: variable('__from'), to: variable('__to') },
  }
  const panes = encodeURIComponent(JSON.stringify({ traces: pane }).replaceAll('&', '\\u0026'))
  return `/explore?schemaVersion=1&panes=${panes.replaceAll(/%24%7B.*?%7D/g, decodeURIComponent)}`
}
