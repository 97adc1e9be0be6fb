import { mock } from 'node:test'

/**
 * The clock by which the proxy in this process tells how long nothing has moved, put forward by the test: no stall of the
 * machine is then taken for silence, and nobody waits for time to pass. Timers run as ever. The test's own
 * `performance.now()` is put forward, too: real time is measured by `Date.now()`.
 */
export class Clock implements Disposable {
  #ahead = 0
  readonly #now: { readonly mock: { restore(): void } }

  constructor() {
    const now = performance.now.bind(performance)
    this.#now = mock.method(performance, 'now', () => now() + this.#ahead)
  }

  passes(milliseconds: number): void {
    this.#ahead += milliseconds
  }

  [Symbol.dispose](): void {
    this.#now.mock.restore()
  }
}
