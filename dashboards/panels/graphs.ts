/** Graphs over time: lines for measurements, stacked areas for parts of a total, bars for unwanted events, heatmaps. */
import * as common from '@grafana/grafana-foundation-sdk/common'
import * as grafana from '@grafana/grafana-foundation-sdk/dashboard'
import * as heatmaps from '@grafana/grafana-foundation-sdk/heatmap'
import { PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus'
import * as graphs from '@grafana/grafana-foundation-sdk/timeseries'
import * as units from '@grafana/grafana-foundation-sdk/units'
import { override, overrideOfWord, type Panel, type PanelInfo, type Query, target, withInfo } from './panels.ts'

export interface Graph extends PanelInfo {
  readonly queries: readonly Query[]
  /** Colours by the last word of the series name. */
  readonly colors?: Readonly<Record<string, string>>
  /** Links that a click on a series offers; they may refer to its labels. */
  readonly dataLinks?: readonly grafana.DashboardLinkBuilder[]
}

export interface Lines extends Graph {
  /** Colours of the lines that are limits, by series name. */
  readonly dashed?: Readonly<Record<string, string>>
  /** The base of a logarithmic scale. */
  readonly logarithmic?: 2 | 10
}

/** One line per series. */
export function lines({ dashed = {}, logarithmic, ...spec }: Lines): Panel {
  const limits = Object.entries(dashed).map(([name, color]) => override(name, { ...fixed(color), ...DASHED }))
  const panel = graph(spec, limits)
    .lineWidth(1)
    .fillOpacity(logarithmic ? 0 : 10)
  if (!logarithmic) return panel
  return panel.scaleDistribution(
    new common.ScaleDistributionConfigBuilder().type(common.ScaleDistribution.Log).log(logarithmic),
  )
}

/** Stacked areas. They have no lines: a line at 0 would look like a coloured edge of the area below. */
export function areas(spec: Graph): Panel {
  return graph(spec).lineWidth(0).fillOpacity(70).stacking(STACKED)
}

export interface Events extends Omit<Graph, 'unit'> {
  /** The text of the panel while there are no events. */
  readonly noValue: string
}

/**
 * Stacked bars, for rare events: a single point is visible too, and the legend lists only events that occurred.
 */
export function events({ noValue, queries, ...spec }: Events): Panel {
  const positive = queries.map(({ expr, ...query }) => ({ ...query, expr: `${expr} > 0` }))
  const panel = graph({ ...spec, unit: units.Short, queries: positive })
    .drawStyle(common.GraphDrawStyle.Bars)
    .lineWidth(0)
    .fillOpacity(90)
  return panel.stacking(STACKED).noValue(noValue)
}

const STACKED = new common.StackingConfigBuilder().mode(common.StackingMode.Normal).group('A')

const DASHED = { 'custom.lineStyle': { fill: 'dash', dash: [10, 10] }, 'custom.fillOpacity': 0 }

type Overrides = ReturnType<typeof override>[]

function graph({ queries, colors = {}, dataLinks = [], ...spec }: Graph, overrides: Overrides = []) {
  const panel = new graphs.PanelBuilder()
    .targets(queries.map((query, index) => target(query, index).range()))
    .min(0)
    .showPoints(common.VisibilityMode.Never)
    .colorScheme(new grafana.FieldColorBuilder().mode(grafana.FieldColorModeId.PaletteClassic))
    .legend(new common.VizLegendOptionsBuilder().showLegend(true).placement(common.LegendPlacement.Bottom))
    .tooltip(
      new common.VizTooltipOptionsBuilder().mode(common.TooltipDisplayMode.Multi).sort(common.SortOrder.Descending),
    )
    .dataLinks([...dataLinks])
    .overrides([...Object.entries(colors).map(([word, color]) => overrideOfWord(word, fixed(color))), ...overrides])
  return withInfo(panel, spec)
}

function fixed(fixedColor: string) {
  return { color: { mode: grafana.FieldColorModeId.Fixed, fixedColor } }
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
