/** Parts of PromQL expressions that alerts and panels share. */
import { type AnyMetricKey, labelsOf, type Selectors } from '../names.ts'

/** An expression in parentheses. If it has several lines, the parentheses are on separate lines. */
export function inParentheses(expr: string): string {
  return expr.includes('\n') ? `(\n${indented(expr)}\n)` : `(${expr})`
}

/** The lines of an expression, indented by two spaces. */
export function indented(expr: string): string {
  return expr.replaceAll(/^/gm, '  ')
}

/** Expressions joined by a binary operator such as `or`, `and` or `unless`, which has its own line. */
export function joined(operator: string, ...exprs: readonly string[]): string {
  return exprs.map((expr) => (expr.includes('\n') ? inParentheses(expr) : expr)).join(`\n${operator}\n`)
}

/** A time window that ends now. */
export interface Window {
  /** The text for PromQL's brackets: `1h`, or a variable of a dashboard. */
  readonly span: string
  /** The window in seconds: a number, or a variable. */
  readonly seconds: number | string
  /** How far before the window a series is looked up. */
  readonly seenBefore: string
}

/** Labels of OpenTelemetry's scope, which a Collector adds. Process metrics have a different scope. */
const SCOPE = ['otel_scope_name', 'otel_scope_version', 'otel_scope_schema_url']

/**
 * The increase of a metric's counters, including the first event of a series, which `increase` does not count. A process
 * that is younger than the window counted all its events within it: `increase` misses them if the series ended before the
 * restart at the value with which it starts again. A new series of a process that was scraped before started at 0. The
 * process of a series is found by all labels except the metric's own: the target's labels, whatever their names.
 */
export function increaseWithFirst(select: Selectors, key: AnyMetricKey, series: string, window: Window): string {
  const youngProcess = `${series} ${andItsProcess(key)} ${select.series('uptime')} < ${window.seconds}`
  const increased = `increase(${series}[${window.span}])`
  return [`(${youngProcess}) > ${increased}`, newSeries(select, key, series, window), increased].join('\nor\n')
}

/** Counters whose series started within the window, in a process that was scraped before: value and increase are equal. */
export function newSeries(
  select: Selectors,
  key: AnyMetricKey,
  series: string,
  { span, seenBefore }: Pick<Window, 'span' | 'seenBefore'>,
): string {
  const before = (one: string) => `last_over_time(${one}[${seenBefore}] offset ${span})`
  return `(${series} unless ${before(series)} ${andItsProcess(key)} ${before(select.series('uptime'))})`
}

/** Joins a series with a metric of its process. */
function andItsProcess(key: AnyMetricKey): string {
  return `and ignoring (${[...labelsOf(key), ...SCOPE].join(', ')})`
}
