/** Plays the recording of an incident to the generated rules with promtool, and finds when each alert fires. */
import { join } from 'node:path'
import { run } from '../clients/command.ts'
import { generatedGroups } from '../dashboards/alerts/scenarios/promtool.ts'
import { writeTemporaryFiles } from '../support/files/temporary-files.ts'
import { fileOf } from '../support/programs/programs.ts'
import { type Recording, STEP_SECONDS } from './recordings.ts'

/** How long normal mail flows, then the incident lasts, then normal mail flows again, in minutes. */
export interface Course {
  readonly calm: number
  readonly faulty: number
  readonly after: number
  /** Plays only every n-th scrape. Default 1. */
  readonly every?: number
}

/** When an alert fired. In seconds from the start and from the end of the incident; undefined if it did not resolve. */
export interface Fired {
  readonly fired: number
  readonly resolved: number | undefined
}

const JOB = 'ahasend-smtp-proxy'
const INSTANCE = 'proxy:9464'
const LIMIT_MS = 280_000
/** The last scrapes of a recording whose average continues it. */
const STEADY = 4

/** Plays a recording. `calm` is the recording without an incident. The keys of the result are `name severity`. */
export async function replay(
  recording: Recording,
  calm: Recording,
  course: Course,
): Promise<ReadonlyMap<string, Fired>> {
  const { every = 1 } = course
  const interval = STEP_SECONDS * every
  const steps = (minutes: number) => Math.round((minutes * 60) / interval)
  const [before, faulty, after] = [steps(course.calm), steps(course.faulty), steps(course.after)]
  const times = Array.from({ length: faulty + after }, (_, index) => before + index)
  const test = {
    interval: `${interval}s`,
    input_series: inputSeries(recording, calm, [before, faulty, after], every),
    promql_expr_test: times.map((step) => ({ expr: FIRING, eval_time: `${step * interval}s`, exp_samples: [] })),
  }
  const firing = await firingAlerts(test, interval)
  const found = [...firing].map(([alert, at]) => {
    const quiet = Math.max(...at) / interval + 1
    const resolved = quiet < before + faulty + after ? (quiet - before - faulty) * interval : undefined
    return [alert, { fired: Math.min(...at) - before * interval, resolved }] as const
  })
  return new Map(found)
}

/**
 * Alerts that no incident of the page can raise, and the recordings that only they need. Without them, promtool needs half
 * the time.
 */
const NOT_PLAYED = /^(SmtpProxy(?!ErrorBudget)|AhaSend(Certificate|MessageSize|RecipientLimit|ConnectionLimit))/

const RULES = playedGroups()

function playedGroups() {
  const groups = generatedGroups()
  const played = groups.flatMap(({ rules }) => rules).filter(({ alert = '' }) => !NOT_PLAYED.test(alert))
  const needed = new Set(played.filter(({ alert }) => alert !== undefined))
  for (const { expr } of needed)
    for (const rule of played) if (rule.record !== undefined && expr.includes(rule.record)) needed.add(rule)
  return groups.map((group) => ({ ...group, rules: group.rules.filter((rule) => needed.has(rule)) }))
}

const FIRING = 'count by (alertname, severity) (ALERTS{alertstate="firing"})'

/**
 * The seconds at which each alert fires. The test expects that nothing fires, so promtool lists what does: it has no other
 * way to show the values of an expression.
 */
async function firingAlerts(test: object, interval: number): Promise<ReadonlyMap<string, readonly number[]>> {
  const { directory, remove } = writeTemporaryFiles({
    'rules.yaml': JSON.stringify({ groups: RULES }),
    'test.yaml': JSON.stringify({
      rule_files: ['rules.yaml'],
      evaluation_interval: `${interval}s`,
      group_eval_order: [`${JOB}-long-windows`, JOB],
      tests: [test],
    }),
  })
  try {
    const args = ['test', 'rules', join(directory, 'test.yaml')]
    const { stdout, stderr } = await run({ file: fileOf('promtool'), args, env: {} }, LIMIT_MS)
    return parse(stdout + stderr)
  } finally {
    remove()
  }
}

function parse(output: string): ReadonlyMap<string, readonly number[]> {
  const found = new Map<string, number[]>()
  for (const block of output.split(/(?=expr: )/)) {
    const time = /time: (\S+),/.exec(block)?.[1]
    if (time === undefined) continue
    for (const [, name, severity] of block.matchAll(/alertname="(\w+)", severity="(\w+)"/g)) {
      const key = `${name} ${severity}`
      found.set(key, [...(found.get(key) ?? []), secondsOf(time)])
    }
  }
  return found
}

/** Go's notation of durations: `1h2m15s`. */
function secondsOf(text: string): number {
  const { h = '0', m = '0', s = '0' } = /^(?:(?<h>\d+)h)?(?:(?<m>\d+)m)?(?:(?<s>\d+)s)?$/.exec(text)?.groups ?? {}
  return Number(h) * 3600 + Number(m) * 60 + Number(s)
}

type Steps = readonly [calm: number, faulty: number, after: number]

function inputSeries(recording: Recording, calm: Recording, [before, faulty, after]: Steps, every: number) {
  const steps: Steps = [before * every, faulty * every, after * every]
  const names = new Set([...Object.keys(recording.series), ...Object.keys(calm.series)])
  const recorded = [...names].map((name) => ({
    series: name.replace('{', `{job="${JOB}", instance="${INSTANCE}", `).replace(', }', '}'),
    values: valuesOf(recording.series[name] ?? [], recording.calm, calm.series[name] ?? [], steps)
      .filter((_, step) => step % every === 0)
      .map((value) => (value === null ? '_' : Number(value.toFixed(3))))
      .join(' '),
  }))
  const total = before + faulty + after
  return [...recorded, { series: `up{job="${JOB}", instance="${INSTANCE}"}`, values: `1x${total}` }]
}

type Values = readonly (number | null)[]

/** The values of one series at each scrape. */
function valuesOf(recorded: Values, start: number, calm: Values, [before, faulty, after]: Steps): Values {
  const perStep = rate(calm.slice(1))
  // a series that normal mail has exists from the start, with zero at the first scrape
  const first = recorded.slice(0, start).some((value) => value !== null) || calm.some((value) => value !== null)
  const calmValues = first ? Array.from({ length: before }, (_, step) => step * perStep) : Array(before).fill(null)
  const values: (number | null)[] = [...calmValues]
  const base = recorded[start - 1] ?? null
  const steady = rate(recorded.slice(-STEADY - 1))
  for (let step = 0; step < faulty; step += 1)
    values.push(faultyValue(values, recorded[start + step], recorded[start + step - 1] ?? base, steady))
  for (let step = 0; step < after; step += 1) {
    const last = values.at(-1) ?? null
    values.push(last === null ? null : last + perStep)
  }
  return values
}

/** The next value during the incident: grown as recorded, then as at the end of the recording. */
function faultyValue(values: Values, now: number | null | undefined, before: number | null, steady: number) {
  const last = values.at(-1) ?? null
  if (now === undefined) return last === null ? null : last + steady
  if (now === null) return last
  return (last ?? 0) + now - (last === null ? 0 : (before ?? 0))
}

/** The growth per scrape. */
function rate(values: Values): number {
  const known = values.filter((value) => value !== null)
  return known.length < 2 ? 0 : (known.at(-1)! - known[0]!) / (values.length - 1)
}
