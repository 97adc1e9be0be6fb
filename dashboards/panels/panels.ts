/**
 * What all panels have: a title, a description, a unit, links for the next step, and queries. The panel types are in
 * stats.ts, graphs.ts and tables.ts; here is the panel with text.
 */
import type { Builder } from '@grafana/grafana-foundation-sdk/cog'
import type * as common from '@grafana/grafana-foundation-sdk/common'
import type * as grafana from '@grafana/grafana-foundation-sdk/dashboard'
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus'
import * as texts from '@grafana/grafana-foundation-sdk/text'
import type * as units from '@grafana/grafana-foundation-sdk/units'
import { type GroupKey, label } from '../names.ts'
import { sum } from '../promql/queries.ts'
import { FROM_PROMETHEUS } from './variables.ts'

export type Panel = Builder<grafana.Panel> & { id(id: number): unknown; gridPos(place: grafana.GridPos): unknown }

type Units = typeof units
/** A unit, by Grafana's name. */
export type Unit = Units['Short' | 'LocaleFormat' | 'PercentUnit' | 'Seconds' | 'BytesIEC' | 'BytesPerSecondIEC']

/** The texts, unit and links of a panel. */
export interface PanelInfo {
  readonly title: string
  /** What the panel shows and which values are bad, for a reader who sees it for the first time. */
  readonly description: string
  readonly unit: Unit
  readonly links?: readonly grafana.DashboardLinkBuilder[]
}

/** A query and the names of its series. */
export interface Query {
  readonly expr: string
  /** May contain labels in double braces. */
  readonly legend?: string
  /** The least time between two points, if that of the data source is too short. */
  readonly interval?: string
}

/** A sum by labels. The values of the labels name its series, in this order. */
export function sumBy(expr: string, ...keys: readonly GroupKey[]): Query {
  return { expr: sum(expr, ...keys), legend: keys.map((key) => `{{${label(key)}}}`).join(' ') }
}

/** A panel with Markdown text. */
export function text({ content, ...spec }: Omit<PanelInfo, 'unit'> & { readonly content: string }): Panel {
  const panel = new texts.PanelBuilder().mode(texts.TextMode.Markdown).content(content)
  panel
    .title(spec.title)
    .description(spec.description)
    .links([...(spec.links ?? [])])
  return panel
}

/** The methods that the builders of all data panels have. */
interface Describable extends Panel {
  title(title: string): this
  description(description: string): this
  unit(unit: string): this
  links(links: grafana.DashboardLinkBuilder[]): this
  datasource(datasource: common.DataSourceRef): this
}

/** Sets the texts, unit, links and data source of a panel. */
export function withInfo<Kind extends Describable>(
  panel: Kind,
  { title, description, unit, links = [] }: PanelInfo,
): Kind {
  return panel
    .title(title)
    .description(description)
    .unit(unit)
    .links([...links])
    .datasource(FROM_PROMETHEUS)
}

/** A query of a panel. Index 0 has the reference letter A. */
export function target({ expr, legend, interval }: Query, index: number): DataqueryBuilder {
  const query = new DataqueryBuilder().refId(String.fromCharCode('A'.charCodeAt(0) + index))
  if (interval !== undefined) query.interval(interval)
  return query
    .datasource(FROM_PROMETHEUS)
    .expr(expr)
    .legendFormat(legend ?? '__auto')
}

/** Properties of the series or column with this name. */
export function override(name: string, properties: Readonly<Record<string, unknown>>) {
  return { matcher: { id: 'byName', options: name }, properties: propertyList(properties) }
}

/** Properties of all series whose name ends with this word. */
export function overrideOfWord(word: string, properties: Readonly<Record<string, unknown>>) {
  return { matcher: { id: 'byRegexp', options: `/(^| )${word}$/` }, properties: propertyList(properties) }
}

function propertyList(properties: Readonly<Record<string, unknown>>): grafana.DynamicConfigValue[] {
  return Object.entries(properties).map(([id, value]) => ({ id, value }))
}
