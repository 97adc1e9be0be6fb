/** The signals that stop or reload this process. */

/**
 * The same signal again within this time after the first is the same wish: npm passes each signal on to its script, and
 * a terminal or a supervisor sends it to both. Long, because npm may be slow to pass it on, and a copy that counts as a
 * second signal cuts messages.
 */
const ECHO_MS = 2000

/** What each signal does. */
export interface SignalActions {
  /** The first SIGTERM or SIGINT. */
  drain(signal: NodeJS.Signals): void
  /** Each SIGTERM or SIGINT after it. */
  stop(signal: NodeJS.Signals): void
  /** Each SIGHUP. */
  reload(): void
}

/** Listens to signals from now on, in place of whatever listened before. */
export function onSignals({ drain, stop, reload }: SignalActions): void {
  let first: { readonly signal: NodeJS.Signals; readonly at: number } | undefined
  const signalled = (signal: NodeJS.Signals) => {
    const at = performance.now()
    if (first && signal === first.signal && at - first.at < ECHO_MS) return
    if (first) return stop(signal)
    first = { signal, at }
    drain(signal)
  }
  takeOver('SIGTERM', signalled)
  takeOver('SIGINT', signalled)
  takeOver('SIGHUP', reload)
}

/** Replaces the listeners of a signal, such as those of app/entry.js, without a moment in which there is none. */
function takeOver(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): void {
  const early = process.listeners(signal)
  process.on(signal, listener)
  for (const one of early) process.off(signal, one)
}
