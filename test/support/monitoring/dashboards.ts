/** The generated dashboards, as the JSON that Grafana reads. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  type MetricDefinition,
  metrics,
  probeMetrics,
  type RuntimeMetricDefinition,
  runtimeMetrics,
} from '../../../otel/names/names.ts'

export const DASHBOARDS = fileURLToPath(new URL('../../../dashboards/', import.meta.url))

export interface LinkJson {
  readonly title: string
  readonly url?: string
}

export interface SourceJson {
  readonly type?: string
  readonly uid?: string
}

export interface TargetJson {
  readonly refId: string
  readonly expr: string
  readonly range?: boolean
  readonly instant?: boolean
  readonly datasource?: SourceJson
}

interface Property {
  readonly id: string
  readonly value?: unknown
}

/** Replaces values by text. */
export type MappingJson =
  | { readonly type: 'range'; readonly options: { from: number | null; to: number | null } }
  | { readonly type: 'special' | 'value' }

export interface PanelJson {
  id: number
  readonly type: string
  title?: string
  description?: string
  datasource?: SourceJson
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  targets?: TargetJson[]
  readonly links?: readonly LinkJson[]
  readonly fieldConfig?: {
    readonly defaults: {
      unit?: string
      readonly links?: readonly LinkJson[]
      readonly mappings?: readonly MappingJson[]
    }
    readonly overrides: readonly { readonly properties: readonly Property[] }[]
  }
}

export interface VariableJson {
  name: string
  label: string
  readonly type: string
  readonly query: string
  readonly datasource?: SourceJson
  multi: boolean
  allValue?: string
  refresh?: number
  readonly current: { readonly value: string }
}

export interface DashboardJson {
  readonly uid: string
  readonly title: string
  editable: boolean
  readonly panels: PanelJson[]
  readonly templating: { list: VariableJson[] }
  readonly annotations: {
    readonly list: readonly {
      readonly name: string
      readonly expr: string
      readonly titleFormat: string
      readonly textFormat: string
      readonly tagKeys?: string
    }[]
  }
}

/** Reads all committed dashboards. */
export function readDashboards(): DashboardJson[] {
  const folder = join(DASHBOARDS, 'generated')
  const files = readdirSync(folder).filter((file) => file.endsWith('.json'))
  return files.map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as DashboardJson)
}

/** All panels except row headings. */
export function panelsOf({ panels }: DashboardJson): PanelJson[] {
  return panels.filter(({ type }) => type !== 'row')
}

/** A query and its place. */
export interface Asked {
  /** Dashboard, panel and letter of the query. */
  readonly where: string
  readonly expr: string
}

/** All queries of a dashboard. */
export function queriesOf(dashboard: DashboardJson): Asked[] {
  return panelsOf(dashboard).flatMap(({ title, targets = [] }) =>
    targets.map(({ refId, expr }) => ({ where: `${dashboard.title} / ${title} / ${refId}`, expr })),
  )
}

/** All links of a panel, including those of its series and cells. */
export function linksOf({ links = [], fieldConfig }: PanelJson): readonly LinkJson[] {
  const cells = fieldConfig?.overrides.flatMap(({ properties }) => properties.filter(({ id }) => id === 'links')) ?? []
  return [...links, ...(fieldConfig?.defaults.links ?? []), ...cells.flatMap(({ value }) => value as LinkJson[])]
}

/** Grafana's values for the variables when All is selected, for one minute of data with two scrapes per second. */
const VALUES: Readonly<Record<string, string>> = {
  job: '.+',
  instance: '.+',
  server: '.*',
  client: '.*',
  __range: '1m',
  __range_s: '60',
  __rate_interval: '1m',
  __interval_ms: '1000',
}

/** A query as Grafana sends it. Throws on an unknown variable. `$1` is no variable. */
export function filledIn(expr: string, others: Readonly<Record<string, string>> = {}): string {
  return expr.replaceAll(/\$([a-z_]\w*)/g, (_, name: string) => {
    const value = others[name] ?? VALUES[name]
    if (value === undefined) throw new Error(`no variable ${name}: ${expr}`)
    return value
  })
}

/** A selector of series in a query. */
export interface Selector {
  /** The metric's name, without the suffix of a histogram's series. */
  readonly metric: string
  readonly name: string
  readonly labels: readonly string[]
  /** The text in the braces. */
  readonly conditions: string
}

/** Every metric of the table, by its name in Prometheus. */
export const TABLE: ReadonlyMap<string, MetricDefinition | RuntimeMetricDefinition> = new Map(
  [
    ...Object.values<MetricDefinition>(metrics),
    ...Object.values<MetricDefinition>(probeMetrics),
    ...Object.values<RuntimeMetricDefinition>(runtimeMetrics),
  ].map((definition) => [definition.prometheus, definition]),
)

/** All selectors in a query. */
export function selectorsIn(expr: string): Selector[] {
  return [...expr.matchAll(/([a-zA-Z_:][\w:]*)\{([^}]*)\}/g)].map(([, name = '', conditions = '']) => {
    const base = name.replace(/_(bucket|count|sum)$/, '')
    const metric = TABLE.get(base)?.kind === 'histogram' ? base : name
    const labels = [...conditions.matchAll(/(\w+)(?:=~|!~|!=|=)"/g)].map(([, label = '']) => label)
    return { metric, name, labels, conditions }
  })
}

/** Labels that a query groups or matches by. */
export function groupingsIn(expr: string): string[] {
  const lists = expr.matchAll(/\b(?:by|without|on|ignoring|group_left|group_right) \(([^)]*)\)/g)
  return [...lists].flatMap(([, list = '']) => list.split(',').map((label) => label.trim())).filter(Boolean)
}
