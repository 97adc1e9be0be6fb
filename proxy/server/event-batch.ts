/** Forwards the events of a worker to the main thread: in batches, and never more than the main thread can process. */
import type { Dial, Lookup, Unused } from '../events/dial.ts'
import type { Observer, Telemetry } from '../events/observer.ts'
import type { SessionEvent, SessionOpen } from '../events/session-event.ts'

/** An event of a session (the worker numbers its sessions), one without a session, or the failure of an observer. */
export type BatchEntry =
  | { readonly session: number; readonly event: SessionEvent }
  | { readonly session?: never; readonly event: Dial | Lookup | Unused }
  | { readonly session?: never; readonly event?: never; readonly failure: string }

/**
 * Entries that may be sent and not yet processed: about two seconds of work for the main thread, and about 20 MB. Sending
 * more would not help a main thread that is this far behind to catch up.
 */
export const MAX_UNPROCESSED = 50_000

/** The number of entries of one worker that were processed: written by the main thread, read by the worker. */
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
 * Collects the events of one turn of the event loop and sends them together. While too many are unprocessed, sessions
 * become opaque (`overflow`): only their close is still sent, so that they are counted. Mail is not delayed.
 */
export class Batch implements Telemetry {
  readonly #send: (entries: readonly BatchEntry[]) => void
  readonly #processed: ProcessedCount
  #entries: BatchEntry[] = []
  #sessions = 0
  #sent = 0

  /** `send` gets the entries of one turn. Their receiver adds their number to `processed`. */
  constructor(send: (entries: readonly BatchEntry[]) => void, processed: ProcessedCount) {
    this.#send = send
    this.#processed = processed
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
    this.#add({ failure: error instanceof Error ? error.name : 'unknown' })
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
    if (this.#entries.push(entry) === 1) setImmediate(this.flush)
  }
}
