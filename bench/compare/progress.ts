/** Progress with the time left, on standard error. */

export interface Progress {
  /** Names what runs now. Prints at most one line every two seconds. */
  now(what: string): void
  /** Adds expected seconds that are done. */
  done(expectedSeconds: number): void
}

const EVERY_MS = 2000

/** `total` is the expected number of seconds. The time left follows the actual pace. */
export function startProgress(
  total: number,
  print: (line: string) => void = console.error,
  clock = () => performance.now(),
): Progress {
  const began = clock()
  let [finished, printed] = [0, Number.NEGATIVE_INFINITY]
  const left = () => {
    const elapsed = (clock() - began) / 1000
    // the first measurements say little about the pace, so a tenth of the expected time counts as measured
    const pace = (elapsed + total / 10) / (finished + total / 10)
    return Math.max(0, total - finished) * pace
  }
  return {
    now: (what) => {
      if (clock() - printed < EVERY_MS) return
      printed = clock()
      print(`${Math.min(99, Math.floor((finished / total) * 100))}%, ${duration(left())} left: ${what}`)
    },
    done: (expected) => {
      finished += expected
    },
  }
}

/** `45 s` or `12 min`. */
export function duration(seconds: number): string {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.round(seconds / 60)} min`
}
