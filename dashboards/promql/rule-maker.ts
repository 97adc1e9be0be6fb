/** Builds the expressions of alerts and collects the recording rules that they use. */
import { type AnyMetricKey, type GroupKey, label, labels, within, withoutProbe } from '../names.ts'
import { durationOf, HOUR } from './durations.ts'
import { increaseWithFirst, inParentheses } from './expressions.ts'

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

/** Builds the PromQL of rules, without a condition on `job`: metric names are unique, and users choose their job names. */
export class RuleMaker {
  /** The probe is never an app. SmtpProxyProbeFailing reports its failures. */
  readonly select = within(withoutProbe)
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
