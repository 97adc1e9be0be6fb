import { now } from '../upstream/dialer.ts'

/** A tick after this number of intervals is late: the process was stopped, or its event loop was blocked. */
const LATE_INTERVALS = 3
/** After this number of late ticks in a row, one counts as on time: limits also hold in an overloaded process. Arbitrary. */
const MAX_LATE_TICKS = 10

/**
 * Calls `tick` at regular intervals. A tick after a pause is marked as late: timers run before sockets are read, so
 * what arrived during the pause still waits in the kernel, and no session may be judged by the time that passed.
 */
export class Ticker {
  readonly #intervalMs: number
  readonly #timer: NodeJS.Timeout
  #tickedAt = now()
  #lateTicks = 0

  /** `at` is in milliseconds, by `now`. */
  constructor(intervalMs: number, tick: (at: number, late: boolean) => void) {
    this.#intervalMs = intervalMs
    this.#timer = setInterval(() => {
      const at = now()
      tick(at, this.#isLate(at))
    }, intervalMs)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #isLate(at: number): boolean {
    const late = at - this.#tickedAt > LATE_INTERVALS * this.#intervalMs && this.#lateTicks < MAX_LATE_TICKS
    this.#tickedAt = at
    this.#lateTicks = late ? this.#lateTicks + 1 : 0
    return late
  }
}
