/**
 * Bytes first: events wait until the turn of the event loop that caused them has written its bytes. Then they are delivered
 * together, in the same thread or, a little later, from a worker to the main thread, and never more than telemetry can process.
 */
import type { Dial, Lookup, Unused } from '../events/dial.ts'
import type { Observer, Telemetry } from '../events/observer.ts'
import type { SessionEvent, SessionOpen } from '../events/session-event.ts'

/** What is known of a thrown value. Plain data, because entries are sent between threads. */
interface Failure {
  readonly name: string
  readonly message: string
  readonly stack: string
}

/** An event of a session (the batch numbers its sessions), one without a session, or the failure of an observer. */
export type BatchEntry =
  | { readonly session: number; readonly event: SessionEvent }
  | { readonly session?: never; readonly event: Dial | Lookup | Unused }
  | { readonly session?: never; readonly event?: never; readonly failure: Failure }

/**
 * Entries that may be collected or sent, and not yet processed: about two seconds of work for the main thread, and about
 * 20 MB. Sending more would not help a main thread that is this far behind to catch up.
 */
export const MAX_UNPROCESSED = 50_000

/** When a batch sends what it has collected. */
export interface Pace {
  /** Sends this number of entries immediately. */
  readonly entries: number
  /** Sends earlier entries after this time in milliseconds; 0: at the end of their turn. */
  readonly waitMs: number
}

/**
 * Within one thread. 100 entries are those of about 30 sessions. A flood of replies causes thousands in one turn. Kept until its
 * end, they survive garbage collections: 29 to 70 MiB, instead of 7 to 13 with this limit (2026-11-30).
 */
export const EACH_TURN: Pace = { entries: 100, waitMs: 0 }

/** Between threads, where each batch wakes the main thread. As late as log lines. */
export const BETWEEN_THREADS: Pace = { entries: 500, waitMs: 20 }

/** The number of entries of one batch that were processed. A worker's is written by the main thread, and read by the worker. */
export class ProcessedCount {
  readonly memory: SharedArrayBuffer
  readonly #count: Int32Array

  constructor(memory = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)) {
    this.memory = memory
    this.#count = new Int32Array(memory)
  }

  add(entries: number): void {
    Atomics.add(this.#count, 0, entries)
  }

  /** How many of `sent` entries are not processed yet. Both counts wrap around at 2^32. */
  missingOf(sent: number): number {
    return (sent - Atomics.load(this.#count, 0)) | 0
  }
}

/**
 * Collects events and sends them together, by default those of one turn of the event loop. While too many are unprocessed,
 * sessions become opaque (`overflow`): only their close is still sent, so that they are counted. Mail is not delayed.
 */
export class Batch implements Telemetry {
  readonly #send: (entries: readonly BatchEntry[]) => void
  readonly #processed: ProcessedCount
  readonly #pace: Pace
  #entries: BatchEntry[] = []
  #sessions = 0
  #sent = 0
  #timer: NodeJS.Timeout | undefined

  /** `send` gets the entries. Their receiver adds their number to `processed`. */
  constructor(send: (entries: readonly BatchEntry[]) => void, processed: ProcessedCount, pace = EACH_TURN) {
    this.#send = send
    this.#processed = processed
    this.#pace = pace
  }

  open(event: SessionOpen): Observer {
    this.#sessions += 1
    const session = this.#sessions
    let opaque = false
    this.#add({ session, event })
    return (next) => {
      if (!opaque && this.#isOverflowing()) {
        opaque = true
        this.#add({ session, event: { type: 'session-opaque', at: next.at, reason: 'overflow' } })
      }
      if (!opaque || next.type === 'session-close') this.#add({ session, event: next })
    }
  }

  dial(event: Dial): void {
    this.#add({ event })
  }

  upstream(event: Lookup | Unused): void {
    this.#add({ event })
  }

  observerFailed(error: unknown): void {
    this.#add({ failure: describe(error) })
  }

  /** Sends the collected entries, even if there are none. */
  flush = (): void => {
    const entries = this.#entries
    this.#entries = []
    this.#send(entries)
  }

  #isOverflowing(): boolean {
    return this.#processed.missingOf(this.#sent) > MAX_UNPROCESSED
  }

  #add(entry: BatchEntry): void {
    this.#sent = (this.#sent + 1) | 0
    const length = this.#entries.push(entry)
    if (length === 1) this.#flushLater()
    if (length === this.#pace.entries) this.flush()
  }

  #flushLater(): void {
    const { waitMs } = this.#pace
    if (waitMs === 0) setImmediate(this.flush)
    else this.#timer ??= setTimeout(this.#flushLate, waitMs)
  }

  readonly #flushLate = (): void => {
    this.#timer = undefined
    if (this.#entries.length > 0) this.flush()
  }
}

function describe(error: unknown): Failure {
  if (!(error instanceof Error)) return { name: typeof error, message: '', stack: '' }
  const { name, message, stack = '' } = error
  return { name, message, stack }
}

/** The other end of a batch: gives its entries to the receivers of events. */
export class Delivery {
  readonly #telemetry: Telemetry
  readonly #processed: ProcessedCount
  readonly #observers = new Map<number, Observer>()

  /** `telemetry` must not throw: see combine(). */
  constructor(telemetry: Telemetry, processed: ProcessedCount) {
    this.#telemetry = telemetry
    this.#processed = processed
  }

  deliver(entries: readonly BatchEntry[]): void {
    for (const entry of entries) this.#deliver(entry)
    this.#processed.add(entries.length)
  }

  #deliver(entry: BatchEntry): void {
    if ('failure' in entry) return this.#telemetry.observerFailed(Object.assign(new Error(), entry.failure))
    const { session, event } = entry
    if (session === undefined)
      return event.type === 'dial' ? this.#telemetry.dial(event) : this.#telemetry.upstream?.(event)
    if (event.type === 'session-open') this.#observers.set(session, this.#telemetry.open(event))
    else this.#observers.get(session)?.(event)
    if (event.type === 'session-close') this.#observers.delete(session)
  }
}

/** Telemetry of the same thread that gets the events of a turn after the turn's writes. */
export function afterWrites(telemetry: Telemetry): Telemetry {
  const processed = new ProcessedCount()
  const delivery = new Delivery(telemetry, processed)
  return new Batch((entries) => delivery.deliver(entries), processed)
}
