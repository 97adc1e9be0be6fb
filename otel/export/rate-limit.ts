/** The maximum number of lines per reason and window. Arbitrary: enough to see a pattern, few enough to read. */
const LINES = 10
const WINDOW_MS = 1000

/** Limits how often something is reported for the same reason. */
export interface RateLimit {
  /** Whether one more line for this reason may be written now. Reasons must come from closed sets. */
  allows(reason: string): boolean
  /** Reports the suppressed lines of all open windows now. Call it before the process ends. */
  flush(): void
}

/**
 * Allows ten lines per reason in the second after the first one. After that second, calls `report` with the number of
 * suppressed lines, if any, so that only details are lost.
 */
export function createRateLimit(report: (reason: string, suppressed: number) => void): RateLimit {
  const seen = new Map<string, number>()
  const close = (reason: string) => {
    const suppressed = (seen.get(reason) ?? 0) - LINES
    seen.delete(reason)
    if (suppressed > 0) report(reason, suppressed)
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
