/**
 * The clock by which the proxy in this process tells how long nothing has moved, put forward by the test: no stall of the
 * machine is then taken for silence, and nobody waits for time to pass. Timers run as ever. The test's own
 * `performance.now()` is put forward, too: real time is measured by `Date.now()`.
 */
export class Clock implements Disposable {
  #ahead = 0

  constructor() {
    const now = performance.now.bind(performance)
    // not by `mock.method`, which keeps every call with its stack
    performance.now = () => now() + this.#ahead
  }

  passes(milliseconds: number): void {
    this.#ahead += milliseconds
  }

  [Symbol.dispose](): void {
    Reflect.deleteProperty(performance, 'now') // the original is on the prototype
  }
}
