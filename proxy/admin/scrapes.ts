/** How old the latest scrape may be. Twice the longest usual interval, which is Prometheus' default of 1m. */
const RECENT_MS = 120_000

/** Knows when the metrics were scraped, and waits for the next time. */
export class Scrapes {
  #latest = Number.NEGATIVE_INFINITY
  #awaited: PromiseWithResolvers<void> | undefined

  /** A scrape arrived. Call the result once its whole page was sent. */
  begun(): () => void {
    // one that was under way when the wait began shows what was counted before
    const awaited = this.#awaited
    return () => {
      this.#latest = performance.now()
      awaited?.resolve()
    }
  }

  /**
   * Resolves when a scrape that arrives after this call was answered, or after `limitMs`. Undefined when no one has scraped
   * lately, so that no wait is in vain, or when there is no time.
   */
  next(limitMs: number): Promise<void> | undefined {
    if (limitMs <= 0 || performance.now() - this.#latest > RECENT_MS) return undefined
    this.#awaited = Promise.withResolvers()
    const timer = setTimeout(this.#awaited.resolve, limitMs)
    return this.#awaited.promise.finally(() => clearTimeout(timer))
  }
}
