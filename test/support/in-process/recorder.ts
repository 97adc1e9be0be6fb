/** Records all events that the proxy reports, by session. */
import assert from 'node:assert/strict'
import type { Dial, Lookup, Unused } from '../../../proxy/events/dial.ts'
import type { Observer, Telemetry } from '../../../proxy/events/observer.ts'
import type { SessionEvent, SessionOpen } from '../../../proxy/events/session-event.ts'
import { Changes } from '../waiting/changes.ts'
import { until } from '../waiting/until.ts'

/** How long a test waits for the end of a session, in milliseconds. Arbitrary: long on a busy machine. */
const LIMIT_MS = 15_000

type EventOf<Type extends SessionEvent['type']> = Extract<SessionEvent, { readonly type: Type }>

/** The events of one session. */
export class RecordedSession {
  readonly events: SessionEvent[] = []

  get hasClosed(): boolean {
    return this.all('session-close').length > 0
  }

  all<Type extends SessionEvent['type']>(type: Type): EventOf<Type>[] {
    return this.events.filter((event): event is EventOf<Type> => event.type === type)
  }

  /** The only event of this type. Fails when there is none, or more than one. */
  one<Type extends SessionEvent['type']>(type: Type): EventOf<Type> {
    const found = this.all(type)
    assert.equal(found.length, 1, `one ${type} among: ${this.events.map((event) => event.type).join(' ')}`)
    return found[0]!
  }
}

/** Records all that the proxy reports. */
export class Recorder implements Telemetry {
  /** All sessions, in the order in which they began. */
  readonly sessions: RecordedSession[] = []
  /** Dials that no session waited for. */
  readonly preconnects: Dial[] = []
  /** What else happened at an upstream without a session. Successful lookups are left out. */
  readonly upstreamEvents: (Lookup | Unused)[] = []
  /** Errors that observers, or the dialogue itself, threw. */
  readonly failures: unknown[] = []
  readonly #changes = new Changes()

  open(event: SessionOpen): Observer {
    const session = new RecordedSession()
    this.sessions.push(session)
    const observe = (next: SessionEvent) => {
      session.events.push(next)
      if (next.type === 'session-close') this.#changes.changed()
    }
    observe(event)
    return observe
  }

  dial(event: Dial): void {
    this.preconnects.push(event)
  }

  upstream(event: Lookup | Unused): void {
    if (event.type === 'unused' || event.error) this.upstreamEvents.push(event)
  }

  observerFailed(error: unknown): void {
    this.failures.push(error)
  }

  /** The dials that sessions waited for. */
  get dials(): Dial[] {
    return this.sessions.flatMap((session) => session.all('dial'))
  }

  /** Waits until a connection is ready that the proxy preconnected less than `ms` ago, by its clock. */
  async ready(ms: number): Promise<void> {
    const young = ({ end }: Dial) => performance.timeOrigin + performance.now() - end < ms
    await until('a connection is ready', () => this.#readyDials.some(young))
  }

  /** The dials of connections that no session has, and that were not closed. */
  get #readyDials(): Dial[] {
    const handovers = this.sessions.flatMap((session) => session.all('handover'))
    const unused = this.upstreamEvents.filter((event) => event.type === 'unused')
    const gone = new Set([...handovers, ...unused].map(({ dial }) => dial))
    return this.preconnects.filter((dial) => !dial.error && !gone.has(dial))
  }

  /** Waits until `count` sessions have closed. Returns the session that began last. */
  async closed(count = 1): Promise<RecordedSession> {
    const enough = () => this.sessions.filter((session) => session.hasClosed).length >= count || undefined
    await this.#changes.until(enough, LIMIT_MS, () => `fewer than ${count} sessions closed: ${this.#shown()}`)
    return this.sessions.at(-1)!
  }

  /** Waits until the session with this index, from 0, has closed. `shown` explains a failure. */
  ended(index: number, shown: () => unknown = () => this.#shown()): Promise<RecordedSession> {
    const find = () => this.sessions.slice(index, index + 1).find((session) => session.hasClosed)
    return this.#changes.until(find, LIMIT_MS, () => `the proxy did not close the session\n${shown()}`)
  }

  #shown(): string {
    return JSON.stringify(this.sessions, undefined, 1)
  }
}
