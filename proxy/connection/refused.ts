import type { RefusedCut } from '../events/closed-sets.ts'
import type { ClientConnection, Linger, LingerBound } from './client-connection.ts'

/** Refused connections that may be open at a time. Arbitrary: far more than apps that reconnect in a loop keep open. */
export const MAX_REFUSED = 256

/** What refused connections may use; tests shorten it. */
export interface RefusedLimits {
  /** Connections at a time. */
  readonly connections: number
  /**
   * The bounds of each connection. Its client waits for a greeting and has nothing to send, so much less is enough than
   * after a message.
   */
  readonly linger: Linger
}

/** The limits of each of `loops` event loops, which share the connections of the process. */
export function limitsFor(loops: number): RefusedLimits {
  return { connections: Math.max(1, Math.floor(MAX_REFUSED / loops)), linger: { ms: 1000, bytes: 64 * 1024 } }
}

/** How many refused connections the proxy closed before their clients did. */
export type RefusedCuts = Readonly<Record<RefusedCut, number>>

export const NO_CUTS: RefusedCuts = { time: 0, bytes: 0, limit: 0 }

export function addCuts(one: RefusedCuts, other: RefusedCuts): RefusedCuts {
  return { time: one.time + other.time, bytes: one.bytes + other.bytes, limit: one.limit + other.limit }
}

const BOUNDS: Readonly<Record<LingerBound, RefusedCut>> = { ms: 'time', bytes: 'bytes' }

/**
 * Connections that got a refusal in place of a greeting. They count against no session cap and delay no drain, so they
 * have limits of their own. If a byte were unread, closing would destroy the refusal on its way (RST), so each connection
 * is read for a short while. If too many are open, the oldest is closed: a client that sends nothing still gets its
 * refusal, which the kernel delivers.
 */
export class RefusedConnections {
  readonly #limits: RefusedLimits
  /** In the order in which they were refused. */
  readonly #open = new Set<ClientConnection>()
  /** How many were closed before their client closed them. */
  readonly cuts: Record<RefusedCut, number> = { ...NO_CUTS }

  constructor(limits: RefusedLimits) {
    this.#limits = limits
  }

  /** Connections that are open. */
  get size(): number {
    return this.#open.size
  }

  /** Sends `refusal` and FIN, and takes the connection over from its owner. */
  add(client: ClientConnection, refusal: Buffer): void {
    if (client.closed) return
    this.#open.add(client)
    client.listen({
      data: () => {},
      ended: () => {},
      drained: () => {},
      closed: () => this.#open.delete(client),
    })
    client.end(refusal, this.#limits.linger, (bound) => {
      this.cuts[BOUNDS[bound]] += 1
    })
    if (this.#open.size > this.#limits.connections) this.#cutOldest()
  }

  /** Closes all of them. */
  close(): void {
    for (const client of this.#open) client.destroy()
    this.#open.clear()
  }

  #cutOldest(): void {
    const [oldest] = this.#open
    if (!oldest) return
    this.cuts.limit += 1
    // its close event comes in a later turn, and many connections may come in this one
    this.#open.delete(oldest)
    oldest.destroy()
  }
}
