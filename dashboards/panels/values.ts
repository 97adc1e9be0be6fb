/** Colours and texts that depend on a value. */
import * as grafana from '@grafana/grafana-foundation-sdk/dashboard'

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
