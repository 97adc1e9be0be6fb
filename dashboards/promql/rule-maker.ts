import { type AnyMetricKey, type GroupKey, label, labels, labelsOf, type Selectors, within } from '../names.ts'

/** Seconds. */
export const MINUTE = 60
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

/** What a set of rules is made for. */
export interface Making {
  /** Every window, offset and waiting time is multiplied by it; tests make seconds of minutes. Default 1. */
  readonly timeScale?: number
  /**
   * False: alerts contain what recording rules would have recorded, for evaluators that have none. Default true.
   */
  readonly recording?: boolean
}

/** A recording rule. */
export interface Recording {
  readonly name: string
  readonly expr: string
  /** Seconds that it looks back. */
  readonly window: number
}

/** A count that others build on. */
export interface Count {
  /** In snake case. */
  readonly what: string
  readonly by: readonly GroupKey[]
  /** PromQL without `sum`, as a function of the window in seconds. */
  readonly of: (window: number) => string
}

/** How the levels of a recording's name call the labels that it keeps. */
const LEVELS: Readonly<Partial<Record<GroupKey, string>>> = {
  'server.address': 'server',
  'smtp.client.name': 'client',
  'smtp.listener': 'listener',
  'error.type': 'error',
}

/** How long before its window a series is looked for, in seconds: so long may scraping have paused. */
const SEEN_BEFORE = 6 * HOUR

/** A stretch of time that ends now. */
export interface Window {
  /** As it stands in brackets: `1h`, or a variable of a dashboard. */
  readonly span: string
  /** The same in seconds: a number, or a variable. */
  readonly seconds: number | string
  /** How long before it a series is looked for. */
  readonly seenBefore: string
}

/** What OpenTelemetry's scope becomes where a Collector hands metrics on; the process has another scope. */
const SCOPE = ['otel_scope_name', 'otel_scope_version', 'otel_scope_schema_url']

/**
 * How much the counters of one metric grew, with the events that `increase` does not see because they are the first of
 * their series. A process that is younger than the window counted all its events in it: the same series may have ended
 * before the restart at the value with which it begins again. A new series of a process that was seen before began at 0.
 * The process is found by all labels that are not the metric's own: those of the target, whatever they are called.
 */
export function counted(select: Selectors, key: AnyMetricKey, series: string, window: Window): string {
  const young = `${series} ${andItsProcess(key)} ${select.series('uptime')} < ${window.seconds}`
  const grown = `increase(${series}[${window.span}])`
  return [`(${young}) > ${grown}`, begun(select, key, series, window), grown].join('\nor\n')
}

/** Counters whose series began within the window, in a process that was seen before: all that they have is growth. */
export function begun(
  select: Selectors,
  key: AnyMetricKey,
  series: string,
  { span, seenBefore }: Pick<Window, 'span' | 'seenBefore'>,
): string {
  const seen = (one: string) => `last_over_time(${one}[${seenBefore}] offset ${span})`
  return `(${series} unless ${seen(series)} ${andItsProcess(key)} ${seen(select.series('uptime'))})`
}

/** A condition on the process of a series. */
function andItsProcess(key: AnyMetricKey): string {
  return `and ignoring (${[...labelsOf(key), ...SCOPE].join(', ')})`
}

/** Builds the PromQL of rules. No condition on `job`: the names are our own, and other people name their jobs. */
export class RuleMaker {
  readonly select = within('')
  readonly recordings: Recording[] = []
  readonly #scale: number
  readonly #recording: boolean

  constructor({ timeScale = 1, recording = true }: Making = {}) {
    this.#scale = timeScale
    this.#recording = recording
  }

  /** A duration as Prometheus writes it. */
  span(seconds: number): string {
    return durationOf(seconds * this.#scale)
  }

  /** How much counters grew. Prometheus does not count the value with which a series begins. */
  increase(series: string, window: number): string {
    return `increase(${series}[${this.span(window)}])`
  }

  /** How much they had grown over a window that ended some time ago. */
  increaseBefore(series: string, window: number, ago: number): string {
    return `increase(${series}[${this.span(window)}] offset ${this.span(ago)})`
  }

  /** How much counters grew, the first events of their series too. */
  counted(key: AnyMetricKey, series: string, window: number): string {
    const [span, seenBefore] = [this.span(window), this.span(SEEN_BEFORE)]
    return counted(this.select, key, series, { span, seconds: window * this.#scale, seenBefore })
  }

  /** Where one of these alerts fired within the window, by default by job; undefined for evaluators that keep no ALERTS. */
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

  /** A count's sum over a window, for where it is needed once. */
  sumOf(count: Count, window: number): string {
    return this.sum(count.by, count.of(window))
  }

  /** The same recorded: the recording's name, or the expression itself where nothing is recorded. */
  count(count: Count, window: number): string {
    return this.record(`${count.what}:increase`, count.by, window, this.sumOf(count, window))
  }

  /** The name under which something is recorded for a window, or else the expression itself. */
  record(what: string, by: readonly GroupKey[], window: number, expr: string): string {
    if (!this.#recording) return inParentheses(expr)
    const name = `${by.map((key) => LEVELS[key] ?? label(key)).join('_')}:smtp_proxy_${what}${durationOf(window)}`
    if (!this.recordings.some((known) => known.name === name)) this.recordings.push({ name, expr, window })
    return name
  }
}

/** An expression in parentheses, on lines of its own when it has several. */
export function inParentheses(expr: string): string {
  return expr.includes('\n') ? `(\n${indented(expr)}\n)` : `(${expr})`
}

/** An expression's lines, further to the right. */
export function indented(expr: string): string {
  return expr.replaceAll(/^/gm, '  ')
}

/** `or`, `and`, `unless` and their kind between expressions, on a line of its own. */
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

/** Seconds, to the millisecond, as Prometheus writes a duration: `5m`, `1m30s`. */
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
