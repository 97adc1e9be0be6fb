/** Which measurements a run consists of, and how long they take. */
import { type Contender, FLOORS, type Security } from './contenders/contender.ts'
import type { Options } from './options.ts'
import type { Variant, Workload } from './workloads/workload.ts'

/** Measurements with the same upstream: its contenders are started once. */
export interface Stage {
  readonly security: Security
  readonly roundTripMs: number | undefined
  readonly contenders: readonly Contender[]
  readonly jobs: readonly Job[]
}

/** One variant of a workload. */
export interface Job {
  readonly workload: Workload
  readonly variant: Variant
  readonly seconds: number
  readonly contenders: readonly Contender[]
}

/** Seconds that a measurement takes beyond its own duration, and a contender takes to start. Measured roughly. */
export const OVERHEAD = 0.25
const START = 0.5

export function planOf(options: Options): Stage[] {
  const jobs = options.workloads.flatMap((workload) =>
    workload.variants.filter(({ short }) => short || !options.short).map((variant) => ({ workload, variant })),
  )
  return options.upstreams.flatMap((security) => {
    const contenders = options.contenders.filter((contender) => runs(contender, security, options))
    const groups = Map.groupBy(jobs, ({ variant }) => variant.roundTripMs)
    return [...groups].map(([roundTripMs, members]) => ({
      security,
      roundTripMs,
      contenders,
      jobs: members.map((job) => jobOf(job, contenders, options)),
    }))
  })
}

/** The short mode has one floor for each kind of upstream. */
function runs({ id, cannot }: Contender, security: Security, { short }: Options): boolean {
  const surplus = short && Object.values(FLOORS).includes(id) && id !== FLOORS[security]
  return cannot?.[security] === undefined && !surplus
}

function jobOf(
  { workload, variant }: Pick<Job, 'workload' | 'variant'>,
  all: readonly Contender[],
  { seconds, short }: Options,
): Job {
  const contenders = all.filter((contender) => workload.cannot?.(contender) === undefined)
  return { workload, variant, seconds: Math.max(seconds, workload.minSeconds?.[short ? 1 : 0] ?? 0), contenders }
}

/** How long each contender runs before the first round. Fresh contenders cannot be warmed up, and a slow path needs none. */
export function warmUpSeconds({ workload, variant, seconds }: Job, { short }: Pick<Options, 'short'>): number {
  if (workload.fresh || variant.roundTripMs !== undefined) return 0
  return short ? Math.min(0.3, seconds) : Math.min(1, seconds)
}

/** The expected seconds of one measurement of a job. */
export function secondsOf({ workload, seconds }: Job): number {
  return seconds + OVERHEAD + (workload.extraSeconds ?? 0)
}

/** The expected seconds until all contenders of a stage run. */
export function startSeconds({ contenders }: Stage): number {
  return START * contenders.length
}

/** The expected seconds of the whole run. */
export function expectedSeconds(plan: readonly Stage[], options: Options): number {
  const ofJob = (job: Job) => {
    const warmUp = warmUpSeconds(job, options)
    return job.contenders.length * (options.rounds * secondsOf(job) + (warmUp === 0 ? 0 : warmUp + OVERHEAD))
  }
  const ofStage = (stage: Stage) => startSeconds(stage) + stage.jobs.reduce((sum, job) => sum + ofJob(job), 0)
  return plan.reduce((sum, stage) => sum + ofStage(stage), 0)
}
