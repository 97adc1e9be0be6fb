import type { Meter } from '@opentelemetry/api'
import { observable } from '../instruments/instruments.ts'

/** Bytes in each direction, without TLS overhead. */
export interface Bytes {
  readonly transmit: number
  readonly receive: number
}

/** The bytes of closed sessions plus, at each scrape, those of open ones. A reported value never decreases. */
export class RelayedBytes {
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

  /** Sets the function that returns the bytes of open sessions. */
  observeLive(read: () => Bytes): void {
    this.#live = read
  }

  /** Adds the bytes of a session that closed. */
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
