/** Links from a panel to traces in Tempo, and the TraceQL that finds them. */
import type { DashboardLinkBuilder } from '@grafana/grafana-foundation-sdk/dashboard'
import { type AttributeKey, type DetailKey, spans } from '../../otel/names/names.ts'
import { linkTo, variable } from './links.ts'

const TEMPO = variable('tempo_datasource')

/** The condition on a span attribute. `raw` goes into the query unchanged, for variables that Grafana replaces. */
type Expected =
  | string
  | number
  | boolean
  | { readonly matches: string }
  | { readonly atLeast: number }
  | { readonly raw: string }

type Conditions = { readonly [Key in AttributeKey | DetailKey]?: Expected }

/** Conditions on one span, in TraceQL: its name, its attributes, and the further conditions in `more`. */
export function spanWith(conditions: Conditions, name?: keyof typeof spans, ...more: readonly string[]): string {
  const attributes = Object.entries(conditions).map(([key, value]) => condition(`span.${key}`, value))
  return `{ ${[...(name ? [`name = "${spans[name]}"`] : []), ...attributes, ...more].join(' && ')} }`
}

function condition(attribute: string, expected: Expected): string {
  if (typeof expected === 'string') return `${attribute} = "${expected}"`
  if (typeof expected !== 'object') return `${attribute} = ${expected}`
  if ('atLeast' in expected) return `${attribute} >= ${expected.atLeast}`
  return 'raw' in expected ? `${attribute} = ${expected.raw}` : `${attribute} =~ "${expected.matches}"`
}

/** Traces that contain a matching span for each condition. The reply and the app are on different spans of a trace. */
export function traceWith(...spanConditions: readonly string[]): string {
  return spanConditions.join(' && ')
}

/** The condition on a span of one of the selected apps. */
export const SELECTED_APPS = { 'smtp.client.name': { matches: variable('client', 'pipe') } } as const

/** A span that has the app: that of the message, or that of the session if no message began. */
export const OF_SELECTED_APPS = spanWith(SELECTED_APPS)

/** A link to the traces of a TraceQL query, in Explore, for the dashboard's time range. */
export function tracesLink(title: string, traceql: string): DashboardLinkBuilder {
  return linkTo(title, exploreUrl(traceql))
}

/** A span with the code and the cause of a series. */
const ofTheSeries = spanWith({
  'smtp.reply.code': { raw: variable('__field.labels.smtp_reply_code') },
  'smtp.reply.cause': variable('__field.labels.smtp_reply_cause'),
})

/** A link from a series of replies by code and cause to its traces. */
export const tracesOfCode = tracesLink('Traces of this code', traceWith(ofTheSeries, OF_SELECTED_APPS))

/** A link from a series of replies by app, code and cause to its traces. */
export const tracesOfAppAndCode = tracesLink(
  'Traces of this app and code',
  traceWith(ofTheSeries, spanWith({ 'smtp.client.name': variable('__field.labels.smtp_client_name') })),
)

/** Messages that were refused, lost or aborted. */
export const tracesOfFailedMessages = tracesLink(
  'Traces of failed messages',
  traceWith(spanWith({}, 'transaction', 'status = error'), OF_SELECTED_APPS),
)

/** Refusals, except idle disconnects. */
export const tracesOfRefusals = tracesLink(
  'Traces of refusals',
  traceWith(
    spanWith({ 'smtp.reply.code': { atLeast: 400 } }, undefined, 'span.smtp.reply.cause != "idle_timeout"'),
    OF_SELECTED_APPS,
  ),
)

/** Messages that took longer than two seconds, of all apps: for panels that do not distinguish apps. */
export const tracesOfSlowMessages = tracesLink('Traces of slow messages', spanWith({}, 'transaction', 'duration > 2s'))

/** Messages of at least 10 MiB. */
export const tracesOfLargeMessages = tracesLink(
  'Traces of large messages',
  spanWith({ 'smtp.message.size': { atLeast: 10_485_760 }, ...SELECTED_APPS }, 'transaction'),
)

/** Attempts to connect to an upstream that failed. */
export const tracesOfFailedDials = tracesLink('Traces of failed dials', spanWith({}, 'dial', 'status = error'))

/**
 * Explore's URL as Grafana documents it (10.2 and later). References to variables stay unencoded, so that Grafana can
 * replace them. Where a URL is decoded a second time (@braintree/sanitize-url since 7.0.2), an ampersand would end the
 * parameter, so it is written as a JSON escape.
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
