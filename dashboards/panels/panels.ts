/** The panel types of the dashboards. Each panel has a description, a unit and links for the next step. */
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
}

/** A colour, and the lowest value that has it. */
export type Step = readonly [from: number, color: string]

/** Colours by value. `lowest` is the colour of all values below the first step. */
export function thresholds(lowest: string, ...steps: readonly Step[]): grafana.ThresholdsConfigBuilder {
  return new grafana.ThresholdsConfigBuilder()
    .mode(grafana.ThresholdsMode.Absolute)
    .steps([{ value: null, color: lowest }, ...steps.map(([value, color]) => ({ value, color }))])
}

/** Green at zero, `color` from 0.5: counts that Prometheus extrapolates are rarely integers. */
export function zeroIsGood(color = 'red'): grafana.ThresholdsConfigBuilder {
  return thresholds('green', [0.5, color])
}

/** Larger than any value here. Before version 12, Grafana treats an open end (null) as 0. */
const BEYOND_ALL_VALUES = 1e15

/** Texts that replace the values from `from` to `to`. */
export function rangeTexts(...ranges: readonly RangeText[]): grafana.ValueMapping[] {
  return ranges.map(({ from = -BEYOND_ALL_VALUES, to = BEYOND_ALL_VALUES, ...result }, index) => ({
    type: grafana.MappingType.RangeToText as const,
    options: { from, to, result: { ...result, index } },
  }))
}

export interface RangeText {
  readonly from?: number
  readonly to?: number
  readonly text: string
  readonly color: string
}

/** The text of a panel or cell that has no value. */
export function noValueText(text: string, color: string): grafana.ValueMapping {
  const match = grafana.SpecialValueMatch.NullAndNan
  return { type: grafana.MappingType.SpecialValue, options: { match, result: { text, color, index: 99 } } }
}

/** The text for -1, which `measured` returns if there was nothing to measure. */
export function notMeasured(text: string): RangeText {
  return { to: -0.5, text, color: 'blue' }
}

/** A large number for the end of the time range, or one for each query. */
export interface Stat extends PanelInfo {
  readonly queries: readonly Query[]
  readonly thresholds: grafana.ThresholdsConfigBuilder
  readonly mappings?: grafana.ValueMapping[]
  /** Different thresholds for some queries, by legend. */
  readonly colors?: Readonly<Record<string, grafana.ThresholdsConfigBuilder>>
  /** Different units for some queries, by legend. */
  readonly units?: Readonly<Record<string, Unit>>
  readonly decimals?: number
  /** Fills the whole panel with the colour, for answers that must be visible from a distance. */
  readonly filled?: boolean
  /** The text if there is no value. A filled panel shows it in red. */
  readonly noValue?: string
}

export function stat({
  queries,
  colors = {},
  units: others = {},
  filled = false,
  noValue = 'No data',
  ...spec
}: Stat): Panel {
  const panel = new stats.PanelBuilder()
    .targets(queries.map((query, index) => target(query, index).instant()))
    .thresholds(spec.thresholds)
    .colorScheme(new grafana.FieldColorBuilder().mode(grafana.FieldColorModeId.Thresholds))
    .colorMode(filled ? common.BigValueColorMode.Background : common.BigValueColorMode.Value)
    .graphMode(common.BigValueGraphMode.None)
    .textMode(queries.length > 1 ? common.BigValueTextMode.ValueAndName : common.BigValueTextMode.Value)
    .justifyMode(common.BigValueJustifyMode.Center)
    .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']).fields('').values(false))
    .mappings([...(spec.mappings ?? []), noValueText(noValue, filled ? 'dark-red' : 'text')])
    .overrides([
      ...Object.entries(colors).map(([legend, own]) => override(legend, { thresholds: own.build() })),
      ...Object.entries(others).map(([legend, unit]) => override(legend, { unit })),
    ])
  if (spec.decimals !== undefined) panel.decimals(spec.decimals)
  return withInfo(panel, spec)
}

/** A histogram over time: brighter cells have more events. */
export interface Heatmap extends PanelInfo {
  /** Buckets by `le`. */
  readonly expr: string
}

export function heatmap({ expr, unit, ...spec }: Heatmap): Panel {
  const query = target({ expr, legend: '{{le}}' }, 0).range().format(PromQueryFormat.Heatmap)
  const panel = new heatmaps.PanelBuilder()
    // at least the window of the rate, or each session appears in several columns
    .withTarget(query.interval('1m'))
    .calculate(false)
    .yAxis(new heatmaps.YAxisConfigBuilder().unit(unit).axisPlacement(common.AxisPlacement.Left))
    .color(new heatmaps.HeatmapColorOptionsBuilder().mode(heatmaps.HeatmapColorMode.Scheme).scheme('Oranges').steps(64))
    .cellGap(1)
    .showLegend()
  return withInfo(panel, { ...spec, unit })
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
export function target({ expr, legend }: Query, index: number): DataqueryBuilder {
  const query = new DataqueryBuilder().refId(String.fromCharCode('A'.charCodeAt(0) + index))
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
