/** Who takes the events, and how an observer that throws is kept from doing harm. */
import type { Dial } from './dial.ts'
import type { SessionEvent, SessionOpen } from './session-event.ts'

/** Takes the events of one session, in order. It cannot answer, alter or stop anything. */
export type Observer = (event: SessionEvent) => void

/** Everything that listens to the proxy. */
export interface Telemetry {
  /** Called once a session, before its other events. Returns the observer of that session. */
  open(event: SessionOpen): Observer
  /** A dial that no session was waiting for (a connection dialled ahead). */
  dial(event: Dial): void
  /** An observer threw; it is silenced for its session after some throws. */
  observerFailed(error: unknown): void
}

/** How many throws silence an observer for the rest of its session. Arbitrary: enough to tell a bug from bad luck. */
const SILENCE_AFTER = 3

/**
 * Wraps an observer so that it cannot hurt: a throw is reported, and after some throws the observer is silenced for
 * the session.
 */
export function guard(observer: Observer, failed: (error: unknown) => void): Observer {
  let failures = 0
  return (event) => {
    if (failures >= SILENCE_AFTER) return
    try {
      observer(event)
    } catch (error) {
      failures += 1
      failed(error)
    }
  }
}

/** One telemetry made of several: each is guarded, so that one that throws does not hide the session from the rest. */
export function combine(...parts: readonly Telemetry[]): Telemetry {
  const failed = (error: unknown) => {
    for (const part of parts) {
      try {
        part.observerFailed(error)
      } catch {
        // the others hear of the first failure; of this one nobody is left to be told
      }
    }
  }
  const attempt = <T>(run: () => T, otherwise: T): T => {
    try {
      return run()
    } catch (error) {
      failed(error)
      return otherwise
    }
  }
  const nobody: Observer = () => {}
  return {
    open(event) {
      const observers = parts.map((part) =>
        guard(
          attempt(() => part.open(event), nobody),
          failed,
        ),
      )
      return (next) => {
        for (const observer of observers) observer(next)
      }
    },
    dial(event) {
      for (const part of parts) attempt(() => part.dial(event), undefined)
    },
    observerFailed: failed,
  }
}
