import { setTimeout } from 'node:timers/promises'

/**
 * At most 1/50 of the time goes into the work, because it may run on the event loop that relays mail: a client that asks
 * without pause must not slow mail. If a page takes 2 ms, ten pages per second are still possible.
 */
const SHARE = 50
/** The longest pause before the work starts again. */
const MAX_PAUSE_MS = 1000

/** A clock, in milliseconds. Tests bring their own. */
export interface Clock {
  now(): number
  wait(milliseconds: number): Promise<unknown>
}

const CLOCK: Clock = { now: () => performance.now(), wait: (milliseconds) => setTimeout(milliseconds) }

/**
 * Limits the share of time that `make` takes. Callers that arrive during a run get its result. Callers that arrive during
 * the pause after a run share the result of the next run. Rejects if `make` rejects.
 */
export function throttle<Result>(make: () => Promise<Result>, clock: Clock = CLOCK): () => Promise<Result> {
  let running: Promise<Result> | undefined
  let notBefore = Number.NEGATIVE_INFINITY
  const next = async () => {
    const pause = notBefore - clock.now()
    if (pause > 0) await clock.wait(pause)
    const start = clock.now()
    try {
      return await make()
    } finally {
      const end = clock.now()
      notBefore = end + Math.min((SHARE - 1) * (end - start), MAX_PAUSE_MS)
      running = undefined
    }
  }
  return () => {
    running ??= next()
    return running
  }
}
