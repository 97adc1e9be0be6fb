import type { Meter } from '@opentelemetry/api'
import type { DialPhase, PreconnectionEnd } from '../../proxy/events/closed-sets.ts'
import type { Dial, Handover, Lookup, Unused } from '../../proxy/events/dial.ts'
import { type Cells, cellsOf, histogramOf, type Recorder } from '../instruments/instruments.ts'
import { memo } from '../instruments/memo.ts'
import { type AttributesOf, dialErrors, dialPhases, lookupErrors, preconnectionEnds } from '../names/names.ts'
import { CertificateDates } from './certificate-dates.ts'

/** The metrics of connections to upstreams. A dial for a session and a preconnect count the same. */
export class DialMetrics {
  readonly certificates: CertificateDates
  readonly #dials: Cells<AttributesOf<'dials'>>
  readonly #durations: (server: string) => (phase: DialPhase) => Recorder
  readonly #lookups: Cells<AttributesOf<'lookups'>>
  readonly #preconnections: Cells<AttributesOf<'preconnections'>>

  constructor(meter: Meter) {
    this.certificates = new CertificateDates(meter)
    this.#dials = cellsOf(meter, 'dials')
    const duration = histogramOf(meter, 'dialDuration')
    this.#durations = memo((server) =>
      memo((phase) => duration.at({ 'smtp.dial.phase': phase, 'server.address': server })),
    )
    this.#lookups = cellsOf(meter, 'lookups')
    this.#preconnections = cellsOf(meter, 'preconnections')
  }

  /** Creates the series that alerts read. */
  startAtZero(servers: readonly string[]): void {
    for (const server of servers) {
      for (const resumed of [false, true]) this.#dials.at({ 'tls.resumed': resumed, 'server.address': server })
      for (const error of dialErrors)
        this.#dials.at({ 'error.type': error, 'tls.resumed': false, 'server.address': server })
      this.#lookups.at({ 'server.address': server })
      for (const error of lookupErrors) this.#lookups.at({ 'error.type': error, 'server.address': server })
      for (const end of preconnectionEnds)
        this.#preconnections.at({ 'smtp.preconnection.end': end, 'server.address': server })
    }
  }

  /** Counts a dial that has ended. */
  readonly dialled = (event: Dial): void => {
    const server = { 'server.address': event.serverAddress }
    const error = event.error && { 'error.type': event.error }
    this.#dials.at({ ...error, 'tls.resumed': event.resumed, ...server }).value += 1
    const durationOf = this.#durations(event.serverAddress)
    const phases = { ...event.phases, total: event.phases.total ?? event.end - event.at }
    for (const phase of dialPhases) {
      const spent = phases[phase]
      if (spent !== undefined) durationOf(phase).record(Math.max(0, spent) / 1000)
    }
    this.certificates.dialled(event)
  }

  /** Counts what happens at an upstream without a session. */
  readonly upstream = (event: Lookup | Unused): void => {
    if (event.type === 'unused') return this.#preconnectionEnded(event.end, event.dial)
    const error = event.error && { 'error.type': event.error }
    this.#lookups.at({ ...error, 'server.address': event.serverAddress }).value += 1
  }

  /** Counts a connection that a session got, if it was preconnected. */
  handedOver({ preconnected, dial }: Handover): void {
    if (preconnected) this.#preconnectionEnded('used', dial)
  }

  #preconnectionEnded(end: PreconnectionEnd, { serverAddress }: Dial): void {
    this.#preconnections.at({ 'smtp.preconnection.end': end, 'server.address': serverAddress }).value += 1
  }
}
