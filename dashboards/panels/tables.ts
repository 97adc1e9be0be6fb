/** Tables: what was counted, by label. */
import * as common from '@grafana/grafana-foundation-sdk/common'
import * as grafana from '@grafana/grafana-foundation-sdk/dashboard'
import { PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus'
import * as tables from '@grafana/grafana-foundation-sdk/table'
import * as units from '@grafana/grafana-foundation-sdk/units'
import { type About, override, type Panel, target, thresholds, told, unknown } from './panels.ts'

const COLORED = {
  'custom.cellOptions': { type: 'color-text' },
  color: { mode: grafana.FieldColorModeId.Thresholds },
}

function translation(texts: Readonly<Record<string, string>>): grafana.ValueMapping {
  const options = Object.entries(texts).map(([value, text], index) => [value, { text, index }] as const)
  return { type: grafana.MappingType.ValueToText, options: Object.fromEntries(options) }
}

/** A column of a table. */
export interface Column {
  /** A label, or `Value #A` and so on for the queries. */
  readonly field: string
  readonly title: string
  readonly properties?: Readonly<Record<string, unknown>>
}

/** How a cell is shown. */
export const shown = {
  /** A count, in full. */
  number: { unit: units.LocaleFormat, decimals: 0 },
  /** A count; coloured from one on. */
  count: (color: string) => ({
    unit: units.LocaleFormat,
    decimals: 0,
    thresholds: thresholds('text', [0.5, color]).build(),
    ...COLORED,
  }),
  share: {
    unit: 'percentunit',
    decimals: 1,
    thresholds: thresholds('red', [0.9, 'orange'], [0.98, 'green']).build(),
    mappings: [unknown('no mail', 'text')],
    ...COLORED,
  },
  /** What it says, also where that looks like a number: an app may be called 10000. */
  text: { unit: units.String },
  /** Other words for what the cell says. */
  as: (texts: Readonly<Record<string, string>>) => ({ mappings: [translation(texts)] }),
  width: (pixels: number) => ({ 'custom.width': pixels }),
}

/** One row for each series; series of several queries with the same labels share a row. */
export interface Table extends About {
  readonly queries: readonly string[]
  /** From left to right: every label and value that the queries give. */
  readonly columns: readonly Column[]
  /** The title of the column that decides the order, and whether large comes first. */
  readonly sortBy: readonly [title: string, descending: boolean]
  readonly nothing: string
}

export function table({ queries, columns, sortBy: [first, descending], nothing, ...spec }: Table): Panel {
  const panel = new tables.PanelBuilder()
    .targets(queries.map((expr, index) => target({ expr }, index).instant().format(PromQueryFormat.Table)))
    .transformations([{ id: 'merge', options: {} }, organized(columns)])
    .sortBy([new common.TableSortByFieldStateBuilder().displayName(first).desc(descending)])
    .overrides(columns.map(({ title, properties = {} }) => override(title, { noValue: '', ...properties })))
    .noValue(nothing)
  return told(panel, spec)
}

/** Columns in this order, under their titles. */
function organized(columns: readonly Column[]): grafana.DataTransformerConfig {
  const indexByName = Object.fromEntries(columns.map(({ field }, index) => [field, index]))
  const renameByName = Object.fromEntries(columns.map(({ field, title }) => [field, title]))
  return { id: 'organize', options: { indexByName, renameByName, excludeByName: { Time: true } } }
}
