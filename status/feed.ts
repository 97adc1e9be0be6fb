/** Takes the proxy's events and keeps what the status page shows. */
import { PROBE_CLIENT } from '../otel/names/names.ts'
import type { Dial, Lookup, Unused } from '../proxy/events/dial.ts'
import type { LoopFigures } from '../proxy/events/loop-figures.ts'
import type { Observer, Telemetry } from '../proxy/events/observer.ts'
import type { ReplyFacts } from '../proxy/events/reply.ts'
import type { SessionEvent, SessionOpen } from '../proxy/events/session-event.ts'
import { Minutes } from './minutes.ts'
import { Moments } from './moments.ts'
import type { Upstreams } from './upstreams.ts'

/** Commands whose refusal keeps a client from sending any message. */
const BEFORE_MESSAGES: ReadonlySet<string> = new Set(['CONNECT', 'EHLO', 'HELO', 'STARTTLS', 'AUTH'])

/** Replies that end a session in which nothing happens: normal for pools of connections. */
const USUAL: ReadonlySet<string> = new Set(['idle_timeout', 'shutting_down', 'draining'])

export class Feed implements Telemetry {
  readonly minutes = new Minutes()
  readonly moments = new Moments()
  readonly upstreams: Upstreams
  /** The figures of each event loop, by its number. */
  readonly loops = new Map<number, LoopFigures & { readonly busy: number }>()

  constructor(upstreams: Upstreams) {
    this.upstreams = upstreams
  }

  /** The probe is no app and sends no mail. Only its dials count: they show whether AhaSend can be reached. */
  open(event: SessionOpen): Observer {
    if (event.clientName === PROBE_CLIENT) return (next) => void (next.type === 'dial' && this.upstreams.dialled(next))
    return new SessionFeed(event, this).observe
  }

  dial(event: Dial): void {
    this.upstreams.dialled(event)
  }

  upstream(event: Lookup | Unused): void {
    if (event.type === 'lookup') this.upstreams.lookedUp(event)
  }

  /** Nothing to show: a metric counts it, and an alert names it. */
  observerFailed(): void {}

  /** Takes what an event loop reports about once a second. */
  observeLoop(loop: number, figures: LoopFigures): void {
    const last = this.loops.get(loop)
    const active = figures.active - (last?.active ?? 0)
    const spent = active + figures.idle - (last?.idle ?? 0)
    this.loops.set(loop, { ...figures, busy: spent > 0 ? active / spent : 0 })
  }
}

/** One session. */
class SessionFeed {
  readonly #app: string
  readonly #feed: Feed
  #refused = false
  #messages = 0

  constructor({ clientName, at }: SessionOpen, feed: Feed) {
    this.#app = clientName
    this.#feed = feed
    feed.minutes.of(clientName, at).sessions += 1
  }

  readonly observe: Observer = (event) => {
    switch (event.type) {
      case 'dial':
        return this.#feed.upstreams.dialled(event)
      case 'greeting':
        return this.#replied('CONNECT', event)
      case 'exchange':
        return this.#replied(event.command, event)
      case 'auth':
        return this.#feed.moments.login(this.#app, event.at, event.reply)
      case 'tx-begin':
        this.#messages += 1
        return
      case 'tx-commit':
      case 'tx-rollback':
      case 'tx-reset':
      case 'tx-lost':
        this.#feed.minutes.of(this.#app, event.at).outcomes[event.outcome] += 1
        return this.#feed.moments.message(event.outcome, event.at)
      case 'tls-failed':
        return this.#feed.minutes.of(this.#app, event.at).tlsFailed(event.error)
      case 'session-close':
        return this.#closed(event)
    }
  }

  #replied(command: string, { at, end, reply }: { at: number; end: number; reply: ReplyFacts }): void {
    const counts = this.#feed.minutes.of(this.#app, end)
    counts.replied(reply)
    if (command === 'END-OF-MESSAGE') counts.finalReplies.add(end - at)
    if (reply.cause === 'account_disabled') this.#feed.moments.accountDisabled(end)
    if (USUAL.has(reply.cause)) return
    if (reply.code >= 400 && (BEFORE_MESSAGES.has(command) || reply.code === 421)) this.#refused = true
    else if (reply.code >= 200 && reply.code < 300 && command === 'AUTH') this.#refused = false
  }

  #closed({ at, reason }: Extract<SessionEvent, { type: 'session-close' }>): void {
    const refused = this.#refused || reason === 'dial_failed' || reason === 'session_limit' || reason === 'not_allowed'
    if (!refused || this.#messages > 0) return
    const counts = this.#feed.minutes.of(this.#app, at)
    counts.refusedSessions += 1
    if (reason === 'not_allowed') counts.notAllowed += 1
  }
}
