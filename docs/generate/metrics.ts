/** The reference of metrics and of their labels. */
import { explanations as appTlsMeanings } from '../../otel/metrics/app-tls.ts'
import { actors, meanings, RUNBOOKS } from '../../otel/names/meanings.ts'
import {
  type AttributeDefinition,
  attributes,
  errorNames,
  labelOf,
  type MetricDefinition,
  metrics,
  type RuntimeMetricDefinition,
  replyCauses,
  runtimeAttributes,
  runtimeMetrics,
} from '../../otel/names/names.ts'
import { closeDetailMeanings, errorMeanings, valueMeanings } from '../../otel/names/value-meanings.ts'
import { code, lines, sentence, table } from './markdown.ts'
import type { Parts } from './parts.ts'

type Metric = MetricDefinition | RuntimeMetricDefinition
type Key = keyof typeof attributes | keyof typeof runtimeAttributes

const ALL_METRICS: readonly Metric[] = [...Object.values(metrics), ...Object.values(runtimeMetrics)]
const LABELS = Object.entries<AttributeDefinition>({ ...attributes, ...runtimeAttributes }) as [
  Key,
  AttributeDefinition,
][]

/** The parts of docs/telemetry.md that come from the tables of metrics and attributes. */
export function metricParts(): Parts {
  return {
    metrics: metricsTable(Object.values(metrics)),
    process: metricsTable(Object.values(runtimeMetrics)),
    buckets: bucketsTable(),
    labels: `${labelsTable()}\n${longLists().join('\n')}`,
  }
}

function metricsTable(rows: readonly Metric[]): string {
  return table(
    ['metric', 'what it shows, and its labels'],
    rows.map(({ name, prometheus, kind, unit, help, attributes }) => [
      lines(code(prometheus), name, `${kind}, ${code(unit)}`),
      lines(help, attributes.map((key) => code(labelOf(key))).join(', ')),
    ]),
  )
}

function bucketsTable(): string {
  const histograms = ALL_METRICS.filter(({ buckets }) => buckets !== undefined)
  const sets = Map.groupBy(histograms, ({ buckets, unit }) => `${buckets?.join(', ')} ${unit}`)
  return table(
    ['upper bounds', 'metrics'],
    [...sets.values()].map((alike) => [
      `${alike[0]?.buckets?.join(', ')} ${code(alike[0]?.unit ?? '')}`,
      lines(...alike.map(({ prometheus }) => code(prometheus))),
    ]),
  )
}

/** The values of a label that stand in a cell. Longer lists have a table of their own. */
const FEW = 5

/** The explained values of an attribute. Throws if one has no explanation. */
function valuesOf(key: Key): readonly (readonly [value: string, meaning: string])[] {
  const definition: AttributeDefinition = { ...attributes, ...runtimeAttributes }[key]
  if (!('values' in definition)) return []
  const known = valueMeanings as Readonly<Record<string, Readonly<Record<string, string>>>>
  return definition.values.map((value) => {
    const meaning = key === 'smtp.reply.cause' ? '' : known[key]?.[String(value)]
    if (meaning === undefined) {
      throw new Error(`${key}: the value ${value} has no meaning. Add it to otel/names/value-meanings.ts`)
    }
    return [String(value), meaning]
  })
}

function labelsTable(): string {
  return table(
    ['label', 'what it says', 'values'],
    LABELS.map(([key, definition]) => [code(labelOf(key)), definition.help, valuesCell(key, definition)]),
  )
}

function valuesCell(key: Key, definition: AttributeDefinition): string {
  if (hasOwnTable(key)) return `[${valuesOf(key).length || 'all'} values](#${labelOf(key)})`
  if (!('values' in definition)) return sentence(definition.range)
  return lines(...valuesOf(key).map(([value, meaning]) => `${code(value)}: ${meaning}`))
}

function hasOwnTable(key: Key): boolean {
  return key === 'error.type' || valuesOf(key).length > FEW
}

function longLists(): string[] {
  return LABELS.filter(([key]) => hasOwnTable(key)).map(([key]) => {
    if (key === 'smtp.reply.cause') return heading(key, causes())
    return heading(key, key === 'error.type' ? errors() : table(['value', 'meaning'], explained(valuesOf(key))))
  })
}

function heading(key: Key, content: string): string {
  return `### \`${labelOf(key)}\`\n\n${content}`
}

function explained(values: readonly (readonly [value: string, meaning: string])[]): string[][] {
  return values.map(([value, meaning]) => [code(value), sentence(meaning)])
}

/** Every cause with its codes, who must act and what helps. */
function causes(): string {
  const rows = replyCauses.map((cause) => {
    const meaning = meanings[cause]
    if (meaning === undefined) throw new Error(`${cause}: the cause has no meaning. Add it to otel/names/meanings.ts`)
    const { codes, actor, action, runbook } = meaning
    const link = runbook === undefined ? '' : ` [Runbook](${runbookPath(runbook)})`
    const todo = sentence(action.replace(/^None[.:] /, ''))
    return [code(cause), codes, sentence(meaning.meaning), `${actors[actor]}. ${todo}${link}`]
  })
  return table(['value', 'reply', 'meaning', 'who must act, and how'], rows)
}

/** Relative, so that the link works in every copy of the repository. */
function runbookPath(alert: string): string {
  return `..${new URL(RUNBOOKS).pathname.slice(new URL(RUNBOOKS).pathname.indexOf('/dashboards/'))}${alert}.md`
}

function errors(): string {
  const known: Readonly<Record<string, string>> = { ...errorMeanings, ...appTlsMeanings }
  const all = errorNames.map((error) => {
    const meaning = known[error]
    if (meaning === undefined) throw new Error(`${error}: no meaning. Add it to otel/names/value-meanings.ts`)
    return [error, meaning] as const
  })
  return table(
    ['value', 'meaning'],
    [['a reply code', 'The code of the reply that decided, such as `521`.'], ...explained(all)],
  )
}

/** The values of `smtp.session.close_detail`, which is no label. */
export function closeDetails(): string {
  return table(['value', 'meaning'], explained(Object.entries(closeDetailMeanings)))
}
