import { setTimeout } from 'node:timers/promises'

/**
 * Of all time, at most one part in so many is spent on the work: the loop that does it may be the one that relays mail,
 * and a client that asks without pause must not slow it. With a page of 2 ms, somebody may still ask ten times a second.
 */
const SHARE = 50
/** Nobody waits longer than this for the work to be begun. */
const LONGEST_REST_MS = 1000

/** Tells and passes time, in milliseconds; tests bring their own. */
export interface Clock {
  now(): number
  wait(milliseconds: number): Promise<unknown>
}

const CLOCK: Clock = { now: () => performance.now(), wait: (milliseconds) => setTimeout(milliseconds) }

/**
 * Does the work of `make` for whoever calls, but not all the time. Callers that come while it is done get its result;
 * those that come soon after wait together for the next. Rejects as `make` does.
 */
export function resting<Result>(make: () => Promise<Result>, clock: Clock = CLOCK): () => Promise<Result> {
  let running: Promise<Result> | undefined
  let notBefore = Number.NEGATIVE_INFINITY
  const next = async () => {
    const rest = notBefore - clock.now()
    if (rest > 0) await clock.wait(rest)
    const begun = clock.now()
    try {
      return await make()
    } finally {
      const end = clock.now()
      notBefore = end + Math.min((SHARE - 1) * (end - begun), LONGEST_REST_MS)
      running = undefined
    }
  }
  return () => {
    running ??= next()
    return running
  }
}
