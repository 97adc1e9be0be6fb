import type { Meter } from '@opentelemetry/api'
import type { Dial } from '../../proxy/events/dial.ts'
import { observable } from '../instruments/instruments.ts'

/** How long a date stays valid after the last dial that saw its certificate, measured at the latest dial of any upstream. */
const VALID_MS = 24 * 60 * 60 * 1000

interface Sighting {
  readonly notAfter: number
  /** When the certificate was seen, on the clock of the events. */
  readonly at: number
}

/**
 * When certificates expire, in seconds since the Unix epoch. Each upstream has the certificate of its last dial. The metric
 * is the earliest date of the certificates that were seen in the 24 hours before the latest dial of any upstream.
 */
export class CertificateDates {
  readonly #upstreams = new Map<string, Sighting>()
  #listener: number | undefined

  constructor(meter: Meter) {
    observable(meter, 'certificateNotAfter').addCallback((result) => {
      if (this.#listener !== undefined) result.observe(this.#listener, { 'tls.side': 'listener' })
      if (this.#upstreams.size > 0) result.observe(this.#earliest(), { 'tls.side': 'upstream' })
    })
  }

  /** Records the certificate of a dial, if it has one. */
  dialled({ serverAddress, certificateNotAfter, end }: Dial): void {
    if (certificateNotAfter === undefined) return
    this.#upstreams.set(serverAddress, { notAfter: certificateNotAfter, at: end })
  }

  /** Sets the date of the listeners' certificate. Undefined if there is none. */
  setListener(notAfter: number | undefined): void {
    this.#listener = notAfter
  }

  /**
   * An upstream that was dialled once, during a failover, must not keep warning about a certificate that it may have
   * replaced. Dials are the clock, not scrapes: after a weekend without mail, the last known date is still reported.
   */
  #earliest(): number {
    const all = [...this.#upstreams.values()]
    const since = Math.max(...all.map(({ at }) => at)) - VALID_MS
    return Math.min(...all.filter(({ at }) => at >= since).map(({ notAfter }) => notAfter))
  }
}
