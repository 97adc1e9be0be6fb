/**
 * Lets a test advance the clock by which the proxy in this process measures idle time. So a stall of the machine does
 * not count as idle time, and no test waits for time to pass. Timers are not affected. The test's own
 * `performance.now()` advances, too: measure real time with `Date.now()`.
 */
export class Clock implements Disposable {
  #ahead = 0

  constructor() {
    const now = performance.now.bind(performance)
    // not by `mock.method`, which keeps every call with its stack
    performance.now = () => now() + this.#ahead
  }

  /** Advances the clock. */
  passes(milliseconds: number): void {
    this.#ahead += milliseconds
  }

  [Symbol.dispose](): void {
    Reflect.deleteProperty(performance, 'now') // the original is on the prototype
  }
}
