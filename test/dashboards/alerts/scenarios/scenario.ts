/** What an alert is tried with: samples as a proxy would have given them, and what fires when. promtool does the rest. */
import type { AlertName, Severity } from '../../../../dashboards/alerts/alert.ts'

export interface Scenario {
  /** A sentence that is true. */
  readonly name: string
  readonly alert: AlertName
  /** Minutes from sample to sample and from evaluation to evaluation; default 1/4, as compose.yaml has it. */
  readonly every?: number
  /** Values by series; job and instance are added where they are missing. See `hold`, `grow` and `gone`. */
  readonly series: Readonly<Record<string, Values>>
  /** Minutes from the beginning, and all that fires then of this alert. */
  readonly fires: readonly (readonly [minute: number, ...firing: Firing[]])[]
}

export interface Firing {
  readonly severity: Severity
  /** Without job, unless it has another or none (undefined). */
  readonly labels?: Readonly<Record<string, string | undefined>>
  readonly description: string
}

/** Values for some minutes, one after the other. */
export type Values = readonly Stretch[]

interface Stretch {
  readonly minutes: number
  /** Undefined: no samples. */
  readonly from: number | undefined
  readonly perMinute: number
}

/** The same value for so many minutes. */
export function hold(value: number, minutes: number): Stretch {
  return { minutes, from: value, perMinute: 0 }
}

/** A value that grows by so much each minute. */
export function grow(from: number, perMinute: number, minutes: number): Stretch {
  return { minutes, from, perMinute }
}

/** A value that grows by one at the beginning of each of so many stretches of minutes. */
export function steps(from: number, minutes: number, count: number): Values {
  return Array.from({ length: count }, (_, index) => hold(from + index + 1, minutes))
}

/** Nothing is scraped. */
export function gone(minutes: number): Stretch {
  return { minutes, from: undefined, perMinute: 0 }
}

/** Long enough before anything that a process is not young. */
export const UP: Readonly<Record<string, Values>> = { process_uptime_seconds: [grow(100_000, 60, 2000)] }

export const JOB = 'ahasend-smtp-proxy'
const INSTANCE = 'proxy:9464'

/** promtool's input series. */
export function inputSeries({ series, every = 0.25 }: Scenario) {
  return Object.entries(series).map(([selector, values]) => ({
    series: labelled(selector),
    values: values.map((stretch) => shorthand(stretch, every)).join(' '),
  }))
}

function labelled(selector: string): string {
  const [name = '', labels = ''] = selector.split(/[{}]/)
  const added = Object.entries({ job: JOB, instance: INSTANCE }).filter(
    ([key]) => !new RegExp(`\\b${key}=`).test(labels),
  )
  const all = [...added.map(([key, value]) => `${key}="${value}"`), labels]
  return `${name}{${all.filter(Boolean).join(', ')}}`
}

/** `a+bxn` is n + 1 samples. */
function shorthand({ minutes, from, perMinute }: Stretch, every: number): string {
  const repeats = Math.round(minutes / every) - 1
  if (from === undefined) return `_x${repeats + 1}`
  return `${from}+${perMinute * every}x${repeats}`
}
