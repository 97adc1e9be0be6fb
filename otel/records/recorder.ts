/**
 * Collects the events of a session into records of finished messages and sessions. Log lines and spans are made from the same
 * records, so that they agree.
 */
import type { SpanContext } from '@opentelemetry/api'
import type { Dial } from '../../proxy/events/dial.ts'
import type { Observer, Telemetry } from '../../proxy/events/observer.ts'
import type { SessionEvent, SessionOpen } from '../../proxy/events/session-event.ts'
import type { TransactionEnd, Unanswered } from '../../proxy/events/transaction.ts'
import { decidesSession, overcomes } from './failure.ts'
import type { Log } from './log.ts'
import type { Exchange, MessageRecord, SessionFacts, SessionRecord } from './records.ts'
import type { SessionTrace, Traces } from './traces.ts'

/** The maximum number of recorded commands, and of recorded recipients, per message. AhaSend accepts 50 recipients. */
const MAX_MESSAGE_EXCHANGES = 128
/** The maximum number of recorded commands outside messages per session. The first ones are kept: they set up the session. */
const MAX_SESSION_EXCHANGES = 32
/** The maximum number of recorded dials per session, more than any list of upstreams needs. */
const MAX_DIALS = 16

/** Takes what is over. `span` is its span, or only its trace if no span was kept. */
export interface RecordReceiver {
  message(record: MessageRecord, span: SpanContext | undefined): void
  session(record: SessionRecord, span: SpanContext | undefined): void
}

/** The outputs of `createRecords`, and what they may contain. */
export interface RecordsOptions {
  readonly log: Log
  /** Take the same records as the log, such as the status page. */
  readonly also?: readonly RecordReceiver[]
  /** Absent if no spans are exported. */
  readonly traces?: Traces | undefined
  /** PROXY_RECORD_ADDRESSES. With `none`, not even the client's IP address is recorded. */
  readonly recordAddresses: 'none' | 'domain' | 'full'
}

/** Turns events into spans and log lines. A span is created before its log line, so that the line can name it. */
export function createRecords(options: RecordsOptions): Telemetry {
  const { log, traces } = options
  return {
    open: (event) => new Recorder(event, options).observe,
    dial(event) {
      log.dial(event)
      traces?.dial(event)
    },
    upstream(event) {
      if (event.type === 'lookup') log.lookup(event)
    },
    observerFailed: (error) => log.telemetryFailed(error),
  }
}

/** A list that keeps its first items and counts the rest. */
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

/** A message that has not ended. */
interface OpenMessage {
  readonly at: number
  readonly sender?: string
  readonly recipients: string[]
  readonly exchanges: Bounded<Exchange>
  /** Its MAIL, if the session ended before the reply. */
  readonly unanswered?: Unanswered
}

/** Collects the events of one session. */
class Recorder {
  readonly #facts: Writable<SessionFacts>
  readonly #log: Log
  readonly #also: readonly RecordReceiver[]
  #trace: SessionTrace | undefined
  readonly #dials: Dial[] = []
  readonly #exchanges = new Bounded<Exchange>(MAX_SESSION_EXCHANGES)
  #refusal: Exchange | undefined
  #message: OpenMessage | undefined

  constructor(open: SessionOpen, { log, also, traces, recordAddresses }: RecordsOptions) {
    this.#facts = {
      open,
      ...(recordAddresses !== 'none' && { clientAddress: open.clientAddress }),
      server: open.serverAddress,
      preconnected: false,
      dials: this.#dials,
      dialCount: 0,
    }
    this.#log = log
    this.#also = also ?? []
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
        return this.#messageBegan(event)
      case 'tx-rcpt':
        return this.#recipientAnswered(event)
      case 'tx-commit':
      case 'tx-rollback':
      case 'tx-reset':
        return this.#messageEnded(event)
      case 'tx-lost':
        return this.#messageLost(event)
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
    this.#facts.preconnected = ahead
  }

  /** Most MAIL and RCPT commands arrive again as `tx-` events, which assign them to their message. */
  #exchanged(exchange: Exchange): void {
    if (this.#refusal && overcomes(exchange, this.#refusal)) this.#refusal = undefined
    if (this.#isRepeated(exchange)) return
    if (this.#message) return this.#message.exchanges.add(exchange)
    if (decidesSession(exchange)) this.#refusal = exchange
    this.#exchanges.add(exchange)
  }

  /** True if a `tx-begin` or `tx-rcpt` event reports the same command. A MAIL that is refused inside a message has none. */
  #isRepeated({ command, reply }: Exchange): boolean {
    const code = reply?.code ?? 0
    const accepted = code >= 200 && code < 300
    if (command === 'MAIL') return accepted || (code >= 400 && !this.#message)
    return command === 'RCPT' && this.#message !== undefined && (accepted || code >= 400)
  }

  #messageBegan({ at, end, reply, sender }: Extract<SessionEvent, { type: 'tx-begin' }>): void {
    const exchanges = new Bounded<Exchange>(MAX_MESSAGE_EXCHANGES)
    if (reply) exchanges.add({ command: 'MAIL', at, end, reply })
    // a body that began without MAIL has no MAIL to record: its begin and end are the same
    const unanswered = !reply && end > at && { unanswered: { command: 'MAIL', at } as const }
    this.#message = { at, recipients: [], exchanges, ...(sender !== undefined && { sender }), ...unanswered }
  }

  #recipientAnswered({ at, end, reply, recipient }: Extract<SessionEvent, { type: 'tx-rcpt' }>): void {
    const message = this.#message
    if (!message) return
    message.exchanges.add({ command: 'RCPT', at, end, reply, ...(recipient !== undefined && { recipient }) })
    if (recipient !== undefined && message.recipients.length < MAX_MESSAGE_EXCHANGES) message.recipients.push(recipient)
  }

  #messageLost(event: Extract<SessionEvent, { type: 'tx-lost' }>): void {
    this.#messageEnded(event, event.stage, event.unanswered)
  }

  #messageEnded(end: TransactionEnd, stage?: MessageRecord['stage'], unanswered = this.#message?.unanswered): void {
    const message = this.#message
    this.#message = undefined
    if (unanswered) message?.exchanges.add({ ...unanswered, end: end.at, ...(end.error && { error: end.error }) })
    const record: MessageRecord = {
      session: this.#facts,
      at: message?.at ?? end.at,
      end,
      ...(stage && { stage }),
      ...(message?.sender !== undefined && { sender: message.sender }),
      recipients: message?.recipients ?? [],
      exchanges: message?.exchanges.items ?? [],
      omitted: message?.exchanges.omitted ?? 0,
    }
    this.#report(
      () => this.#trace?.message(record),
      (span) => {
        this.#log.message(record, span)
        for (const receiver of this.#also) receiver.message(record, span)
      },
    )
  }

  #closed(close: SessionRecord['close']): void {
    const { items, omitted } = this.#exchanges
    const refusal = this.#refusal
    const omittedRefusal = refusal && !items.includes(refusal) ? [refusal] : []
    const record: SessionRecord = {
      session: this.#facts,
      close,
      exchanges: [...items, ...omittedRefusal],
      omitted: omitted - omittedRefusal.length,
      ...(refusal && { refusal }),
    }
    this.#report(
      () => this.#trace?.close(record),
      (span) => {
        this.#log.session(record, span)
        for (const receiver of this.#also) receiver.session(record, span)
      },
    )
  }

  /**
   * Creates the span first, so that the log line can name it. If the span throws, the line is still written. This session then
   * gets no more spans: after a few more exceptions the guard around this observer would silence it, log lines included.
   */
  #report(record: () => SpanContext | undefined, write: (span: SpanContext | undefined) => void): void {
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
