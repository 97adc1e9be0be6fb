import assert from 'node:assert/strict'
import { createHook } from 'node:async_hooks'

/** What is watched: TCP connections, dialled or accepted, and timers, also those that would not keep the process alive. */
const WATCHED: ReadonlySet<string> = new Set(['TCPWRAP', 'Timeout'])

/** How long things may take to be closed, in milliseconds. */
const LIMIT_MS = 5000

/** Counts the connections and timers of this process that were opened since, and are still open. */
export class OpenResources {
  readonly #open = new Map<number, string>()
  readonly #hook = createHook({
    init: (id, type) => void (WATCHED.has(type) && this.#open.set(id, type)),
    destroy: (id) => void this.#open.delete(id),
  })

  constructor() {
    this.#hook.enable()
  }

  /** Waits until nothing is open any more; fails with what is. */
  async allClosed(what: string): Promise<void> {
    const deadline = performance.now() + LIMIT_MS
    while (this.#open.size > 0 && performance.now() < deadline) await new Promise((turn) => setImmediate(turn))
    assert.deepEqual([...this.#open.values()], [], `left open: ${what}`)
  }

  [Symbol.dispose](): void {
    this.#hook.disable()
  }
}
