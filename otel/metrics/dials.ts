import type { Meter } from '@opentelemetry/api'
import type { DialPhase } from '../../proxy/events/closed-sets.ts'
import type { Dial } from '../../proxy/events/dial.ts'
import { type AttributesOf, dialErrors, dialPhases } from '../names/names.ts'
import { CertificateDates } from './certificate-dates.ts'
import { type Cells, cellsOf, histogramOf, type Recorder } from './instruments.ts'
import { memo } from './memo.ts'

/** The metrics of connections to upstreams. A dial for a session and a preconnect count the same. */
export class DialMetrics {
  readonly certificates: CertificateDates
  readonly #dials: Cells<AttributesOf<'dials'>>
  readonly #durations: (server: string) => (phase: DialPhase) => Recorder

  constructor(meter: Meter) {
    this.certificates = new CertificateDates(meter)
    this.#dials = cellsOf(meter, 'dials')
    const duration = histogramOf(meter, 'dialDuration')
    this.#durations = memo((server) =>
      memo((phase) => duration.at({ 'smtp.dial.phase': phase, 'server.address': server })),
    )
  }

  /** Creates the series that alerts read. */
  startAtZero(servers: readonly string[]): void {
    for (const server of servers) {
      for (const resumed of [false, true]) this.#dials.at({ 'tls.resumed': resumed, 'server.address': server })
      for (const error of dialErrors)
        this.#dials.at({ 'error.type': error, 'tls.resumed': false, 'server.address': server })
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
}
