/** Panels with large numbers. */
import * as common from '@grafana/grafana-foundation-sdk/common'
import * as grafana from '@grafana/grafana-foundation-sdk/dashboard'
import * as stats from '@grafana/grafana-foundation-sdk/stat'
import * as units from '@grafana/grafana-foundation-sdk/units'
import { override, type Panel, type PanelInfo, type Query, target, type Unit, withInfo } from './panels.ts'
import { noValueText } from './values.ts'

/** A number for the end of the time range, or one for each query. */
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
    .text(textSize(queries.length > 1))
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

/**
 * Sizes at which 1,234,567 fits the narrowest panels at a width of 1280 px. Grafana's own size depends on the text, so numbers in
 * one row would differ in size, and the longest ones would be cut off.
 */
function textSize(isNamed: boolean): common.VizTextDisplayOptionsBuilder {
  const size = new common.VizTextDisplayOptionsBuilder()
  return isNamed ? size.titleSize(13).valueSize(20) : size.valueSize(32)
}

/** A count of events, without decimals. */
export function countStat(spec: Omit<Stat, 'unit' | 'decimals'>): Panel {
  return stat({ ...spec, unit: units.LocaleFormat, decimals: 0 })
}
