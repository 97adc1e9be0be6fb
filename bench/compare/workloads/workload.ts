/** What is sent to each contender, and what is measured. */
import type { Contender } from '../contenders/contender.ts'
import type { Place } from '../load/connection.ts'
import type { ClosedOrder, Order, Report } from '../load/orders.ts'

/** One contender in one round, as a workload sees it. */
export interface Target {
  readonly contender: Contender
  readonly place: Place
  /** How long the measurement should take. */
  readonly seconds: number
  /** True in the short mode. */
  readonly short: boolean
  /** Messages per second of this contender in earlier rounds, by workload. */
  readonly paces: Map<string, number>
  /** Messages per second that our proxy accepts on persistent connections, one command at a time. */
  readonly capacity: () => Promise<number>
  /** CPU time of the contender so far, in milliseconds; undefined for a direct connection. */
  readonly cpuMs: () => number | undefined
  /** Collects the contender's garbage, if it is a Node program. Its code then has to be warmed up again. */
  readonly collect: () => Promise<void>
  /** Resident memory of the contender in MiB; undefined for a direct connection. */
  readonly residentMib: () => number | undefined
  /** Performs an order with our own load generator. */
  readonly perform: (order: Order) => Promise<Report>
  /** Performs an order with smtp-source if it can, otherwise with our own load generator. */
  readonly send: (order: ClosedOrder) => Promise<Report>
}

/** What a workload measured. */
export interface Measured {
  readonly report: Report
  /** CPU time of the contender for the messages of the report; undefined for a direct connection. */
  readonly cpuMs: number | undefined
  /** The offered rate in messages per second, if it was given. */
  readonly rate?: number
  readonly idle?: Idle
}

/** Idle sessions. Undefined values belong to a direct connection. */
export interface Idle {
  readonly sessions: number
  readonly kibPerSession: number | undefined
  /** CPU time per second of idling. */
  readonly cpuMsPerSecond: number | undefined
}

export interface Variant {
  /** Empty if the workload has only one. */
  readonly name: string
  /** Also in the short mode. */
  readonly short: boolean
  /** The round-trip time of the path to the upstream. Undefined: no relay. */
  readonly roundTripMs?: number
  /** The share of the capacity that is offered. */
  readonly load?: number
}

export interface Workload {
  readonly id: string
  readonly title: string
  readonly variants: readonly Variant[]
  /** The measurement takes at least this long; in the short mode, the second number. */
  readonly minSeconds?: readonly [number, number]
  /** Seconds of a measurement beyond its duration, such as a warm-up of its own. */
  readonly extraSeconds?: number
  /** True: each measurement starts its contender, because memory that was used before would hide what is used now. */
  readonly fresh?: boolean
  /** Why it is not measured with this contender. */
  cannot?(contender: Contender): string | undefined
  measure(target: Target, variant: Variant): Promise<Measured>
}

/** Performs an order and measures the contender's CPU time meanwhile. */
export async function withCpu(target: Target, order: () => Promise<Report>): Promise<Measured> {
  const before = target.cpuMs()
  const report = await order()
  const after = target.cpuMs()
  return { report, cpuMs: after === undefined || before === undefined ? undefined : after - before }
}

/** The only variant of a workload. */
export const ONLY: readonly Variant[] = [{ name: '', short: true }]
