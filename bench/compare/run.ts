/** Runs the plan: stage after stage, and in each round of a workload one contender after the other. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Contender } from './contenders/contender.ts'
import { oursDefault } from './contenders/ours.ts'
import { rotated } from './figures/statistics.ts'
import type { Generator } from './load/generator.ts'
import { type Bench, measure, type Outcome, percentilesOf, targetOf } from './measure.ts'
import type { Options } from './options.ts'
import { type Job, OVERHEAD, type Stage as PlannedStage, secondsOf, startSeconds, warmUpSeconds } from './plan.ts'
import type { Progress } from './progress.ts'
import type { Sample, Series } from './results.ts'
import { mailConfigIn, startUpstream } from './sinks/upstream.ts'
import { Stage } from './stage.ts'

export interface Run {
  readonly options: Options
  readonly generator: Generator
  readonly progress: Progress
  /** Aborts on Ctrl-C: what was measured before stays. */
  readonly signal: AbortSignal
  /** A temporary folder. */
  readonly folder: string
  /** Takes the results of each job, also of one that was interrupted. */
  readonly add: (series: readonly Series[]) => void
}

export async function runPlan(plan: readonly PlannedStage[], run: Run): Promise<void> {
  for (const [index, planned] of plan.entries()) {
    if (run.signal.aborted) return
    const folder = join(run.folder, `stage-${index}`)
    mkdirSync(folder)
    try {
      await runStage(planned, run, folder)
    } catch (error) {
      // the other stages are still worth measuring
      run.add(failedStage(planned, (error as Error).message))
    }
  }
}

/** The results of a stage whose upstream did not start. */
function failedStage({ jobs, security }: PlannedStage, failure: string): Series[] {
  return jobs.flatMap(({ workload, variant, contenders }) =>
    contenders.map(({ id }) => {
      return { workload: workload.id, variant: variant.name, upstream: security, contender: id, samples: [], failure }
    }),
  )
}

async function runStage(planned: PlannedStage, run: Run, folder: string): Promise<void> {
  const { options, generator, signal } = run
  const upstream = await startUpstream(planned.security, planned.roundTripMs, folder)
  await using stage = await Stage.open({ upstream, settings: options.settings, profiles: options.profiles, folder })
  const paces = new Map<string, Map<string, number>>()
  const common = { stage, generator, signal, short: options.short, paces, mailConfig: mailConfigIn(folder) }
  let capacity: Promise<number> | undefined
  const bench: Bench = { ...common, capacity: () => (capacity ??= measureCapacity(bench, options.seconds)) }
  for (const job of planned.jobs) {
    if (signal.aborted) return
    run.add(await runJob(job, bench, run))
    if (job === planned.jobs[0]) run.progress.done(startSeconds(planned))
  }
}

/** Messages that find out how many the measurement of the capacity needs. */
const FIRST_MESSAGES = 1000

/** Messages per second that our proxy with default telemetry accepts on persistent connections. */
async function measureCapacity(bench: Bench, seconds: number): Promise<number> {
  const { place, perform } = await targetOf(bench, oursDefault, seconds)
  const send = async (messages: number) => {
    const order = { kind: 'closed', place, bytes: 2048, connections: 50, messages, style: 'keep' } as const
    const report = await perform(order)
    return report.messages / report.seconds
  }
  const first = await send(FIRST_MESSAGES)
  return send(Math.max(FIRST_MESSAGES, Math.round(first * seconds)))
}

/** Mutable results of one contender. */
interface Results {
  readonly samples: Sample[]
  /** Of all rounds. */
  readonly latencies: number[][]
  failure?: string
}

async function runJob(job: Job, bench: Bench, run: Run): Promise<Series[]> {
  const results = new Map(job.contenders.map((contender) => [contender, { samples: [], latencies: [] } as Results]))
  const attempt = async (contender: Contender, seconds: number): Promise<Outcome | undefined> => {
    const result = results.get(contender)!
    if (run.signal.aborted || result.failure !== undefined) return undefined
    run.progress.now(nameOf(job, bench, contender))
    try {
      return await measure(bench, job, contender, seconds)
    } catch (error) {
      if (!run.signal.aborted) result.failure = (error as Error).message
      return undefined
    }
  }
  await warmUp(job, attempt, run)
  for (let round = 0; round < run.options.rounds; round += 1) {
    for (const contender of rotated(job.contenders, round)) {
      keep(results.get(contender)!, await attempt(contender, job.seconds))
      run.progress.done(secondsOf(job))
    }
  }
  const measured = [...results].filter(([, { samples, failure }]) => samples.length > 0 || failure !== undefined)
  return measured.map(([contender, result]) => seriesOf(job, bench, contender, result))
}

function keep({ samples, latencies }: Results, outcome: Outcome | undefined): void {
  if (outcome === undefined) return
  samples.push(outcome.sample)
  latencies.push([...outcome.latencies])
}

async function warmUp(
  job: Job,
  attempt: (contender: Contender, seconds: number) => Promise<unknown>,
  run: Run,
): Promise<void> {
  const seconds = warmUpSeconds(job, run.options)
  if (seconds === 0) return
  for (const contender of job.contenders) {
    await attempt(contender, seconds)
    run.progress.done(seconds + OVERHEAD)
  }
}

function nameOf({ workload, variant }: Job, { stage }: Bench, contender: Contender): string {
  return [
    workload.id,
    variant.name,
    stage.upstream.security === 'tls' ? 'TLS upstream' : 'plain upstream',
    contender.title,
  ]
    .filter((part) => part !== '')
    .join(', ')
}

function seriesOf({ workload, variant }: Job, { stage }: Bench, contender: Contender, result: Results): Series {
  const where = { workload: workload.id, variant: variant.name, upstream: stage.upstream.security }
  const { samples, latencies, failure } = result
  const pooled = percentilesOf(latencies.flat())
  return { ...where, contender: contender.id, samples, pooled, failure }
}
