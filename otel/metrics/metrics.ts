import type { Meter, MeterProvider } from '@opentelemetry/api'
import type { RefusedCut } from '../../proxy/events/closed-sets.ts'
import type { Telemetry } from '../../proxy/events/observer.ts'
import { type Configured, cellsOf, observable, seriesLimit } from '../instruments/instruments.ts'
import { opaqueReasons, replyLosses, scope } from '../names/names.ts'
import { DialMetrics } from './dials.ts'
import { createLoopMetrics, type ObserveLoop } from './event-loop.ts'
import { Peers } from './peer-counts.ts'
import { histogramsByPeer } from './peer-histograms.ts'
import { type Bytes, RelayedBytes } from './relayed-bytes.ts'
import { createSessionInstruments, SessionMetrics, type Shared } from './session-metrics.ts'

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
  const meter = provider.getMeter(scope.name, scope.version)
  const instruments = createSessionInstruments(meter, seriesLimit(options))
  const shared = {
    instruments,
    peers: new Peers(instruments),
    histograms: histogramsByPeer(instruments),
    io: new RelayedBytes(meter),
    dials: new DialMetrics(meter),
  }
  const failures = cellsOf(meter, 'observerFailures').at({})
  startAtZero(shared, options)
  return {
    open(event) {
      const session = new SessionMetrics(event, shared)
      return (next) => session.observe(next)
    },
    dial: shared.dials.dialled,
    upstream: shared.dials.upstream,
    observerFailed() {
      failures.value += 1
    },
    observeLiveBytes: (read) => shared.io.observeLive(read),
    observeRefusedCuts: cutsOf(meter),
    setListenerCertificate: (notAfter) => shared.dials.certificates.setListener(notAfter),
    observeLoop: createLoopMetrics(meter),
  }
}

/** Creates the metric of cut connections, which are 0 until a function that returns them is set. */
function cutsOf(meter: Meter): Metrics['observeRefusedCuts'] {
  let cuts = (): Cuts => ({ time: 0, bytes: 0, limit: 0 })
  observable(meter, 'refusedCut').addCallback((result) => {
    for (const [cut, count] of Object.entries(cuts())) result.observe(count, { 'smtp.refused.cut': cut })
  })
  return (read) => {
    cuts = read
  }
}

/** For Prometheus, a counter that first appears at 1 has not increased: the first event would not fire an alert. */
function startAtZero({ instruments, peers, dials }: Shared, options: Configured): void {
  const clients = ['other', ...options.clients]
  for (const client of clients) instruments.sessionActive.at({ 'smtp.client.name': client })
  for (const server of options.servers) for (const client of clients) peers.of(server, client).startAtZero()
  dials.startAtZero(options.servers)
  instruments.appTls.startAtZero(options)
  for (const reason of opaqueReasons) instruments.sessionOpaque.at({ 'smtp.opaque.reason': reason })
  for (const loss of replyLosses) instruments.repliesLost.at({ 'smtp.reply.loss': loss })
}
