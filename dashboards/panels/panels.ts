/** The kinds of panels that the dashboards are made of. Each says what it shows, in which unit, and where to go from there. */
import type { Builder } from '@grafana/grafana-foundation-sdk/cog'
import * as common from '@grafana/grafana-foundation-sdk/common'
import * as grafana from '@grafana/grafana-foundation-sdk/dashboard'
import * as heatmaps from '@grafana/grafana-foundation-sdk/heatmap'
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus'
import * as stats from '@grafana/grafana-foundation-sdk/stat'
import * as texts from '@grafana/grafana-foundation-sdk/text'
import type * as units from '@grafana/grafana-foundation-sdk/units'
import { FROM_PROMETHEUS } from './variables.ts'

export type Panel = Builder<grafana.Panel> & { id(id: number): unknown; gridPos(place: grafana.GridPos): unknown }

type Units = typeof units
/** A unit as Grafana names it. */
export type Unit = Units['Short' | 'LocaleFormat' | 'PercentUnit' | 'Seconds' | 'BytesIEC' | 'BytesPerSecondIEC']

/** What every panel has to say. */
export interface About {
  readonly title: string
  /** What it shows and when that is bad, for somebody who sees it for the first time. */
  readonly description: string
  readonly unit: Unit
  readonly links?: readonly grafana.DashboardLinkBuilder[]
}

/** A query, and how its series are called. */
export interface Query {
  readonly expr: string
  /** Labels in double braces. */
  readonly legend?: string
}

/** A colour from this value on. */
export type Step = readonly [from: number, color: string]

/** Colours by value; the first is that of all smaller values. */
export function thresholds(lowest: string, ...steps: readonly Step[]): grafana.ThresholdsConfigBuilder {
  return new grafana.ThresholdsConfigBuilder()
    .mode(grafana.ThresholdsMode.Absolute)
    .steps([{ value: null, color: lowest }, ...steps.map(([value, color]) => ({ value, color }))])
}

/** Green at none, `color` from one on: counts that Prometheus extrapolates are seldom whole. */
export function noneIsGood(color = 'red'): grafana.ThresholdsConfigBuilder {
  return thresholds('green', [0.5, color])
}

/** Further than any value here. Grafana takes an open end, which is null, for 0 before its version 12. */
const FAR = 1e15

/** Words in place of values from `from` to `to`. */
export function words(...ranges: readonly Words[]): grafana.ValueMapping[] {
  return ranges.map(({ from = -FAR, to = FAR, ...result }, index) => ({
    type: grafana.MappingType.RangeToText as const,
    options: { from, to, result: { ...result, index } },
  }))
}

export interface Words {
  readonly from?: number
  readonly to?: number
  readonly text: string
  readonly color: string
}

/** A word where there is no value at all. */
export function unknown(text: string, color: string): grafana.ValueMapping {
  const match = grafana.SpecialValueMatch.NullAndNan
  return { type: grafana.MappingType.SpecialValue, options: { match, result: { text, color, index: 99 } } }
}

/** What stands in place of the -1 that `measured` gives. */
export function noneYet(text: string): Words {
  return { to: -0.5, text, color: 'blue' }
}

/** A big number at the end of the time that is shown, or one for each query. */
export interface Stat extends About {
  readonly queries: readonly Query[]
  readonly thresholds: grafana.ThresholdsConfigBuilder
  readonly mappings?: grafana.ValueMapping[]
  /** Other thresholds for some of the queries, by legend. */
  readonly colors?: Readonly<Record<string, grafana.ThresholdsConfigBuilder>>
  /** Other units for some of the queries, by legend. */
  readonly units?: Readonly<Record<string, Unit>>
  readonly decimals?: number
  /** Fills the whole panel with the colour: for what has to be seen from afar. */
  readonly loud?: boolean
  /** What stands there when nothing is known; of a loud panel that is bad news. */
  readonly nothing?: string
}

export function stat({
  queries,
  colors = {},
  units: others = {},
  loud = false,
  nothing = 'not known',
  ...spec
}: Stat): Panel {
  const panel = new stats.PanelBuilder()
    .targets(queries.map((query, index) => target(query, index).instant()))
    .thresholds(spec.thresholds)
    .colorScheme(new grafana.FieldColorBuilder().mode(grafana.FieldColorModeId.Thresholds))
    .colorMode(loud ? common.BigValueColorMode.Background : common.BigValueColorMode.Value)
    .graphMode(common.BigValueGraphMode.None)
    .textMode(queries.length > 1 ? common.BigValueTextMode.ValueAndName : common.BigValueTextMode.Value)
    .justifyMode(common.BigValueJustifyMode.Center)
    .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']).fields('').values(false))
    .mappings([...(spec.mappings ?? []), unknown(nothing, loud ? 'dark-red' : 'text')])
    .overrides([
      ...Object.entries(colors).map(([legend, own]) => override(legend, { thresholds: own.build() })),
      ...Object.entries(others).map(([legend, unit]) => override(legend, { unit })),
    ])
  if (spec.decimals !== undefined) panel.decimals(spec.decimals)
  return told(panel, spec)
}

/** A histogram over time: the more, the brighter. */
export interface Heatmap extends About {
  /** Buckets by `le`. */
  readonly expr: string
}

export function heatmap({ expr, unit, ...spec }: Heatmap): Panel {
  const query = target({ expr, legend: '{{le}}' }, 0).range().format(PromQueryFormat.Heatmap)
  const panel = new heatmaps.PanelBuilder()
    // no closer than a rate looks back, or each session is seen in several columns
    .withTarget(query.interval('1m'))
    .calculate(false)
    .yAxis(new heatmaps.YAxisConfigBuilder().unit(unit).axisPlacement(common.AxisPlacement.Left))
    .color(new heatmaps.HeatmapColorOptionsBuilder().mode(heatmaps.HeatmapColorMode.Scheme).scheme('Oranges').steps(64))
    .cellGap(1)
    .showLegend()
  return told(panel, { ...spec, unit })
}

/** Words. */
export function text({ content, ...spec }: Omit<About, 'unit'> & { readonly content: string }): Panel {
  const panel = new texts.PanelBuilder().mode(texts.TextMode.Markdown).content(content)
  panel
    .title(spec.title)
    .description(spec.description)
    .links([...(spec.links ?? [])])
  return panel
}

/** What all panels that show data have. */
interface Describable extends Panel {
  title(title: string): this
  description(description: string): this
  unit(unit: string): this
  links(links: grafana.DashboardLinkBuilder[]): this
  datasource(datasource: common.DataSourceRef): this
}

/** Gives a panel what every panel has to say. */
export function told<Kind extends Describable>(panel: Kind, { title, description, unit, links = [] }: About): Kind {
  return panel
    .title(title)
    .description(description)
    .unit(unit)
    .links([...links])
    .datasource(FROM_PROMETHEUS)
}

/** The query of a panel, as the index of its letter says. */
export function target({ expr, legend }: Query, index: number): DataqueryBuilder {
  const query = new DataqueryBuilder().refId(String.fromCharCode('A'.charCodeAt(0) + index))
  return query
    .datasource(FROM_PROMETHEUS)
    .expr(expr)
    .legendFormat(legend ?? '__auto')
}

/** Properties of the series or column of this name. */
export function override(name: string, properties: Readonly<Record<string, unknown>>) {
  return { matcher: { id: 'byName', options: name }, properties: listed(properties) }
}

/** Properties of all series whose name ends in this word. */
export function overrideOfWord(word: string, properties: Readonly<Record<string, unknown>>) {
  return { matcher: { id: 'byRegexp', options: `/(^| )${word}$/` }, properties: listed(properties) }
}

function listed(properties: Readonly<Record<string, unknown>>): grafana.DynamicConfigValue[] {
  return Object.entries(properties).map(([id, value]) => ({ id, value }))
}
