/** The age up to which a scrape is recent: twice the longest usual interval, which is Prometheus' default of 1m. */
const RECENT_MS = 120_000

/** Records when the metrics were scraped, and waits for the next scrape. */
export class Scrapes {
  #latest = Number.NEGATIVE_INFINITY
  #awaited: PromiseWithResolvers<void> | undefined

  /** A scrape has begun. Call the returned function once its whole page was sent. */
  begun(): () => void {
    // a scrape that began before the wait may show the counts from before the wait
    const awaited = this.#awaited
    return () => {
      this.#latest = performance.now()
      awaited?.resolve()
    }
  }

  /**
   * Resolves when a scrape that begins after this call has its page, or after `limitMs`. Undefined if `limitMs` is not
   * above 0, or if there was no recent scrape, because then probably none will follow.
   */
  next(limitMs: number): Promise<void> | undefined {
    if (limitMs <= 0 || performance.now() - this.#latest > RECENT_MS) return undefined
    this.#awaited = Promise.withResolvers()
    const timer = setTimeout(this.#awaited.resolve, limitMs)
    return this.#awaited.promise.finally(() => clearTimeout(timer))
  }
}
