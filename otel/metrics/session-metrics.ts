import type { Meter } from '@opentelemetry/api'
import type { CommandName } from '../../proxy/events/closed-sets.ts'
import type { Dial } from '../../proxy/events/dial.ts'
import type { ReplyFacts } from '../../proxy/events/reply.ts'
import type { SessionEvent, SessionOpen } from '../../proxy/events/session-event.ts'
import type { TransactionEnd } from '../../proxy/events/transaction.ts'
import { PROBE_CLIENT } from '../names/names.ts'
import { AppTlsMetrics } from './app-tls.ts'
import type { DialMetrics } from './dials.ts'
import { type Cell, cellsOf, histogramOf } from './instruments.ts'
import type { PeerCounts, Peers } from './peer-counts.ts'
import type { RelayedBytes } from './relayed-bytes.ts'

/** The instruments that sessions record to. */
export type SessionInstruments = ReturnType<typeof createSessionInstruments>

/** Creates the instruments. `limit`: the limit of series that depends on the configuration. */
export function createSessionInstruments(meter: Meter, limit: number) {
  return {
    replies: cellsOf(meter, 'replies', limit),
    repliesLost: cellsOf(meter, 'repliesLost'),
    transactions: cellsOf(meter, 'transactions', limit),
    recipients: cellsOf(meter, 'recipients', limit),
    sessionActive: cellsOf(meter, 'sessionActive'),
    sessionOpaque: cellsOf(meter, 'sessionOpaque'),
    appTls: new AppTlsMetrics(meter, limit),
    commandDuration: histogramOf(meter, 'commandDuration'),
    transactionDuration: histogramOf(meter, 'transactionDuration'),
    messageSize: histogramOf(meter, 'messageSize'),
    messageRecipients: histogramOf(meter, 'messageRecipients'),
    sessionDuration: histogramOf(meter, 'sessionDuration'),
    sessionMessages: histogramOf(meter, 'sessionMessages'),
  }
}

/** What all sessions share. */
export interface Shared {
  readonly instruments: SessionInstruments
  readonly peers: Peers
  readonly io: RelayedBytes
  readonly dials: DialMetrics
}

/** Counts the events of one session. */
export class SessionMetrics {
  readonly #shared: Shared
  readonly #instruments: SessionInstruments
  readonly #client: string
  /** The probe sends no message. Histograms about messages without a label for the app must not contain it. */
  readonly #isProbe: boolean
  readonly #openedAt: number
  readonly #active: Cell
  readonly #appTls: (event: SessionEvent) => void
  #counts: PeerCounts
  #transactionBegan: number | undefined
  #opaque = false
  #closed = false

  constructor(open: SessionOpen, shared: Shared) {
    this.#shared = shared
    this.#instruments = shared.instruments
    this.#client = open.clientName
    this.#isProbe = open.clientName === PROBE_CLIENT
    this.#openedAt = open.at
    this.#counts = shared.peers.of(open.serverAddress, open.clientName)
    this.#active = shared.instruments.sessionActive.at({ 'smtp.client.name': open.clientName })
    this.#active.value += 1
    this.#appTls = shared.instruments.appTls.open(open)
  }

  /** Counts replies at `greeting` and `exchange` events only: `auth` and the `tx-` events repeat them. */
  observe(event: SessionEvent): void {
    this.#appTls(event)
    switch (event.type) {
      case 'dial':
        return this.#dialled(event)
      case 'handover': // its dial is already counted
        this.#shared.dials.handedOver(event)
        return this.#reached(event.dial)
      case 'greeting':
        return this.#replied('CONNECT', event)
      case 'exchange':
        return this.#replied(event.command, event)
      case 'tx-begin':
        this.#transactionBegan = event.at
        return
      case 'tx-rcpt':
        this.#counts.recipients[event.verdict].value += 1
        return
      case 'tx-commit':
      case 'tx-rollback':
      case 'tx-reset':
      case 'tx-lost':
        return this.#transactionEnded(event)
      case 'reply-lost':
        this.#instruments.repliesLost.at({ 'smtp.reply.loss': event.loss }).value += 1
        return
      case 'session-opaque':
        this.#opaque = true
        this.#instruments.sessionOpaque.at({ 'smtp.opaque.reason': event.reason }).value += 1
        return
      case 'session-close':
        return this.#sessionClosed(event)
    }
  }

  #dialled(event: Dial): void {
    this.#shared.dials.dialled(event)
    if (!event.error) this.#reached(event)
  }

  /** From now on the session counts for this upstream. */
  #reached({ serverAddress }: Dial): void {
    this.#counts = this.#shared.peers.of(serverAddress, this.#client)
  }

  #replied(
    command: CommandName,
    event: { readonly at: number; readonly end: number; readonly reply: ReplyFacts },
  ): void {
    this.#counts.reply(command, event.reply).value += 1
    if (command === 'UNSOLICITED' || this.#opaque) return
    this.#instruments.commandDuration.record(seconds(event.at, event.end), {
      'smtp.command': command,
      'server.address': this.#counts.server,
    })
  }

  #transactionEnded(end: TransactionEnd): void {
    const outcome = { 'smtp.transaction.outcome': end.outcome }
    this.#counts.transaction(end.outcome, end.error).value += 1
    const began = this.#transactionBegan
    this.#transactionBegan = undefined
    if (this.#isProbe) return
    if (began !== undefined) {
      const server = { 'server.address': this.#counts.server }
      this.#instruments.transactionDuration.record(seconds(began, end.at), { ...outcome, ...server })
    }
    const { accepted, tempfail, permfail } = end.recipients
    this.#instruments.messageRecipients.record(accepted + tempfail + permfail, outcome)
    if (end.hasBody) this.#instruments.messageSize.record(end.size, { ...outcome, 'smtp.client.name': this.#client })
  }

  #sessionClosed(event: Extract<SessionEvent, { type: 'session-close' }>): void {
    if (this.#closed) return
    this.#closed = true
    this.#active.value -= 1
    this.#shared.io.closed(event)
    const server = { 'server.address': this.#counts.server }
    if (!this.#isProbe) this.#instruments.sessionMessages.record(event.messages, server)
    this.#instruments.sessionDuration.record(seconds(this.#openedAt, event.at), {
      'smtp.session.close_reason': event.reason,
      ...server,
      'smtp.client.name': this.#client,
    })
  }
}

/** A histogram rejects negative values, which a clock that jumps back would cause. */
function seconds(from: number, to: number): number {
  return Math.max(0, to - from) / 1000
}
