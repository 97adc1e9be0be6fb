/** Tables of counts by label. */
import * as common from '@grafana/grafana-foundation-sdk/common'
import * as grafana from '@grafana/grafana-foundation-sdk/dashboard'
import { PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus'
import * as tables from '@grafana/grafana-foundation-sdk/table'
import * as units from '@grafana/grafana-foundation-sdk/units'
import { override, type Panel, type PanelInfo, target, withInfo } from './panels.ts'
import { noValueText, thresholds } from './values.ts'

const COLORED = {
  'custom.cellOptions': { type: 'color-text' },
  color: { mode: grafana.FieldColorModeId.Thresholds },
}

function valueTexts(texts: Readonly<Record<string, string>>): grafana.ValueMapping {
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

/** How the cells of a column are displayed. */
export const cell = {
  /** A count, not abbreviated. */
  number: { unit: units.LocaleFormat, decimals: 0 },
  /** A count that is coloured from one. */
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
    mappings: [noValueText('no mail', 'text')],
    ...COLORED,
  },
  /** A label value, unchanged even if it looks like a number: an app may be named 10000. */
  text: { unit: units.String },
  /** Texts that replace label values. */
  as: (texts: Readonly<Record<string, string>>) => ({ mappings: [valueTexts(texts)] }),
  width: (pixels: number) => ({ 'custom.width': pixels }),
  /** Long texts continue on further lines. Grafana before 12 reads only the second form; before 11, it cuts the text. */
  wrapped: { 'custom.wrapText': true, 'custom.cellOptions': { type: 'auto', wrapText: true } },
}

/** A table with one row per series. Series of several queries with the same labels share a row. */
export interface Table extends PanelInfo {
  readonly queries: readonly string[]
  /** Every label and value that the queries return, from left to right. */
  readonly columns: readonly Column[]
  /** The title of the column to sort by, and whether the order is descending. */
  readonly sortBy: readonly [title: string, descending: boolean]
  readonly noValue: string
}

export function table({ queries, columns, sortBy: [sortColumn, descending], noValue, ...spec }: Table): Panel {
  const panel = new tables.PanelBuilder()
    .targets(queries.map((expr, index) => target({ expr }, index).instant().format(PromQueryFormat.Table)))
    .transformations([{ id: 'merge', options: {} }, orderedColumns(columns)])
    .sortBy([new common.TableSortByFieldStateBuilder().displayName(sortColumn).desc(descending)])
    .overrides(columns.map(({ title, properties = {} }) => override(title, { noValue: '', ...properties })))
    .noValue(noValue)
  return withInfo(panel, spec)
}

/** Puts the columns in this order and gives them their titles. */
function orderedColumns(columns: readonly Column[]): grafana.DataTransformerConfig {
  const indexByName = Object.fromEntries(columns.map(({ field }, index) => [field, index]))
  const renameByName = Object.fromEntries(columns.map(({ field, title }) => [field, title]))
  return { id: 'organize', options: { indexByName, renameByName, excludeByName: { Time: true } } }
}
