/**
 * Gathers the events of a session into records of what is over: a mail, a session. Log lines and spans are both made of
 * these records, so that they agree.
 */
import type { SpanContext } from '@opentelemetry/api'
import type { Dial } from '../../proxy/events/dial.ts'
import type { Observer, Telemetry } from '../../proxy/events/observer.ts'
import type { SessionEvent, SessionOpen } from '../../proxy/events/session-event.ts'
import type { TransactionEnd, Unanswered } from '../../proxy/events/transaction.ts'
import { decidesSession, overcomes } from './failure.ts'
import type { Log } from './log.ts'
import type { Exchange, MailRecord, SessionFacts, SessionRecord } from './records.ts'
import type { SessionTrace, Traces } from './traces.ts'

/** Commands of one mail that are remembered one by one, and recipients. AhaSend takes 50. */
const MAX_MAIL_EXCHANGES = 128
/** Commands of one session outside its mails that are remembered: the first, which set it up. */
const MAX_SESSION_EXCHANGES = 32
/** Dials of one session that are remembered: more than anybody lists upstreams. */
const MAX_DIALS = 16

export interface RecordsOptions {
  readonly log: Log
  /** Absent when no spans are exported. */
  readonly traces?: Traces | undefined
  /** PROXY_RECORD_ADDRESSES: with `none`, not even the client's IP address is told. */
  readonly recordAddresses: 'none' | 'domain' | 'full'
}

/** Turns what happens into spans and log lines. A mail's span comes first, so that its line can name it. */
export function createRecords(options: RecordsOptions): Telemetry {
  const { log, traces } = options
  return {
    open: (event) => new Recorder(event, options).observe,
    dial(event) {
      log.dial(event)
      traces?.dial(event)
    },
    observerFailed: (error) => log.telemetryFailed(error),
  }
}

/** The first items of a list that must not grow without end, and how many there were besides. */
class Bounded<Item> {
  readonly items: Item[] = []
  omitted = 0
  readonly #limit: number

  constructor(limit: number) {
    this.#limit = limit
  }

  add(item: Item): void {
    if (this.items.length < this.#limit) this.items.push(item)
    else this.omitted += 1
  }
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] }

/** A mail that is under way. */
interface OpenMail {
  readonly at: number
  readonly sender?: string
  readonly recipients: string[]
  readonly exchanges: Bounded<Exchange>
  /** Its MAIL, when the session ended before the answer. */
  readonly unanswered?: Unanswered
}

/** Gathers one session. */
class Recorder {
  readonly #facts: Writable<SessionFacts>
  readonly #log: Log
  #trace: SessionTrace | undefined
  readonly #dials: Dial[] = []
  readonly #exchanges = new Bounded<Exchange>(MAX_SESSION_EXCHANGES)
  #refusal: Exchange | undefined
  #mail: OpenMail | undefined

  constructor(open: SessionOpen, { log, traces, recordAddresses }: RecordsOptions) {
    this.#facts = {
      open,
      ...(recordAddresses !== 'none' && { clientAddress: open.clientAddress }),
      server: open.serverAddress,
      dialledAhead: false,
      dials: this.#dials,
      dialCount: 0,
    }
    this.#log = log
    this.#trace = traces?.open(this.#facts)
  }

  readonly observe: Observer = (event) => {
    switch (event.type) {
      case 'dial':
        return this.#dialled(event)
      case 'handover':
        return this.#reached(event.dial, event.preconnected)
      case 'greeting':
        return this.#exchanged({ command: 'CONNECT', at: event.at, end: event.end, reply: event.reply })
      case 'exchange':
        return this.#exchanged(event)
      case 'tx-begin':
        return this.#mailBegan(event)
      case 'tx-rcpt':
        return this.#recipientAnswered(event)
      case 'tx-commit':
      case 'tx-rollback':
      case 'tx-reset':
        return this.#mailEnded(event)
      case 'tx-lost':
        return this.#mailLost(event)
      case 'session-close':
        return this.#closed(event)
      default:
        return this.#learn(event)
    }
  }

  #learn(event: SessionEvent): void {
    if (event.type === 'tls') this.#facts.tls = event
    if (event.type === 'tls-failed') this.#facts.tlsFailure = event
    if (event.type === 'auth') this.#facts.auth = event
    if (event.type === 'capabilities') this.#facts.capabilities = event
    if (event.type === 'session-opaque') this.#facts.opaque = event.reason
    if (event.type === 'early-talk') this.#facts.earlyTalker = true
  }

  #dialled(event: Dial): void {
    this.#facts.dialCount += 1
    if (this.#dials.length < MAX_DIALS) this.#dials.push(event)
    if (!event.error) this.#reached(event, false)
    this.#log.dial(event, this.#facts)
  }

  #reached(dial: Dial, ahead: boolean): void {
    this.#facts.upstream = dial
    this.#facts.server = dial.serverAddress
    this.#facts.dialledAhead = ahead
  }

  /** MAIL and RCPT are told once more where they mean something for a mail; only there they are that mail's. */
  #exchanged(exchange: Exchange): void {
    if (this.#refusal && overcomes(exchange, this.#refusal)) this.#refusal = undefined
    if (this.#isToldAgain(exchange)) return
    if (this.#mail) return this.#mail.exchanges.add(exchange)
    if (decidesSession(exchange)) this.#refusal = exchange
    this.#exchanges.add(exchange)
  }

  /** An answered MAIL begins a mail, unless it was refused inside one; a RCPT inside a mail has a verdict. */
  #isToldAgain({ command, reply }: Exchange): boolean {
    const code = reply?.code ?? 0
    const accepted = code >= 200 && code < 300
    if (command === 'MAIL') return accepted || (code >= 400 && !this.#mail)
    return command === 'RCPT' && this.#mail !== undefined && (accepted || code >= 400)
  }

  #mailBegan({ at, end, reply, sender }: Extract<SessionEvent, { type: 'tx-begin' }>): void {
    const exchanges = new Bounded<Exchange>(MAX_MAIL_EXCHANGES)
    if (reply) exchanges.add({ command: 'MAIL', at, end, reply })
    // where a body began without MAIL, nothing was sent, and it took no time
    const unanswered = !reply && end > at && { unanswered: { command: 'MAIL', at } as const }
    this.#mail = { at, recipients: [], exchanges, ...(sender !== undefined && { sender }), ...unanswered }
  }

  #recipientAnswered({ at, end, reply, recipient }: Extract<SessionEvent, { type: 'tx-rcpt' }>): void {
    const mail = this.#mail
    if (!mail) return
    mail.exchanges.add({ command: 'RCPT', at, end, reply, ...(recipient !== undefined && { recipient }) })
    if (recipient !== undefined && mail.recipients.length < MAX_MAIL_EXCHANGES) mail.recipients.push(recipient)
  }

  #mailLost(event: Extract<SessionEvent, { type: 'tx-lost' }>): void {
    this.#mailEnded(event, event.stage, event.unanswered)
  }

  #mailEnded(end: TransactionEnd, stage?: MailRecord['stage'], unanswered = this.#mail?.unanswered): void {
    const mail = this.#mail
    this.#mail = undefined
    if (unanswered) mail?.exchanges.add({ ...unanswered, end: end.at, ...(end.error && { error: end.error }) })
    const record: MailRecord = {
      session: this.#facts,
      at: mail?.at ?? end.at,
      end,
      ...(stage && { stage }),
      ...(mail?.sender !== undefined && { sender: mail.sender }),
      recipients: mail?.recipients ?? [],
      exchanges: mail?.exchanges.items ?? [],
      omitted: mail?.exchanges.omitted ?? 0,
    }
    this.#tell(
      () => this.#trace?.mail(record),
      (span) => this.#log.mail(record, span),
    )
  }

  #closed(close: SessionRecord['close']): void {
    const { items, omitted } = this.#exchanges
    const refusal = this.#refusal
    const late = refusal && !items.includes(refusal) ? [refusal] : []
    const record: SessionRecord = {
      session: this.#facts,
      close,
      exchanges: [...items, ...late],
      omitted: omitted - late.length,
      ...(refusal && { refusal }),
    }
    this.#tell(
      () => this.#trace?.close(record),
      (span) => this.#log.session(record, span),
    )
  }

  /**
   * The span comes first, so that the line can name it. Where the one throws, the other is still told; and as the guard
   * around this observer silences it after some throws, lines and all, there are no more spans of this session.
   */
  #tell(record: () => SpanContext | undefined, write: (span: SpanContext | undefined) => void): void {
    let span: SpanContext | undefined
    try {
      span = record()
    } catch (error) {
      this.#trace = undefined
      throw error
    } finally {
      write(span)
    }
  }
}
