/** Lets a test wait for something that events bring about, without polling. Call `changed` after each event. */
export class Changes {
  readonly #checks = new Set<() => void>()

  /** Checks again whatever is waited for. */
  changed(): void {
    for (const check of [...this.#checks]) check()
  }

  /**
   * Resolves with the first value of `find` that is not undefined, now or after a change. Rejects when `find` throws,
   * and with the text of `failure` after `limitMs` milliseconds.
   */
  until<Value>(find: () => Value | undefined, limitMs: number, failure: () => string): Promise<Value> {
    return new Promise((resolve, reject) => {
      const settle = (settled: () => void) => {
        clearTimeout(timer)
        this.#checks.delete(check)
        settled()
      }
      const check = () => {
        try {
          const found = find()
          if (found !== undefined) settle(() => resolve(found))
        } catch (error) {
          settle(() => reject(error))
        }
      }
      const timer = setTimeout(() => settle(() => reject(new Error(failure()))), limitMs)
      this.#checks.add(check)
      check()
    })
  }
}
