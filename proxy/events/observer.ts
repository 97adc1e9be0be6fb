/** The receivers of events, and the protection against observers that throw. */
import type { Dial, Lookup, Unused } from './dial.ts'
import type { SessionEvent, SessionOpen } from './session-event.ts'

/** Receives the events of one session, in order. It cannot answer, change or stop anything. */
export type Observer = (event: SessionEvent) => void

/** Receives everything that the proxy reports. */
export interface Telemetry {
  /** Called once per session, before its other events. Returns the observer of the session. */
  open(event: SessionOpen): Observer
  /** A dial without a session: a connection was preconnected. */
  dial(event: Dial): void
  /** Something else happened at an upstream, without a session. */
  upstream?(event: Lookup | Unused): void
  /** An observer threw. After several throws it gets no further events of its session. */
  observerFailed(error: unknown): void
}

/**
 * How many throws silence an observer for the rest of its session. Arbitrary: one throw may be an accident, three are a
 * bug.
 */
const SILENCE_AFTER = 3

/**
 * Wraps an observer so that it cannot harm the session: a throw is reported, and after several throws the observer is
 * silenced for the session.
 */
export function guard(observer: Observer, failed: (error: unknown) => void): Observer {
  const guarded = new Guarded(observer)
  return (event) => guarded.observe(event, failed)
}

/** An observer, and how often it threw. A class, because each session has several: it needs less memory than a closure. */
class Guarded {
  readonly #observer: Observer
  #failures = 0

  constructor(observer: Observer) {
    this.#observer = observer
  }

  observe(event: SessionEvent, failed: (error: unknown) => void): void {
    if (this.#failures >= SILENCE_AFTER) return
    const observer = this.#observer
    try {
      observer(event)
    } catch (error) {
      this.#failures += 1
      failed(error)
    }
  }
}

/** Combines several receivers. Each is guarded, so that one that throws does not hide the session from the others. */
export function combine(...parts: readonly Telemetry[]): Telemetry {
  const failed = (error: unknown) => {
    for (const part of parts) {
      try {
        part.observerFailed(error)
      } catch {
        // the other parts get the first failure; a second one inside the report is not reported
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
  const ignore: Observer = () => {}
  return {
    open(event) {
      const observers = parts.map((part) => new Guarded(attempt(() => part.open(event), ignore)))
      return (next) => {
        for (const observer of observers) observer.observe(next, failed)
      }
    },
    dial(event) {
      for (const part of parts) attempt(() => part.dial(event), undefined)
    },
    upstream(event) {
      for (const part of parts) attempt(() => part.upstream?.(event), undefined)
    },
    observerFailed: failed,
  }
}
