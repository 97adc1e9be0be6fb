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

/** Bytes in each direction, without TLS overhead. */
export interface Bytes {
  readonly transmit: number
  readonly receive: number
}

/** The number of refused connections that the proxy closed before their clients did. There are no events for them. */
type Cuts = Readonly<Record<RefusedCut, number>>

/** The metrics of the proxy, and the inputs that do not come from events. */
export interface Metrics extends Telemetry {
  /**
   * Sets the function that returns the bytes of open sessions. It runs at each scrape, so that long sessions count before
   * they close. A session must leave the sum in the same turn as its session-close event. The last call wins.
   */
  observeLiveBytes(read: () => Bytes): void
  /** Sets the function that returns the number of cut connections. It runs at each scrape. The last call wins. */
  observeRefusedCuts(read: () => Cuts): void
  /** When the listeners' certificate expires, in seconds since the Unix epoch. Undefined if there is none. */
  setListenerCertificate(notAfter: number | undefined): void
  /** Receives the figures of the event loops that relay mail. */
  readonly observeLoop: ObserveLoop
}

/** Creates the metrics of the table. Series that alerts read exist from the start, at 0. */
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
    certificates.dialled(event)
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

/** What all sessions share. */
interface Shared {
  readonly instruments: Instruments
  readonly peers: Peers
  readonly io: RelayedBytes
  readonly dial: (event: Dial) => void
}

/** Counts the events of one session. */
class SessionMetrics {
  readonly #shared: Shared
  readonly #instruments: Instruments
  readonly #client: string
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
    this.#shared.dial(event)
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
    this.#shared.io.closed(event)
    const server = { 'server.address': this.#counts.server }
    this.#instruments.sessionMessages.record(event.messages, server)
    this.#instruments.sessionDuration.record(seconds(this.#openedAt, event.at), {
      'smtp.session.close_reason': event.reason,
      ...server,
      'smtp.client.name': this.#client,
    })
  }
}

/** Counts a dial, whether it is for a session or a preconnect. */
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

/** For Prometheus, a counter that first appears at 1 has not increased: the first event would not fire an alert. */
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

/** The bytes of closed sessions plus, at each scrape, those of open ones. A reported value never decreases. */
class RelayedBytes {
  #closed: Bytes = { transmit: 0, receive: 0 }
  #reported: Bytes = { transmit: 0, receive: 0 }
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
    this.#reported = {
      transmit: Math.max(this.#reported.transmit, transmit),
      receive: Math.max(this.#reported.receive, receive),
    }
    return this.#reported
  }
}

function sum(one: Bytes, other: Bytes): Bytes {
  return { transmit: one.transmit + other.transmit, receive: one.receive + other.receive }
}

/** A histogram rejects negative values, which a clock that jumps back would cause. */
function seconds(from: number, to: number): number {
  return Math.max(0, to - from) / 1000
}
