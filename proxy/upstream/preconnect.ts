import type { Dial, Unused } from '../events/dial.ts'
import { type DialledUpstream, type DialResult, now } from './dialer.ts'
import { LastSession } from './last-session.ts'

/**
 * Preconnected upstream connections. A session that gets one does not wait for the resolver, TCP, the greeting, STARTTLS
 * and TLS. No connection is ever given to a second client: this is preconnecting, not pooling.
 */

/**
 * A connection of this age is replaced: it stays ready while its successor is dialled. So one that waits for an app costs the
 * upstream 120 connections an hour.
 */
export const RENEW_MS = 30_000
/** AhaSend closes an idle connection after 60 s, and the client that gets this one needs some of that time. */
export const MAX_AGE_MS = 40_000
/** The number of sessions in this time predicts the next ones. */
const WINDOW_MS = 10_000
/** With fewer sessions in the window, most connections beyond the first would expire unused. */
const MIN_ARRIVALS = 5
/** One connection is ready for this long after a session, for apps that send a message every minute or two. */
export const STANDBY_MS = 180_000
/** How long nothing is preconnected after a failed dial. Sessions still dial for themselves. */
const PAUSE_MS = 30_000

/** How many of `max` connections event loop number `index` (from 0) of `loops` may hold. The shares add up to `max`. */
export function shareOf(max: number, index: number, loops: number): number {
  return Math.floor((max + index) / loops)
}

/** A preconnected connection, and its dial. */
export interface Preconnected {
  readonly connection: DialledUpstream
  readonly dial: Dial
}

interface Waiting extends Preconnected {
  /** By the wall clock, which continues while the machine is suspended. */
  readonly since: number
  /** Removes the listeners that discard the connection. */
  readonly release: () => void
}

interface PreconnectOptions {
  /** The maximum number of ready connections; 0 turns preconnecting off. */
  readonly max: number
  /** Makes a connection and reports its dial. */
  readonly dial: () => Promise<DialResult>
  /** Gets each connection that was closed unused. */
  readonly unused: (event: Unused) => void
  /** Shared by the event loops, because a quiet app's next session may begin in any of them. */
  readonly lastSession?: LastSession
}

/** Keeps as many connections ready as the recent sessions suggest. */
export class Preconnections {
  readonly #max: number
  readonly #dial: () => Promise<DialResult>
  readonly #unused: (event: Unused) => void
  readonly #lastSession: LastSession
  /** The oldest first. */
  #waiting: Waiting[] = []
  #arrivals: number[] = []
  #dialling = 0
  #dialMs = 0
  #pausedUntil = 0
  #closed = false

  constructor({ max, dial, unused, lastSession = new LastSession() }: PreconnectOptions) {
    this.#max = max
    this.#dial = dial
    this.#unused = unused
    this.#lastSession = lastSession
  }

  /** Connections that are ready. */
  get size(): number {
    return this.#waiting.length
  }

  /** The newest connection for a session that begins at `at`, in milliseconds, if there is one. Dials replacements. */
  take(at: number): Promise<Preconnected | undefined> | undefined {
    if (this.#max === 0) return undefined
    this.#arrivals.push(at)
    if (this.#arrivals.length > 1000) this.#arrivals.shift()
    this.#lastSession.begins(at)
    this.#expire(at)
    const newest = this.#waiting.pop()
    this.#refill(at)
    return newest && this.#handOver(newest)
  }

  /** Discards old connections and dials new ones. Called about once a second. */
  tick(at: number): void {
    if (this.#max === 0) return
    this.#expire(at)
    this.#refill(at)
  }

  /** Closes all connections, including those that are still being dialled. */
  close(at: number): void {
    this.#closed = true
    for (const waiting of this.#waiting.splice(0)) this.#discard(waiting, 'expired', at)
  }

  /** What the upstream did before is read in this turn of the event loop: a connection that it closed is not handed over. */
  async #handOver(newest: Waiting): Promise<Preconnected | undefined> {
    await new Promise(setImmediate)
    let ready: Waiting | undefined = newest
    while (ready?.connection.socket.destroyed) ready = this.#waiting.pop()
    ready?.release()
    return ready && { connection: ready.connection, dial: ready.dial }
  }

  /** One for a while after the last session. If they are frequent: twice the number of sessions during one dial. */
  #wanted(at: number): number {
    this.#arrivals = this.#arrivals.filter((arrival) => at - arrival < WINDOW_MS)
    if (at < this.#pausedUntil || this.#closed) return 0
    const standby = this.#lastSession.isWithin(STANDBY_MS, at) ? 1 : 0
    const perMs = this.#arrivals.length / WINDOW_MS
    const busy = this.#arrivals.length < MIN_ARRIVALS ? 0 : 1 + Math.ceil(perMs * this.#dialMs * 2)
    return Math.min(this.#max, Math.max(standby, busy))
  }

  #refill(at: number): void {
    const young = this.#waiting.filter((waiting) => ageOf(waiting, at) < RENEW_MS).length
    for (let missing = this.#wanted(at) - young - this.#dialling; missing > 0; missing -= 1) void this.#prepare()
  }

  async #prepare(): Promise<void> {
    this.#dialling += 1
    const { dial, connection } = await this.#dial()
    this.#dialling -= 1
    this.#dialMs = dial.end - dial.at
    if (!connection || connection.refused || this.#closed) {
      connection?.socket.destroy()
      this.#pausedUntil = dial.end + PAUSE_MS
    } else this.#add(connection, dial)
  }

  /** A new connection replaces one that is due for renewal, so that there are never more than `max`. */
  #add(connection: DialledUpstream, dial: Dial): void {
    const [oldest] = this.#waiting
    if (oldest && ageOf(oldest, dial.end) >= RENEW_MS) this.#remove(oldest, 'expired', dial.end)
    this.#waiting.push(this.#guard(connection, dial))
  }

  /** Discards a waiting connection as soon as anything happens on it, such as a 421 or a close. */
  #guard(connection: DialledUpstream, dial: Dial): Waiting {
    const { socket } = connection
    const lost = () => this.#remove(waiting, 'lost', now())
    const release = () => {
      socket.pause()
      socket.off('data', lost).off('end', lost).off('close', lost)
    }
    const waiting: Waiting = { connection, dial, since: Date.now(), release }
    socket.on('data', lost).on('end', lost).on('close', lost)
    socket.resume()
    return waiting
  }

  #expire(at: number): void {
    for (const waiting of this.#waiting) if (ageOf(waiting, at) > MAX_AGE_MS) this.#remove(waiting, 'expired', at)
  }

  #remove(waiting: Waiting, end: Unused['end'], at: number): void {
    this.#waiting = this.#waiting.filter((other) => other !== waiting)
    this.#discard(waiting, end, at)
  }

  #discard({ connection, dial, release }: Waiting, end: Unused['end'], at: number): void {
    release()
    connection.socket.destroy()
    this.#unused({ type: 'unused', at, end, dial })
  }
}

/** Milliseconds that a connection has waited. */
function ageOf({ dial, since }: Waiting, at: number): number {
  return Math.max(at - dial.end, Date.now() - since)
}
