/** Graphs over time: lines of what is measured, areas of what is one whole, bars of what should not happen. */
import * as common from '@grafana/grafana-foundation-sdk/common'
import * as grafana from '@grafana/grafana-foundation-sdk/dashboard'
import * as graphs from '@grafana/grafana-foundation-sdk/timeseries'
import { type About, override, overrideOfWord, type Panel, type Query, target, told } from './panels.ts'

export interface Graph extends About {
  readonly queries: readonly Query[]
  /** Colours by the last word of the names of series. */
  readonly colors?: Readonly<Record<string, string>>
  /** What a click on a series offers; may name its labels. */
  readonly dataLinks?: readonly grafana.DashboardLinkBuilder[]
}

export interface Lines extends Graph {
  /** Lines that are limits: their colours, by name. */
  readonly dashed?: Readonly<Record<string, string>>
  /** The base of a logarithmic scale. */
  readonly logarithmic?: 2 | 10
}

/** A line for each series. */
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

/** Areas upon each other. Without lines: one at 0 would look like a coloured edge of the area below. */
export function areas(spec: Graph): Panel {
  return graph(spec).lineWidth(0).fillOpacity(70).stacking(UPON_EACH_OTHER)
}

export interface Events extends Graph {
  /** What stands there while nothing happens. */
  readonly nothing: string
}

/**
 * Bars upon each other, for what happens seldom: one point is seen too, and what does not happen is not in the legend.
 */
export function events({ nothing, queries, ...spec }: Events): Panel {
  const seen = queries.map(({ expr, ...query }) => ({ ...query, expr: `${expr} > 0` }))
  const panel = graph({ ...spec, queries: seen })
    .drawStyle(common.GraphDrawStyle.Bars)
    .lineWidth(0)
    .fillOpacity(90)
  return panel.stacking(UPON_EACH_OTHER).noValue(nothing)
}

const UPON_EACH_OTHER = new common.StackingConfigBuilder().mode(common.StackingMode.Normal).group('A')

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
  return told(panel, spec)
}

function fixed(fixedColor: string) {
  return { color: { mode: grafana.FieldColorModeId.Fixed, fixedColor } }
}
