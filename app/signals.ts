/** The signals that stop or reload this process. */

/**
 * Within this time after the first signal, the same signal is a copy of it: npm forwards each signal to its script, and a
 * terminal or a supervisor sends it to both. The time is long because npm may forward it late, and a copy that counted as
 * a second signal would cut messages.
 */
const COPY_MS = 2000

/** The action for each signal. */
interface SignalActions {
  /** The first SIGTERM or SIGINT. */
  drain(signal: NodeJS.Signals): void
  /** Each later SIGTERM or SIGINT. */
  stop(signal: NodeJS.Signals): void
  /** Each SIGHUP. */
  reload(): void
}

/** Handles signals from now on, in place of the existing handlers. */
export function onSignals({ drain, stop, reload }: SignalActions): void {
  let first: { readonly signal: NodeJS.Signals; readonly at: number } | undefined
  const signalled = (signal: NodeJS.Signals) => {
    const at = performance.now()
    if (first && signal === first.signal && at - first.at < COPY_MS) return
    if (first) return stop(signal)
    first = { signal, at }
    drain(signal)
  }
  replaceHandlers('SIGTERM', signalled)
  replaceHandlers('SIGINT', signalled)
  replaceHandlers('SIGHUP', reload)
}

/** Replaces the handlers of a signal, such as those of app/entry.js. At no time is there no handler. */
function replaceHandlers(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): void {
  const previous = process.listeners(signal)
  process.on(signal, listener)
  for (const each of previous) process.off(signal, each)
}
