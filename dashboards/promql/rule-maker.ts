import { type AnyMetricKey, type GroupKey, label, labels, labelsOf, type Selectors, within } from '../names.ts'

/** Durations, in seconds. */
export const MINUTE = 60
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

/** Options for a set of rules. */
export interface Making {
  /** Multiplies every window, offset and waiting time; tests turn minutes into seconds. Default 1. */
  readonly timeScale?: number
  /**
   * False: alerts contain the expressions of the recording rules, for evaluators without recording rules. Default true.
   */
  readonly recording?: boolean
}

/** A recording rule. */
export interface Recording {
  readonly name: string
  readonly expr: string
  /** The window of the expression, in seconds. */
  readonly window: number
}

/** A count from which expressions are built. */
export interface Count {
  /** In snake case. */
  readonly what: string
  readonly by: readonly GroupKey[]
  /** PromQL without `sum`, as a function of the window in seconds. */
  readonly of: (window: number) => string
}

/** Short names of the labels that a recording keeps, for the level part of its name. */
const LEVELS: Readonly<Partial<Record<GroupKey, string>>> = {
  'server.address': 'server',
  'smtp.client.name': 'client',
  'smtp.listener': 'listener',
  'error.type': 'error',
}

/** How far before its window a series is looked up, in seconds: the longest pause in scraping that does not matter. */
const SEEN_BEFORE = 6 * HOUR

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

/** Builds the PromQL of rules, without a condition on `job`: metric names are unique, and users choose their job names. */
export class RuleMaker {
  readonly select = within('')
  readonly recordings: Recording[] = []
  readonly #scale: number
  readonly #recording: boolean

  constructor({ timeScale = 1, recording = true }: Making = {}) {
    this.#scale = timeScale
    this.#recording = recording
  }

  /** A duration in Prometheus's notation. */
  span(seconds: number): string {
    return durationOf(seconds * this.#scale)
  }

  /** The increase of counters. Prometheus does not count the first value of a series. */
  increase(series: string, window: number): string {
    return `increase(${series}[${this.span(window)}])`
  }

  /** The increase of counters over a window that ended `ago` seconds ago. */
  increaseBefore(series: string, window: number, ago: number): string {
    return `increase(${series}[${this.span(window)}] offset ${this.span(ago)})`
  }

  /** The increase of counters, including the first event of a series. */
  increaseWithFirst(key: AnyMetricKey, series: string, window: number): string {
    const [span, seenBefore] = [this.span(window), this.span(SEEN_BEFORE)]
    return increaseWithFirst(this.select, key, series, { span, seconds: window * this.#scale, seenBefore })
  }

  /** Where one of these alerts fired within the window, by job unless `by` is set. Undefined without an ALERTS metric. */
  fired(
    names: readonly string[],
    severity: string,
    window: number,
    by: readonly GroupKey[] = ['job'],
  ): string | undefined {
    if (!this.#recording) return undefined
    const alerts = `ALERTS{alertname=~"${names.join('|')}", severity="${severity}", alertstate="firing"}`
    return `count by (${labels(...by)}) (count_over_time(${alerts}[${this.span(window)}]))`
  }

  /** `sum by (...) (...)`. */
  sum(by: readonly GroupKey[], expr: string): string {
    return `sum by (${labels(...by)}) ${inParentheses(expr)}`
  }

  /** A count's sum over a window, not recorded: for expressions that need it once. */
  sumOf(count: Count, window: number): string {
    return this.sum(count.by, count.of(window))
  }

  /** A count's sum over a window: the name of its recording, or the expression if rules are not recorded. */
  count(count: Count, window: number): string {
    return this.record(`${count.what}:increase`, count.by, window, this.sumOf(count, window))
  }

  /** Records an expression and returns its name, or returns the expression if rules are not recorded. */
  record(what: string, by: readonly GroupKey[], window: number, expr: string): string {
    if (!this.#recording) return inParentheses(expr)
    const name = `${by.map((key) => LEVELS[key] ?? label(key)).join('_')}:smtp_proxy_${what}${durationOf(window)}`
    if (!this.recordings.some((known) => known.name === name)) this.recordings.push({ name, expr, window })
    return name
  }
}

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

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
] as const

/** Seconds in Prometheus's notation, to the millisecond: `5m`, `1m30s`. */
export function durationOf(seconds: number): string {
  let rest = Math.round(seconds * 1000)
  if (rest === 0) return '0s'
  let text = ''
  for (const [unit, milliseconds] of UNITS) {
    const amount = Math.floor(rest / milliseconds)
    if (amount > 0) text += `${amount}${unit}`
    rest -= amount * milliseconds
  }
  return text
}
