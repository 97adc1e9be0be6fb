/** Bounds what the clients of the admin server may hold: connections, and their time. */
import type { Socket } from 'node:net'

export interface ConnectionLimits {
  /** Concurrent connections. A further one cuts the oldest, so that probes get through even if clients hold connections. */
  readonly connections: number
  /** The longest lifetime of a connection that is no stream, for clients that read slowly or not at all. */
  readonly connectionMs: number
}

export class Connections {
  readonly #limits: ConnectionLimits
  readonly #open = new Map<Socket, NodeJS.Timeout>()

  constructor(limits: ConnectionLimits) {
    this.#limits = limits
  }

  /** Takes a new connection, and cuts the oldest if there are too many. */
  add(socket: Socket): void {
    const timer = setTimeout(() => socket.destroy(), this.#limits.connectionMs).unref()
    socket.once('close', () => this.#forget(socket))
    this.#open.set(socket, timer)
    const [oldest] = this.#open.keys() // a Map keeps the order of insertion
    if (oldest === undefined || this.#open.size <= this.#limits.connections) return
    this.#forget(oldest)
    oldest.destroy()
  }

  /** From now on this connection may stay as long as it likes. */
  keep(socket: Socket): void {
    clearTimeout(this.#open.get(socket))
  }

  #forget(socket: Socket): void {
    clearTimeout(this.#open.get(socket))
    this.#open.delete(socket)
  }
}
