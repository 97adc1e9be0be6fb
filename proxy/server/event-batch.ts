/** What an event loop that relays tells the one that observes: in batches, and never more than that one can take. */
import type { Dial } from '../events/dial.ts'
import type { Observer, Telemetry } from '../events/observer.ts'
import type { SessionEvent, SessionOpen } from '../events/session-event.ts'

/** An event of the worker's session of that number; a dial of no session; or an observer's failure. */
export type News =
  | { readonly session: number; readonly event: SessionEvent }
  | { readonly session?: never; readonly event: Dial }
  | { readonly session?: never; readonly event?: never; readonly failure: string }

/**
 * Events that may be told and not yet heard. Some two seconds of work for the loop that observes, and some 20 MB; a
 * loop that is so late does not catch up by being told more.
 */
export const MAX_UNHEARD = 50_000

/** How many events of one worker were heard: counted by the thread that observes, read by the one that relays. */
export class Heard {
  readonly memory: SharedArrayBuffer
  readonly #count: Int32Array

  constructor(memory = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)) {
    this.memory = memory
    this.#count = new Int32Array(memory)
  }

  add(events: number): void {
    Atomics.add(this.#count, 0, events)
  }

  /** Of `told` events; both counts begin anew at 2^32. */
  missing(told: number): number {
    return (told - Atomics.load(this.#count, 0)) | 0
  }
}

/**
 * Collects what happens in one turn of the loop and tells it together. When too much was not heard yet, sessions go
 * blind: of each is told that it is opaque (`overflow`), and its close, so that they stay counted. Mail goes on.
 */
export class Batch implements Telemetry {
  readonly #tell: (news: readonly News[]) => void
  readonly #heard: Heard
  #news: News[] = []
  #sessions = 0
  #told = 0

  /** `tell` passes on the news of one turn; who hears them counts them in `heard`. */
  constructor(tell: (news: readonly News[]) => void, heard: Heard) {
    this.#tell = tell
    this.#heard = heard
  }

  open(event: SessionOpen): Observer {
    this.#sessions += 1
    const session = this.#sessions
    let blind = false
    this.#add({ session, event })
    return (next) => {
      if (!blind && this.#isBehind()) {
        blind = true
        this.#add({ session, event: { type: 'session-opaque', at: next.at, reason: 'overflow' } })
      }
      if (!blind || next.type === 'session-close') this.#add({ session, event: next })
    }
  }

  dial(event: Dial): void {
    this.#add({ event })
  }

  observerFailed(error: unknown): void {
    this.#add({ failure: error instanceof Error ? error.name : 'unknown' })
  }

  /** Tells what was not told yet, if only that nothing happened. */
  flush = (): void => {
    const news = this.#news
    this.#news = []
    this.#tell(news)
  }

  #isBehind(): boolean {
    return this.#heard.missing(this.#told) > MAX_UNHEARD
  }

  #add(news: News): void {
    this.#told = (this.#told + 1) | 0
    if (this.#news.push(news) === 1) setImmediate(this.flush)
  }
}
