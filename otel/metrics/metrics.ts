import type { Meter, MeterProvider } from '@opentelemetry/api'
import type { CommandName, RefusedCut } from '../../proxy/events/closed-sets.ts'
import type { Dial } from '../../proxy/events/dial.ts'
import type { Telemetry } from '../../proxy/events/observer.ts'
import type { ReplyFacts } from '../../proxy/events/reply.ts'
import type { SessionEvent, SessionOpen } from '../../proxy/events/session-event.ts'
import type { TransactionEnd } from '../../proxy/events/transaction.ts'
import { dialErrors, dialPhases, opaqueReasons, replyLosses, scope } from '../names/names.ts'
import { AppTlsMetrics } from './app-tls.ts'
import { CertificateDates } from './certificate-dates.ts'
import { createLoopMetrics, type ObserveLoop } from './event-loop.ts'
import { type Cell, type Configured, cellsOf, histogramOf, observable, seriesLimit } from './instruments.ts'
import { type PeerCounts, Peers } from './peer-counts.ts'

/** Application octets each way. */
export interface Bytes {
  readonly transmit: number
  readonly receive: number
}

/** How many refused connections the proxy closed before their clients did. They are counted without an event each. */
type Cuts = Readonly<Record<RefusedCut, number>>

/** The metrics of the proxy, and what they cannot know from events. */
export interface Metrics extends Telemetry {
  /**
   * Names the reader of the bytes of sessions that are open, called at each scrape, so that long sessions count before
   * they close. A session must leave its sum in the turn of its session-close event. The last call wins.
   */
  observeLiveBytes(read: () => Bytes): void
  /** Names the reader of the number of refused connections that were cut, called at each scrape. The last call wins. */
  observeRefusedCuts(read: () => Cuts): void
  /** When the listeners' certificate ends, in seconds since the Unix epoch; undefined when there is none. */
  setListenerCertificate(notAfter: number | undefined): void
  readonly observeLoop: ObserveLoop
}

/** Turns what happens into the metrics of the table. Series that alerts wait for exist from the start, at 0. */
export function createMetrics(provider: MeterProvider, options: Configured): Metrics {
  const instruments = createInstruments(provider.getMeter(scope.name, scope.version), seriesLimit(options))
  const io = new RelayedBytes(instruments.meter)
  const certificates = new CertificateDates(instruments.meter)
  const peers = new Peers(instruments)
  let cuts = (): Cuts => ({ time: 0, bytes: 0, limit: 0 })
  observable(instruments.meter, 'refusedCut').addCallback((result) => {
    for (const [cut, count] of Object.entries(cuts())) result.observe(count, { 'smtp.refused.cut': cut })
  })
  const dial = (event: Dial) => {
    countDial(instruments, event)
    certificates.seen(event)
  }
  startAtZero(instruments, peers, options)
  return {
    open(event) {
      const session = new SessionMetrics(event, { instruments, peers, io, dial })
      return (next) => session.observe(next)
    },
    dial,
    observerFailed() {
      instruments.observerFailures.at({}).value += 1
    },
    observeLiveBytes: (read) => io.observeLive(read),
    observeRefusedCuts(read) {
      cuts = read
    },
    setListenerCertificate: (notAfter) => certificates.setListener(notAfter),
    observeLoop: createLoopMetrics(instruments.meter),
  }
}

type Instruments = ReturnType<typeof createInstruments>

function createInstruments(meter: Meter, limit: number) {
  return {
    meter,
    replies: cellsOf(meter, 'replies', limit),
    repliesLost: cellsOf(meter, 'repliesLost'),
    transactions: cellsOf(meter, 'transactions', limit),
    recipients: cellsOf(meter, 'recipients', limit),
    sessionActive: cellsOf(meter, 'sessionActive'),
    sessionOpaque: cellsOf(meter, 'sessionOpaque'),
    appTls: new AppTlsMetrics(meter, limit),
    dials: cellsOf(meter, 'dials'),
    observerFailures: cellsOf(meter, 'observerFailures'),
    commandDuration: histogramOf(meter, 'commandDuration'),
    transactionDuration: histogramOf(meter, 'transactionDuration'),
    messageSize: histogramOf(meter, 'messageSize'),
    messageRecipients: histogramOf(meter, 'messageRecipients'),
    sessionDuration: histogramOf(meter, 'sessionDuration'),
    sessionMessages: histogramOf(meter, 'sessionMessages'),
    dialDuration: histogramOf(meter, 'dialDuration'),
  }
}

/** What all sessions count into. */
interface Sinks {
  readonly instruments: Instruments
  readonly peers: Peers
  readonly io: RelayedBytes
  readonly dial: (event: Dial) => void
}

/** Counts the events of one session. */
class SessionMetrics {
  readonly #sinks: Sinks
  readonly #instruments: Instruments
  readonly #client: string
  readonly #openedAt: number
  readonly #active: Cell
  readonly #appTls: (event: SessionEvent) => void
  #counts: PeerCounts
  #transactionBegan: number | undefined
  #opaque = false
  #closed = false

  constructor(open: SessionOpen, sinks: Sinks) {
    this.#sinks = sinks
    this.#instruments = sinks.instruments
    this.#client = open.clientName
    this.#openedAt = open.at
    this.#counts = sinks.peers.of(open.serverAddress, open.clientName)
    this.#active = sinks.instruments.sessionActive.at({ 'smtp.client.name': open.clientName })
    this.#active.value += 1
    this.#appTls = sinks.instruments.appTls.open(open)
  }

  /** Replies are counted where they were answered; the events that sum up (auth, tx-begin) repeat them. */
  observe(event: SessionEvent): void {
    this.#appTls(event)
    switch (event.type) {
      case 'dial':
        return this.#dialled(event)
      case 'handover': // its dial was counted when it ended
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
    this.#sinks.dial(event)
    if (!event.error) this.#reached(event)
  }

  /** From here on this upstream answers. */
  #reached({ serverAddress }: Dial): void {
    this.#counts = this.#sinks.peers.of(serverAddress, this.#client)
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
    if (this.#transactionBegan !== undefined) {
      const duration = seconds(this.#transactionBegan, end.at)
      this.#instruments.transactionDuration.record(duration, { ...outcome, 'server.address': this.#counts.server })
    }
    this.#transactionBegan = undefined
    const { accepted, tempfail, permfail } = end.recipients
    this.#instruments.messageRecipients.record(accepted + tempfail + permfail, outcome)
    if (end.hasBody) this.#instruments.messageSize.record(end.size, { ...outcome, 'smtp.client.name': this.#client })
  }

  #sessionClosed(event: Extract<SessionEvent, { type: 'session-close' }>): void {
    if (this.#closed) return
    this.#closed = true
    this.#active.value -= 1
    this.#sinks.io.closed(event)
    const server = { 'server.address': this.#counts.server }
    this.#instruments.sessionMessages.record(event.messages, server)
    this.#instruments.sessionDuration.record(seconds(this.#openedAt, event.at), {
      'smtp.session.close_reason': event.reason,
      ...server,
      'smtp.client.name': this.#client,
    })
  }
}

/** Both ways of dialling count the same: for a session, and ahead of need. */
function countDial(instruments: Instruments, event: Dial): void {
  const server = { 'server.address': event.serverAddress }
  const error = event.error && { 'error.type': event.error }
  instruments.dials.at({ ...error, 'tls.resumed': event.resumed, ...server }).value += 1
  const phases = { ...event.phases, total: event.phases.total ?? event.end - event.at }
  for (const phase of dialPhases) {
    const spent = phases[phase]
    if (spent === undefined) continue
    instruments.dialDuration.record(Math.max(0, spent) / 1000, { 'smtp.dial.phase': phase, ...server })
  }
}

/** A counter that first appears at 1 has, for Prometheus, not increased: the first event would raise no alert. */
function startAtZero(instruments: Instruments, peers: Peers, options: Configured): void {
  const clients = ['other', ...options.clients]
  for (const client of clients) instruments.sessionActive.at({ 'smtp.client.name': client })
  for (const server of options.servers) {
    for (const client of clients) peers.of(server, client).startAtZero()
    for (const resumed of [false, true]) instruments.dials.at({ 'tls.resumed': resumed, 'server.address': server })
    for (const error of dialErrors)
      instruments.dials.at({ 'error.type': error, 'tls.resumed': false, 'server.address': server })
  }
  instruments.appTls.startAtZero(options)
  for (const reason of opaqueReasons) instruments.sessionOpaque.at({ 'smtp.opaque.reason': reason })
  for (const loss of replyLosses) instruments.repliesLost.at({ 'smtp.reply.loss': loss })
  instruments.observerFailures.at({})
}

/** The bytes of closed sessions, and at each scrape those of open ones. What was once told is never taken back. */
class RelayedBytes {
  #closed: Bytes = { transmit: 0, receive: 0 }
  #told: Bytes = { transmit: 0, receive: 0 }
  #live: () => Bytes = () => ({ transmit: 0, receive: 0 })

  constructor(meter: Meter) {
    observable(meter, 'io').addCallback((result) => {
      const { transmit, receive } = this.#total()
      result.observe(transmit, { 'network.io.direction': 'transmit' })
      result.observe(receive, { 'network.io.direction': 'receive' })
    })
  }

  observeLive(read: () => Bytes): void {
    this.#live = read
  }

  closed(session: Bytes): void {
    this.#closed = sum(this.#closed, session)
  }

  #total(): Bytes {
    const { transmit, receive } = sum(this.#closed, this.#live())
    this.#told = {
      transmit: Math.max(this.#told.transmit, transmit),
      receive: Math.max(this.#told.receive, receive),
    }
    return this.#told
  }
}

function sum(one: Bytes, other: Bytes): Bytes {
  return { transmit: one.transmit + other.transmit, receive: one.receive + other.receive }
}

/** Clocks of events are monotonic; a difference below 0 would be refused by the histogram. */
function seconds(from: number, to: number): number {
  return Math.max(0, to - from) / 1000
}
