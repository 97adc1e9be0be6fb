/** What a run of the comparison produced. */
import type { Security } from './contenders/contender.ts'
import type { Machine } from './figures/machine.ts'

/** One measurement: a contender in one round. Figures that a workload does not have are undefined. */
export interface Sample {
  readonly messages: number
  readonly seconds: number
  /** CPU time of the contender per message, in milliseconds. */
  readonly cpuMsPerMessage?: number | undefined
  readonly messagesPerSecond: number
  /** Milliseconds to the final reply. */
  readonly p50?: number | undefined
  readonly p99?: number | undefined
  readonly p999?: number | undefined
  readonly residentMib?: number | undefined
  /** Idle sessions. */
  readonly kibPerSession?: number | undefined
  readonly idleCpuMsPerSecond?: number | undefined
  /** The offered rate, in messages per second. */
  readonly rate?: number | undefined
  /** CPU cores that the load generator and the upstream used. One core each is the most that our own ones can use. */
  readonly generatorCores: number
  readonly sinkCores: number
  /** By how many milliseconds the generator itself was late (p99). */
  readonly latenessP99?: number | undefined
}

/** Percentiles of the messages of all rounds together, in milliseconds. */
export interface Pooled {
  readonly p50?: number | undefined
  readonly p99?: number | undefined
  readonly p999?: number | undefined
}

/** All rounds of a contender in one variant of a workload. */
export interface Series {
  readonly workload: string
  readonly variant: string
  readonly upstream: Security
  readonly contender: string
  readonly samples: readonly Sample[]
  readonly pooled?: Pooled
  /** Why there are no (further) samples. */
  readonly failure?: string | undefined
}

export interface Skipped {
  readonly contender: string
  /** Undefined: everywhere. */
  readonly upstream?: Security | undefined
  readonly workload?: string | undefined
  readonly reason: string
}

export interface Results {
  readonly date: string
  readonly machine: Machine
  /** The options of the run. */
  readonly rounds: number
  readonly seconds: number
  readonly short: boolean
  readonly settings: Readonly<Record<string, string>>
  /** True if Ctrl-C ended the run. */
  readonly partial: boolean
  readonly tookSeconds: number
  readonly series: readonly Series[]
  readonly skipped: readonly Skipped[]
  /** What was used as load generator and as upstream. */
  readonly tools: readonly string[]
}
