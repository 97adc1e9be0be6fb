import { createHook } from 'node:async_hooks'
import { until } from '../waiting/until.ts'

/** How long resources may take to close, in milliseconds. */
const LIMIT_MS = 5000

/** The directory of the code under test. */
const PROXY = new URL('../../../proxy/', import.meta.url).href

/**
 * Counts what this process has opened and not closed since this object was created: all TCP connections, dialled or
 * accepted, and all timers of the proxy, including those that do not keep the process alive.
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

  /** Waits until nothing is open. Fails with a list of what is still open. */
  async allClosed(what: string): Promise<void> {
    const left = () => `still open: ${[...this.#open.values()].join(', ')} (${what})`
    await until(left, () => this.#open.size === 0, { limitMs: LIMIT_MS, everyMs: 1 })
  }

  [Symbol.dispose](): void {
    this.#hook.disable()
  }
}

/** True while the proxy's code is on the stack. */
function isProxy(): boolean {
  return new Error().stack?.includes(PROXY) ?? false
}
