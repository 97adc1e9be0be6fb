import net from 'node:net'
import type { LookupError } from '../events/closed-sets.ts'
import type { Lookup } from '../events/dial.ts'
import { resolve } from '../net/happy-eyeballs.ts'
import { descriptorShortage } from '../net/shortage.ts'
import { detailOf, FRESH_MS, now } from './attempt.ts'

/** How often a name in use is looked up again, in milliseconds. A changed answer takes effect after this time. */
const REFRESH_MS = 5000
/** How long after its last use a name is still looked up. Longer than the pause between two messages of a quiet app. */
const IN_USE_MS = 180_000
/** A lookup that takes longer counts as failed, and sessions stop waiting for it if there is a last good answer. */
export const OVERDUE_MS = 2000
/**
 * How long the last good answer is used while the resolver fails. Time to repair a resolver: AhaSend's addresses rarely
 * change, and TLS verifies that the server at an address is AhaSend.
 */
export const LAST_GOOD_MS = 60 * 60 * 1000
/**
 * How long it is used while the resolver says that there is no such name. Mostly the resolver has lost its configuration for
 * a moment. A name that was removed by design must end soon, so that the next upstream is dialled.
 */
export const MISSING_MS = 5 * 60 * 1000

/** What a lookup found. */
export interface Answer {
  /** In the order in which they are tried. */
  readonly addresses: readonly string[]
  /** When the resolver gave it. */
  readonly at: number
}

/** Finds the addresses of upstreams. */
export interface Names {
  /** Returns a promise only if the caller has to wait. It rejects with the resolver's error. */
  find(host: string): Answer | Promise<Answer>
}

/** Asks the resolver every time. */
export const uncached: Names = {
  find: async (host) => ({ addresses: await resolve(host), at: now() }),
}

/**
 * Keeps the answers for the upstreams' names, so that sessions do not wait for the resolver: `tick` renews the answers of names
 * in use. While the resolver fails, the last good answer is used. One answer per name, and callers ask only for configured
 * names.
 */
export class NameCache implements Names {
  readonly #names = new Map<string, Name>()
  readonly #report: (lookup: Lookup) => void
  readonly #clock: () => number

  /** `report` gets each lookup that ended or is overdue. `clock`: in milliseconds. */
  constructor(report: (lookup: Lookup) => void, clock = now) {
    this.#report = report
    this.#clock = clock
  }

  find(host: string): Answer | Promise<Answer> {
    const at = this.#clock()
    return net.isIP(host) ? { addresses: [host], at } : this.#of(host).find(at)
  }

  /** Looks up names in use whose answer is not new. Called about once a second. */
  tick(): void {
    for (const name of this.#names.values()) name.tick(this.#clock())
  }

  /** Stops all timers. Lookups that run end by themselves. */
  close(): void {
    for (const name of this.#names.values()) name.close()
  }

  #of(host: string): Name {
    const known = this.#names.get(host)
    if (known) return known
    const name = new Name(host, this.#report, this.#clock)
    this.#names.set(host, name)
    return name
  }
}

/** A lookup in progress. */
interface Running {
  readonly at: number
  readonly timer: NodeJS.Timeout
  /** Gets the answer. Also the last good one, if the lookup fails or is overdue. */
  waiting: PromiseWithResolvers<Answer>
  /** True once its end, or that it is overdue, was reported. */
  reported: boolean
}

/** One name. */
class Name {
  readonly #host: string
  readonly #report: (lookup: Lookup) => void
  readonly #clock: () => number
  #last: Answer | undefined
  #running: Running | undefined
  #usedAt = Number.NEGATIVE_INFINITY
  #lookedUpAt = Number.NEGATIVE_INFINITY
  #failedAt = Number.NEGATIVE_INFINITY
  /** When the resolver first said that there is no such name, since its last good answer. */
  #missingSince = Number.POSITIVE_INFINITY

  constructor(host: string, report: (lookup: Lookup) => void, clock: () => number) {
    this.#host = host
    this.#report = report
    this.#clock = clock
  }

  find(at: number): Answer | Promise<Answer> {
    this.#usedAt = at
    const last = this.#usable(at)
    const failing = at - this.#failedAt < FRESH_MS || this.#running?.reported
    if (last && (failing || at - last.at < FRESH_MS)) return last
    return this.#lookUp(at).waiting.promise
  }

  tick(at: number): void {
    if (at - this.#usedAt < IN_USE_MS && at - this.#lookedUpAt >= REFRESH_MS) this.#lookUp(at)
  }

  close(): void {
    clearTimeout(this.#running?.timer)
  }

  /** The last answer, unless it is too old. */
  #usable(at: number): Answer | undefined {
    if (!this.#last || at - this.#last.at >= LAST_GOOD_MS || at - this.#missingSince >= MISSING_MS) return undefined
    return this.#last
  }

  /** The lookup in progress, or a new one. */
  #lookUp(at: number): Running {
    if (this.#running) return this.#running
    // after a pause of this process, the answer is read in this turn of the event loop
    const timer = setTimeout(() => setImmediate(() => this.#overdue(running)), OVERDUE_MS)
    const running: Running = { at, timer, waiting: unhandled(), reported: false }
    this.#lookedUpAt = at
    this.#running = running
    resolve(this.#host).then(
      (addresses) => this.#answered(running, addresses),
      (error: unknown) => this.#failed(running, error),
    )
    return running
  }

  #answered(running: Running, addresses: readonly string[]): void {
    const at = this.#clock()
    this.#last = { addresses, at }
    this.#failedAt = Number.NEGATIVE_INFINITY
    this.#missingSince = Number.POSITIVE_INFINITY
    running.waiting.resolve(this.#last)
    this.#end(running)
  }

  #failed(running: Running, error: unknown): void {
    const code = (error as { code?: unknown }).code
    // a resolver that cannot open a socket also says that there is no such name
    const missing = code === 'ENOTFOUND' && !descriptorShortage()
    if (missing) this.#missingSince = Math.min(this.#missingSince, this.#clock())
    this.#giveUp(running, error)
    this.#end(running, missing ? 'name_not_found' : 'resolver_failed', error)
  }

  /** Sessions stop waiting if there is a last good answer. The resolver may still answer. */
  #overdue(running: Running): void {
    if (this.#running !== running) return
    this.#giveUp(running)
    this.#tell(running, 'resolver_timeout')
  }

  #giveUp(running: Running, error?: unknown): void {
    this.#failedAt = this.#clock()
    const last = this.#usable(this.#failedAt)
    if (error !== undefined && !last) return running.waiting.reject(error)
    if (!last) return
    running.waiting.resolve(last)
    running.waiting = unhandled()
  }

  #end(running: Running, failure?: LookupError, error?: unknown): void {
    clearTimeout(running.timer)
    this.#running = undefined
    this.#tell(running, failure, error)
  }

  #tell(running: Running, error?: LookupError, cause?: unknown): void {
    if (running.reported) return
    running.reported = true
    const end = this.#clock()
    const last = error && this.#usable(end)
    const detail = detailOf(cause)
    this.#report({
      type: 'lookup',
      at: running.at,
      end,
      serverAddress: this.#host,
      ...(error && { error }),
      ...(detail !== undefined && { detail }),
      ...(last && { answerAgeMs: end - last.at }),
    })
  }
}

/** A promise whose rejection may go unhandled, because no session may be waiting. */
function unhandled(): PromiseWithResolvers<Answer> {
  const made = Promise.withResolvers<Answer>()
  made.promise.catch(() => {})
  return made
}
