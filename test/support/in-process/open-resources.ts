import assert from 'node:assert/strict'
import { createHook } from 'node:async_hooks'

/** How long things may take to be closed, in milliseconds. */
const LIMIT_MS = 5000

/** Where the code under test is. */
const PROXY = new URL('../../../proxy/', import.meta.url).href

/**
 * Counts what this process has opened since and not closed yet: TCP connections, dialled or accepted, by anybody, and
 * timers that the proxy has set, also those that would not keep the process alive.
 */
export class OpenResources {
  readonly #open = new Map<number, string>()
  readonly #hook = createHook({
    init: (id, type) => {
      if (type === 'TCPWRAP' || (type === 'Timeout' && isProxy())) this.#open.set(id, type)
    },
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

/** True while the proxy's code is on the stack. */
function isProxy(): boolean {
  return new Error().stack?.includes(PROXY) ?? false
}
