/** What the time between the supervisor's SIGTERM and its SIGKILL (PROXY_STOP_GRACE) is spent on, besides the drain. */

/** For the exit: the last spans, metrics and log lines take 4 s at most. */
export const EXIT_MS = 5000

/** Milliseconds that are left before the exit must begin. `began`: when the signal came, by `performance.now()`. */
export function graceLeft(stopGraceMs: number, began: number): number {
  return stopGraceMs - EXIT_MS - (performance.now() - began)
}
