/** Lines of one reason that are told in one window. Arbitrary: enough to see a pattern, few enough to read. */
const LINES = 10
const WINDOW_MS = 1000

/** Says which of many equal lines are worth telling. */
export interface RateLimit {
  /** True when one more line for this reason may be told now. Reasons come from closed sets. */
  allows(reason: string): boolean
  /** Tells at once what was suppressed so far: nobody hears it later when the process ends. */
  flush(): void
}

/**
 * Lets ten lines of a reason pass in the second after the first of them. When that second is over, `tell` hears how
 * many were suppressed, if any were: so that nothing is lost but the detail.
 */
export function createRateLimit(tell: (reason: string, suppressed: number) => void): RateLimit {
  const seen = new Map<string, number>()
  const close = (reason: string) => {
    const suppressed = (seen.get(reason) ?? 0) - LINES
    seen.delete(reason)
    if (suppressed > 0) tell(reason, suppressed)
  }
  return {
    allows(reason) {
      const count = (seen.get(reason) ?? 0) + 1
      seen.set(reason, count)
      if (count === 1) setTimeout(close, WINDOW_MS, reason).unref()
      return count <= LINES
    },
    flush() {
      for (const reason of [...seen.keys()]) close(reason)
    },
  }
}
