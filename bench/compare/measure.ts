/** One measurement: a contender, a workload, and what the kernel reports meanwhile. */
import { readFileSync } from 'node:fs'
import type { Contender } from './contenders/contender.ts'
import { cpuMs, residentMib, ticksToMs } from './figures/kernel.ts'
import { percentile } from './figures/statistics.ts'
import type { Generator } from './load/generator.ts'
import type { ClosedOrder, Order } from './load/orders.ts'
import { canSend, smtpSource } from './load/smtp-source.ts'
import type { Job } from './plan.ts'
import { COLLECTABLE, collectGarbage } from './processes/garbage.ts'
import type { Pooled, Sample } from './results.ts'
import type { Stage } from './stage.ts'
import type { Measured, Target } from './workloads/workload.ts'

/** What measurements share. */
export interface Bench {
  readonly stage: Stage
  readonly generator: Generator
  readonly mailConfig: string
  readonly signal: AbortSignal
  readonly short: boolean
  /** Messages per second in earlier measurements of this stage, by contender and workload. */
  readonly paces: Map<string, Map<string, number>>
  readonly capacity: () => Promise<number>
}

export async function targetOf(
  bench: Bench,
  contender: Contender,
  seconds: number,
  nodeOptions?: readonly string[],
): Promise<Target> {
  const { stage, generator, mailConfig, signal, short, capacity } = bench
  const running = await stage.running(contender, nodeOptions)
  const { program, isNode } = running
  const pid = program?.pid
  const perform = (order: Order) => generator.perform(order, signal)
  const paces = bench.paces.get(contender.id) ?? new Map<string, number>()
  bench.paces.set(contender.id, paces)
  return {
    contender,
    place: stage.placeOf(running),
    seconds,
    short,
    paces,
    capacity,
    cpuMs: () => (pid === undefined ? undefined : cpuMs(pid)),
    collect: async () => (program && isNode ? collectGarbage(program) : undefined),
    residentMib: () => (pid === undefined ? undefined : residentMib(pid)),
    perform,
    send: (order: ClosedOrder) => (canSend(order) ? smtpSource(order, mailConfig, signal) : perform(order)),
  }
}

export interface Outcome {
  readonly sample: Sample
  readonly latencies: readonly number[]
}

/** Measures once. Rejects when a message is refused or lost. */
export async function measure(bench: Bench, job: Job, contender: Contender, seconds: number): Promise<Outcome> {
  if (!job.workload.fresh) return measureOn(bench, job, await targetOf(bench, contender, seconds))
  await bench.stage.stop(contender)
  try {
    return await measureOn(bench, job, await targetOf(bench, contender, seconds, COLLECTABLE))
  } finally {
    // these options cost CPU, so no other workload gets this process
    await bench.stage.stop(contender)
  }
}

async function measureOn(bench: Bench, { workload, variant }: Job, target: Target): Promise<Outcome> {
  const load = () => cpuMs(bench.generator.pid) + reapedMs()
  const sink = () => cpuMs(bench.stage.upstream.sink.pid)
  const [loadBefore, sinkBefore, began] = [load(), sink(), performance.now()]
  const measured = await workload.measure(target, variant)
  const took = performance.now() - began
  const cores = { generatorCores: (load() - loadBefore) / took, sinkCores: (sink() - sinkBefore) / took }
  const sample = { ...sampleOf(measured), residentMib: target.residentMib(), ...cores }
  return { sample, latencies: measured.report.latencies }
}

/** The percentiles that there are enough latencies for. */
export function percentilesOf(latencies: readonly number[]): Pooled {
  const [p50, p99, p999] = [0.5, 0.99, 0.999].map((share) => percentile(latencies, share))
  return { p50, p99, p999 }
}

function sampleOf({ report, cpuMs, rate, idle }: Measured): Omit<Sample, 'generatorCores' | 'sinkCores'> {
  const { messages, seconds, latencies, lateness } = report
  return {
    messages,
    seconds,
    cpuMsPerMessage: cpuMs === undefined ? undefined : cpuMs / messages,
    messagesPerSecond: messages / seconds,
    ...percentilesOf(latencies),
    latenessP99: percentile(lateness, 0.99),
    rate,
    kibPerSession: idle?.kibPerSession,
    idleCpuMsPerSecond: idle?.cpuMsPerSecond,
  }
}

/** CPU time of programs that this process started and that have exited, such as smtp-source. */
function reapedMs(): number {
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]!.split(' ')
  return ticksToMs(Number(fields[13]) + Number(fields[14]))
}
