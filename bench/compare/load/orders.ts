/** What the load generator is ordered to do, and what it reports. */
import type { Place } from './connection.ts'

interface Common {
  readonly place: Place
  /** The size of a message in bytes. */
  readonly bytes: number
}

/** Sends messages as fast as possible: each connection sends its next message when the last one was accepted. */
export interface ClosedOrder extends Common {
  readonly kind: 'closed'
  readonly connections: number
  readonly messages: number
  /** `each`: a connection for each message. `keep`: persistent connections. `pipeline`: the same, pipelined. */
  readonly style: 'each' | 'keep' | 'pipeline'
}

/**
 * Sends messages at random times with this mean rate, however long the replies take (an open loop). The time of a message
 * begins when it is due, so the time that it waits for a free connection counts.
 */
export interface OpenOrder extends Common {
  readonly kind: 'open'
  readonly rate: number
  readonly seconds: number
  /** Messages of these seconds before the others are sent and counted, but their times are not reported. */
  readonly leadSeconds: number
  /** Persistent connections, or 0: a connection for each message. */
  readonly connections: number
}

/** Opens sessions that then do nothing. They stay open until the next `idle` order. */
export interface IdleOrder extends Common {
  readonly kind: 'idle'
  readonly sessions: number
}

export type Order = ClosedOrder | OpenOrder | IdleOrder

export interface Report {
  readonly messages: number
  readonly seconds: number
  /** Milliseconds of each message, to its final reply. */
  readonly latencies: readonly number[]
  /** By how many milliseconds each message was sent late by the generator itself. Open loops only. */
  readonly lateness: readonly number[]
}

/** The answer to an order. */
export type Answer = { readonly report: Report } | { readonly error: string }
