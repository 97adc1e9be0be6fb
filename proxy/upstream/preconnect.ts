import type { Dial } from '../events/dial.ts'
import type { DialledUpstream, DialResult } from './dialer.ts'

/**
 * Preconnected upstream connections. A session that gets one does not wait for the resolver, TCP, the greeting, STARTTLS
 * and TLS. No connection is ever given to a second client: this is preconnecting, not pooling.
 */

/** AhaSend closes an idle connection after 60 s, and the client that gets this one needs most of that time. */
const MAX_AGE_MS = 20_000
/** The number of sessions in this time predicts the next ones. */
const WINDOW_MS = 10_000
/** With fewer sessions in the window, most preconnected connections would expire unused. */
const MIN_ARRIVALS = 5
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
  /** Removes the listeners that discard the connection. */
  readonly release: () => void
}

/** Keeps as many connections ready as the recent sessions suggest. */
export class Preconnections {
  readonly #max: number
  readonly #dial: () => Promise<DialResult>
  #waiting: Waiting[] = []
  #arrivals: number[] = []
  #dialling = 0
  #dialMs = 0
  #pausedUntil = 0
  #closed = false

  /** Keeps at most `max` connections ready; 0 turns it off. `dial` makes one and reports its dial. */
  constructor(max: number, dial: () => Promise<DialResult>) {
    this.#max = max
    this.#dial = dial
  }

  /** Connections that are ready. */
  get size(): number {
    return this.#waiting.length
  }

  /** Returns the newest connection for a session, or undefined. Dials replacements. `at` is in milliseconds. */
  take(at: number): Preconnected | undefined {
    if (this.#max === 0) return undefined
    this.#arrivals.push(at)
    if (this.#arrivals.length > 1000) this.#arrivals.shift()
    this.#expire(at)
    const waiting = this.#waiting.pop()
    waiting?.release()
    this.#refill(at)
    return waiting && { connection: waiting.connection, dial: waiting.dial }
  }

  /** Discards old connections and dials new ones. Called about once a second. */
  tick(at: number): void {
    if (this.#max === 0) return
    this.#expire(at)
    this.#refill(at)
  }

  /** Closes all connections, including those that are still being dialled. */
  close(): void {
    this.#closed = true
    for (const { connection } of this.#waiting) connection.socket.destroy()
    this.#waiting = []
  }

  /** Twice the number of sessions that arrive during one dial, because they arrive in bursts. */
  #wanted(at: number): number {
    this.#arrivals = this.#arrivals.filter((arrival) => at - arrival < WINDOW_MS)
    if (this.#arrivals.length < MIN_ARRIVALS || at < this.#pausedUntil || this.#closed) return 0
    const perMs = this.#arrivals.length / WINDOW_MS
    return Math.min(this.#max, 1 + Math.ceil(perMs * this.#dialMs * 2))
  }

  #refill(at: number): void {
    for (let missing = this.#wanted(at) - this.#waiting.length - this.#dialling; missing > 0; missing -= 1) {
      void this.#prepare()
    }
  }

  async #prepare(): Promise<void> {
    this.#dialling += 1
    const { dial, connection } = await this.#dial()
    this.#dialling -= 1
    this.#dialMs = dial.end - dial.at
    if (!connection || connection.refused || this.#closed) {
      connection?.socket.destroy()
      this.#pausedUntil = dial.end + PAUSE_MS
    } else this.#waiting.push(this.#guard(connection, dial))
  }

  /** Discards a waiting connection as soon as anything happens on it, such as a 421 or a close. */
  #guard(connection: DialledUpstream, dial: Dial): Waiting {
    const discard = () => {
      this.#waiting = this.#waiting.filter((waiting) => waiting.connection !== connection)
      connection.socket.destroy()
    }
    connection.socket.on('data', discard).on('end', discard).on('close', discard)
    connection.socket.resume()
    const release = () => {
      connection.socket.pause()
      connection.socket.off('data', discard).off('end', discard).off('close', discard)
    }
    return { connection, dial, release }
  }

  #expire(at: number): void {
    for (const { connection, dial } of this.#waiting) if (at - dial.end > MAX_AGE_MS) connection.socket.destroy()
    this.#waiting = this.#waiting.filter(({ connection }) => !connection.socket.destroyed)
  }
}
