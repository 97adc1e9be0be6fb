import type { Meter } from '@opentelemetry/api'
import type { Dial } from '../../proxy/events/dial.ts'
import { observable } from './instruments.ts'

/** Milliseconds that a date outlives the last sight of its certificate, while other upstreams show theirs. */
const KNOWN_MS = 24 * 60 * 60 * 1000

interface Seen {
  readonly notAfter: number
  /** When, by the clock of the events. */
  readonly at: number
}

/**
 * When certificates end, in seconds since the Unix epoch. Each upstream has the certificate of its last dial. Of those
 * that were seen within the 24 hours before the last dial of all, the first to end is told.
 */
export class CertificateDates {
  readonly #upstreams = new Map<string, Seen>()
  #listener: number | undefined

  constructor(meter: Meter) {
    observable(meter, 'certificateNotAfter').addCallback((result) => {
      if (this.#listener !== undefined) result.observe(this.#listener, { 'tls.side': 'listener' })
      if (this.#upstreams.size > 0) result.observe(this.#firstToEnd(), { 'tls.side': 'upstream' })
    })
  }

  seen({ serverAddress, certificateNotAfter, end }: Dial): void {
    if (certificateNotAfter === undefined) return
    this.#upstreams.set(serverAddress, { notAfter: certificateNotAfter, at: end })
  }

  setListener(notAfter: number | undefined): void {
    this.#listener = notAfter
  }

  /**
   * An upstream that was dialled once, at a failover, must not warn of a certificate that it shows no more. Dials are
   * the clock, not the scrape: where nobody sends for a weekend, the date that is known stays known.
   */
  #firstToEnd(): number {
    const all = [...this.#upstreams.values()]
    const since = Math.max(...all.map(({ at }) => at)) - KNOWN_MS
    return Math.min(...all.filter(({ at }) => at >= since).map(({ notAfter }) => notAfter))
  }
}
