import type {
  AppTlsError,
  CloseReason,
  CommandName,
  OpaqueReason,
  RecipientVerdict,
  ReplyLoss,
  TransactionError,
} from '../../../proxy/events/closed-sets.ts'
import type { Dial } from '../../../proxy/events/dial.ts'
import type { Observer, Telemetry } from '../../../proxy/events/observer.ts'
import type { ReplyFacts } from '../../../proxy/events/reply.ts'
import type { SessionEvent, SessionOpen } from '../../../proxy/events/session-event.ts'
import type { MessageHeaders, TransactionEnd } from '../../../proxy/events/transaction.ts'

/** A reply of the upstream without a particular cause, unless the facts say otherwise. */
export function reply(code: number, facts: Partial<ReplyFacts> = {}): ReplyFacts {
  return { code, cause: 'none', origin: 'upstream', ...facts }
}

/** A dial of 100 ms that succeeded with a full handshake, unless the facts say otherwise. */
export function dial(facts: Partial<Dial> = {}): Dial {
  const at = facts.at ?? 1_000_000
  return {
    type: 'dial',
    at,
    end: at + 100,
    serverAddress: 'send.example',
    serverPort: 587,
    phases: { resolve: 5, connect: 15, greeting: 30, starttls: 50, total: 100 },
    resumed: false,
    ...facts,
  }
}

/**
 * Builds the events that the proxy would report for a session, with a simulated clock: a method that takes time has a
 * parameter in milliseconds. `tell` reports the events to telemetry.
 */
export class SessionStory {
  readonly events: SessionEvent[] = []
  readonly opening: SessionOpen
  #at: number
  #recipients: Record<RecipientVerdict, number> = { accepted: 0, tempfail: 0, permfail: 0 }
  #hasBody = false
  #headers: MessageHeaders | undefined
  #messages = 0

  constructor(opening: Partial<SessionOpen> = {}) {
    this.opening = {
      type: 'session-open',
      at: 1_000_000,
      sessionId: 'session-1',
      clientName: 'billing',
      clientAddress: '192.0.2.7',
      clientPort: 40_000,
      listener: 'smtp://127.0.0.1:2525',
      serverAddress: 'send.example',
      ...opening,
    }
    this.#at = this.opening.at
  }

  wait(ms: number): this {
    this.#at += ms
    return this
  }

  dials(facts: Partial<Dial> = {}): this {
    this.#add(dial({ at: this.#at, end: this.#at + 100, ...facts }))
    return this.wait(100)
  }

  /** The session gets a connection that the proxy preconnected. */
  preconnected(made: Dial): this {
    return this.#add({ type: 'handover', at: this.#at, dial: made, preconnected: true })
  }

  /** The greeting, `ms` after the client connected. */
  greeted(facts: ReplyFacts = reply(220), ms = 120): this {
    this.#at = this.opening.at + ms
    return this.#add({ type: 'greeting', at: this.opening.at, end: this.#at, reply: facts })
  }

  exchange(command: CommandName, facts: ReplyFacts, ms = 10): this {
    const at = this.#at
    this.#at += ms
    return this.#add({ type: 'exchange', at, end: this.#at, command, reply: facts })
  }

  authenticated(mechanism = 'PLAIN', facts = reply(235)): this {
    return this.exchange('AUTH', facts, 20).#add({ type: 'auth', at: this.#at, mechanism, reply: facts })
  }

  mail(facts = reply(250), ms = 10): this {
    const at = this.#at
    if (facts.code < 300) this.#messages += 1
    this.exchange('MAIL', facts, ms)
    return this.#add({ type: 'tx-begin', at, end: this.#at, reply: facts })
  }

  rcpt(facts = reply(250), ms = 10): this {
    const at = this.#at
    const verdict = facts.code < 300 ? 'accepted' : facts.code < 500 ? 'tempfail' : 'permfail'
    this.#recipients[verdict] += 1
    this.exchange('RCPT', facts, ms)
    return this.#add({ type: 'tx-rcpt', at, end: this.#at, verdict, reply: facts })
  }

  data(ms = 10): this {
    this.exchange('DATA', reply(354), ms)
    this.#hasBody = true
    return this.#add({ type: 'tx-data', at: this.#at })
  }

  /** The facts from the header section of the message. */
  headers(headers: MessageHeaders): this {
    this.#headers = headers
    return this
  }

  /** The final reply accepts the message. */
  accepted(size: number, ids: readonly string[] = [], ms = 30): this {
    const facts = reply(250, ids.length > 0 ? { ids } : {})
    this.exchange('END-OF-MESSAGE', facts, ms)
    return this.#add({
      type: 'tx-commit',
      outcome: 'accepted',
      command: 'END-OF-MESSAGE',
      reply: facts,
      ...this.#end(size),
    })
  }

  /** A reply to `command`, which was reported before, refuses the message. */
  refused(command: CommandName, facts: ReplyFacts, size = 0): this {
    const outcome = facts.code < 500 ? 'tempfail' : 'permfail'
    return this.#add({
      type: 'tx-rollback',
      outcome,
      error: `${facts.code}`,
      command,
      reply: facts,
      ...this.#end(size),
    })
  }

  /** The client sends RSET. */
  reset(): this {
    return this.#add({ type: 'tx-reset', outcome: 'aborted', ...this.#end(0) })
  }

  /** The final dot is never answered. */
  inDoubt(error: TransactionError, size: number): this {
    return this.#add({ type: 'tx-lost', stage: 'final-reply', outcome: 'in_doubt', error, ...this.#end(size) })
  }

  /** The client sends bytes before the greeting. */
  talksEarly(): this {
    return this.#add({ type: 'early-talk', at: this.#at })
  }

  opaque(reason: OpaqueReason): this {
    return this.#add({ type: 'session-opaque', at: this.#at, reason })
  }

  loses(loss: ReplyLoss, command: CommandName): this {
    return this.#add({ type: 'reply-lost', at: this.#at, loss, command })
  }

  tls(protocol: string, cipher: string): this {
    return this.#add({ type: 'tls', at: this.#at, protocol, cipher })
  }

  tlsFailed(error: AppTlsError, detail?: string): this {
    return this.#add({ type: 'tls-failed', at: this.#at, error, ...(detail !== undefined && { detail }) })
  }

  closed(reason: CloseReason, transmit = 0, receive = 0, by: 'client' | 'upstream' | 'proxy' = 'client'): this {
    return this.#add({ type: 'session-close', at: this.#at, by, reason, transmit, receive, messages: this.#messages })
  }

  /** The proxy closes the session without a reply. */
  closedSilently(reason: CloseReason, detail?: string): this {
    const end = { by: 'proxy', reason, ...(detail && { detail }), transmit: 0, receive: 0, messages: 0 } as const
    return this.#add({ type: 'session-close', at: this.#at, ...end })
  }

  /** Reports all events so far, and returns the observer for later events. */
  tell(telemetry: Telemetry): Observer {
    const observer = telemetry.open(this.opening)
    for (const event of this.events) observer(event)
    return observer
  }

  #add(event: SessionEvent): this {
    this.events.push(event)
    return this
  }

  #end(size: number): Pick<TransactionEnd, 'at' | 'size' | 'hasBody' | 'recipients' | 'headers'> {
    const headers = this.#headers && { headers: this.#headers }
    const end = { at: this.#at, size, hasBody: this.#hasBody, recipients: this.#recipients, ...headers }
    this.#headers = undefined
    this.#recipients = { accepted: 0, tempfail: 0, permfail: 0 }
    this.#hasBody = false
    return end
  }
}

/** A session with one accepted message of `size` bytes to one recipient. */
export function oneMail(opening: Partial<SessionOpen> = {}, size = 2000): SessionStory {
  return new SessionStory(opening)
    .dials()
    .greeted()
    .exchange('EHLO', reply(250))
    .authenticated()
    .mail()
    .rcpt()
    .data()
    .accepted(size)
    .exchange('QUIT', reply(221))
    .closed('quit', 2300, 700)
}
