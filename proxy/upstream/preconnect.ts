import type { Dial } from '../events/dial.ts'
import type { DialledUpstream, DialResult } from './dialer.ts'

/**
 * Connections dialled ahead of need. A session that finds one waiting pays no round trip for resolving, connecting,
 * greeting, STARTTLS and TLS. A connection that was given to a client is never given to another: this is dialling early,
 * not pooling.
 */

/** AhaSend closes a silent connection after 60 s; the client that gets this one must have most of that left. */
const MAX_AGE_MS = 20_000
/** The recent past that says how many sessions to expect. */
const WINDOW_MS = 10_000
/** Below this many sessions in the window a waiting connection would mostly wait in vain. */
const MIN_ARRIVALS = 5
/** How long no connection is preconnected after the end of a failed dial; sessions dial for themselves. */
const PAUSE_MS = 30_000

/** The part of `max` connections that event loop number `index`, from 0, of `loops` may hold. The parts add up to `max`. */
export function shareOf(max: number, index: number, loops: number): number {
  return Math.floor((max + index) / loops)
}

/** A connection that was dialled ahead, and how. */
export interface Preconnected {
  readonly connection: DialledUpstream
  readonly dial: Dial
}

interface Waiting extends Preconnected {
  /** Stops watching the waiting connection. */
  readonly release: () => void
}

export class Preconnections {
  readonly #max: number
  readonly #dial: () => Promise<DialResult>
  #waiting: Waiting[] = []
  #arrivals: number[] = []
  #dialling = 0
  #dialMs = 0
  #pausedUntil = 0
  #closed = false

  /** Keeps at most `max` connections; 0 turns it off. `dial` makes one, and has reported it. */
  constructor(max: number, dial: () => Promise<DialResult>) {
    this.#max = max
    this.#dial = dial
  }

  /** Connections that wait. */
  get size(): number {
    return this.#waiting.length
  }

  /** A session wants a connection: the freshest, or undefined. Dials the next ones for those who come after. `at` in ms. */
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

  /** Called every second or so. */
  tick(at: number): void {
    if (this.#max === 0) return
    this.#expire(at)
    this.#refill(at)
  }

  /** Closes what waits. */
  close(): void {
    this.#closed = true
    for (const { connection } of this.#waiting) connection.socket.destroy()
    this.#waiting = []
  }

  /** Enough for those who arrive while one dial lasts, twice over for bursts. */
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
    } else this.#waiting.push(this.#watch(connection, dial))
  }

  /** A waiting connection on which anything happens (a 421, a close) is no good any more. */
  #watch(connection: DialledUpstream, dial: Dial): Waiting {
    const spoilt = () => {
      this.#waiting = this.#waiting.filter((waiting) => waiting.connection !== connection)
      connection.socket.destroy()
    }
    connection.socket.on('data', spoilt).on('end', spoilt).on('close', spoilt)
    connection.socket.resume()
    const release = () => {
      connection.socket.pause()
      connection.socket.off('data', spoilt).off('end', spoilt).off('close', spoilt)
    }
    return { connection, dial, release }
  }

  #expire(at: number): void {
    for (const { connection, dial } of this.#waiting) if (at - dial.end > MAX_AGE_MS) connection.socket.destroy()
    this.#waiting = this.#waiting.filter(({ connection }) => !connection.socket.destroyed)
  }
}
