import type { Meter } from '@opentelemetry/api'
import type { CommandName } from '../../proxy/events/closed-sets.ts'
import type { Dial } from '../../proxy/events/dial.ts'
import type { ReplyFacts } from '../../proxy/events/reply.ts'
import type { SessionEvent, SessionOpen } from '../../proxy/events/session-event.ts'
import type { TransactionEnd } from '../../proxy/events/transaction.ts'
import { type Cell, cellsOf, histogramOf } from '../instruments/instruments.ts'
import { PROBE_CLIENT } from '../names/names.ts'
import { AppTlsMetrics } from './app-tls.ts'
import type { DialMetrics } from './dials.ts'
import type { PeerCounts, Peers } from './peer-counts.ts'
import type { PeerHistograms } from './peer-histograms.ts'
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
  readonly histograms: (server: string, client: string) => PeerHistograms
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
  #histograms: PeerHistograms
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
    this.#histograms = shared.histograms(open.serverAddress, open.clientName)
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
    this.#histograms = this.#shared.histograms(serverAddress, this.#client)
  }

  #replied(
    command: CommandName,
    event: { readonly at: number; readonly end: number; readonly reply: ReplyFacts },
  ): void {
    this.#counts.reply(command, event.reply).value += 1
    if (command === 'UNSOLICITED' || this.#opaque) return
    this.#histograms.commandDuration(command).record(seconds(event.at, event.end))
  }

  #transactionEnded({ at, outcome, error, recipients, hasBody, size }: TransactionEnd): void {
    this.#counts.transaction(outcome, error).value += 1
    const began = this.#transactionBegan
    this.#transactionBegan = undefined
    if (this.#isProbe) return
    if (began !== undefined) this.#histograms.transactionDuration(outcome).record(seconds(began, at))
    const { accepted, tempfail, permfail } = recipients
    this.#histograms.messageRecipients(outcome).record(accepted + tempfail + permfail)
    if (hasBody) this.#histograms.messageSize(outcome).record(size)
  }

  #sessionClosed(event: Extract<SessionEvent, { type: 'session-close' }>): void {
    if (this.#closed) return
    this.#closed = true
    this.#active.value -= 1
    this.#shared.io.closed(event)
    if (!this.#isProbe) this.#histograms.sessionMessages.record(event.messages)
    this.#histograms.sessionDuration(event.reason).record(seconds(this.#openedAt, event.at))
  }
}

/** A histogram ignores negative values, which a clock that jumps back would cause. */
function seconds(from: number, to: number): number {
  return Math.max(0, to - from) / 1000
}
