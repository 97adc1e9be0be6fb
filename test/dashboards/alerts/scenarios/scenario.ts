/** A test case for an alert: the samples that a proxy would export, and what fires at which minute. promtool runs it. */
import type { AlertName, Severity } from '../../../../dashboards/alerts/alert.ts'

export interface Scenario {
  /** The behaviour, as a short clause. promtool prints it if the scenario fails. */
  readonly name: string
  readonly alert: AlertName
  /** Minutes between samples and between evaluations. Default: 0.25, as in compose.yaml. */
  readonly every?: number
  /** Values by series. `job` and `instance` are added if they are missing. See `hold`, `grow`, `steps` and `gone`. */
  readonly series: Readonly<Record<string, Values>>
  /** Minutes from the start, and everything that this alert fires at that time. */
  readonly fires: readonly (readonly [minute: number, ...firing: Firing[]])[]
}

export interface Firing {
  readonly severity: Severity
  /** Without `job`, unless it is another job or, as undefined, no job. */
  readonly labels?: Readonly<Record<string, string | undefined>>
  readonly description: string
}

/** Consecutive stretches of values. */
export type Values = readonly Stretch[]

interface Stretch {
  readonly minutes: number
  /** Undefined: no samples. */
  readonly from: number | undefined
  readonly perMinute: number
}

/** The same value for a number of minutes. */
export function hold(value: number, minutes: number): Stretch {
  return { minutes, from: value, perMinute: 0 }
}

/** A value that grows by `perMinute`. */
export function grow(from: number, perMinute: number, minutes: number): Stretch {
  return { minutes, from, perMinute }
}

/** A value that grows by one at the start of each of `count` stretches of `minutes`. */
export function steps(from: number, minutes: number, count: number): Values {
  return Array.from({ length: count }, (_, index) => hold(from + index + 1, minutes))
}

/** No samples: nothing is scraped. */
export function gone(minutes: number): Stretch {
  return { minutes, from: undefined, perMinute: 0 }
}

/** The uptime of a process that has run for longer than any window of an alert. */
export const LONG_RUNNING: Readonly<Record<string, Values>> = { process_uptime_seconds: [grow(100_000, 60, 2000)] }

export const JOB = 'ahasend-smtp-proxy'
const INSTANCE = 'proxy:9464'

/** The series of a scenario in the format of promtool. */
export function inputSeries({ series, every = 0.25 }: Scenario) {
  return Object.entries(series).map(([selector, values]) => ({
    series: complete(selector),
    values: values.map((stretch) => shorthand(stretch, every)).join(' '),
  }))
}

/** A selector with `job` and `instance`. */
function complete(selector: string): string {
  const [name = '', labels = ''] = selector.split(/[{}]/)
  const added = Object.entries({ job: JOB, instance: INSTANCE }).filter(
    ([key]) => !new RegExp(`\\b${key}=`).test(labels),
  )
  const all = [...added.map(([key, value]) => `${key}="${value}"`), labels]
  return `${name}{${all.filter(Boolean).join(', ')}}`
}

/** The notation of promtool: `a+bxn` means n + 1 samples. */
function shorthand({ minutes, from, perMinute }: Stretch, every: number): string {
  const repeats = Math.round(minutes / every) - 1
  if (from === undefined) return `_x${repeats + 1}`
  return `${from}+${perMinute * every}x${repeats}`
}
