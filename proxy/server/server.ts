import net from 'node:net'
import { setImmediate as endOfTurn } from 'node:timers/promises'
import type { SecureContext } from 'node:tls'
import { ReadPool } from '../connection/read-pool.ts'
import { limitsFor, RefusedConnections, type RefusedCuts } from '../connection/refused.ts'
import type { Dial, Handover } from '../events/dial.ts'
import type { Observer, Telemetry } from '../events/observer.ts'
import type { SessionOpen } from '../events/session-event.ts'
import type { CancelSignal } from '../net/cancellation.ts'
import { listenError } from '../net/listen-error.ts'
import type { ListenerCertificate } from '../net/listener-certificate.ts'
import { clientKey } from '../net/networks.ts'
import type { LocalReply } from '../session/local-replies.ts'
import * as localReplies from '../session/local-replies.ts'
import { Session, type SessionHost, type Source } from '../session/session.ts'
import type { Config, ListenAddress } from '../settings/config.ts'
import type { AddressScope } from '../smtp/path.ts'
import { now } from '../upstream/dialer.ts'
import type { Reached } from '../upstream/failover.ts'
import type { LastSession } from '../upstream/last-session.ts'
import { Upstreams } from '../upstream/upstreams.ts'
import { type Admission, LocalAdmission } from './admission.ts'
import { afterWrites } from './event-batch.ts'
import { Ticker } from './ticker.ts'

/** Times and sizes that are not settings. Tests shorten them. */
export const LIMITS = {
  linger: { ms: 10_000, bytes: 64 * 1024 * 1024 },
  /** For one event loop; several share the connections. */
  refused: limitsFor(1),
  handshakeMs: 30_000,
  /** RFC 5321 4.5.3.2.6. */
  finalReplyMs: 600_000,
  drainQuietMs: 1000,
  /** A drain spreads the 421 to idle sessions over this time, so that clients do not all reconnect at the same time. */
  drainSpreadMs: 5000,
  proxyHeaderMs: 5000,
  /** How often the time limits of sessions are checked. */
  tickMs: 1000,
}

/** Connections that may wait to be accepted; the kernel may allow fewer. */
const BACKLOG = 4096
const KEEPALIVE_MS = 60_000

interface ServerOptions {
  readonly config: Config
  readonly telemetry: Telemetry
  /** The listeners' certificate, if one is configured. */
  readonly certificate?: Pick<ListenerCertificate, 'context'>
  readonly limits?: Partial<typeof LIMITS>
  /** Shared by several event loops. */
  readonly lastSession?: LastSession
  /** Enforces the session limits; several event loops share one. */
  readonly admission?: Admission
  /** True if other event loops listen on the same ports (SO_REUSEPORT). */
  readonly reusePort?: boolean
  /** A listener closed unexpectedly. */
  readonly lost?: (listener: ListenAddress, error: Error) => void
  /** A connection could not be accepted; the listener continues. Node rarely reports this: see proxy/server/fd-limit.ts. */
  readonly acceptFailed?: (listener: ListenAddress, error: Error) => void
}

/** A listener with its actual address. */
export interface Bound {
  readonly listener: ListenAddress
  readonly address: string
  readonly port: number
}

/** Relays mail, with one event loop or several. */
export interface MailServer {
  readonly bound: readonly Bound[]
  readonly draining: boolean
  /** Open sessions, without refused connections. */
  readonly activeSessions: number
  /** How many refused connections the proxy closed before their clients did, by reason. */
  refusedCuts(): RefusedCuts
  /** Application bytes of the open sessions. */
  liveBytes(): { transmit: number; receive: number }
  /** Ends sessions between messages, within the drain timeout. Resolves with the number of sessions that were cut. */
  drain(): Promise<number>
  /** Ends everything immediately. Resolves when no session is left. */
  close(): Promise<void>
}

/**
 * Opens all listeners. If one fails, closes the others and rejects with ListenError. Telemetry gets the events of a turn of
 * the event loop after the turn's writes, and the last ones before `drain` or `close` resolves.
 */
export async function startServer(options: ServerOptions): Promise<ProxyServer> {
  const server = new ProxyServer({ ...options, telemetry: afterWrites(options.telemetry) })
  try {
    for (const listener of options.config.listeners) await server.listen(listener)
    return server
  } catch (error) {
    await server.close()
    throw error
  }
}

/** The listeners, the open sessions and their limits, and the one timer that checks them. */
export class ProxyServer implements SessionHost, MailServer {
  readonly limits: typeof LIMITS
  readonly idleMs: number
  readonly readPool = new ReadPool()
  readonly refused: RefusedConnections
  readonly recordAddresses: AddressScope
  readonly preferredUpstream: string
  readonly bound: Bound[] = []
  readonly #options: ServerOptions
  readonly #config: Config
  readonly #upstreams: Upstreams
  readonly #servers = new Set<net.Server>()
  readonly #sessions = new Set<Session>()
  readonly #admission: Admission
  readonly #ticker: Ticker
  #draining = false
  /** Called when the last session has ended. */
  readonly #emptied = new Set<() => void>()

  constructor(options: ServerOptions) {
    this.#options = options
    this.#config = options.config
    this.limits = { ...LIMITS, ...options.limits }
    this.refused = new RefusedConnections(this.limits.refused)
    this.idleMs = options.config.idleTimeoutMs
    this.recordAddresses = options.config.recordAddresses
    this.preferredUpstream = options.config.upstreams[0]!.host
    this.#admission =
      options.admission ??
      new LocalAdmission({ sessions: options.config.maxSessions, perClient: options.config.maxSessionsPerClient })
    const { config, telemetry, lastSession } = options
    this.#upstreams = new Upstreams({ config, telemetry, ...(lastSession && { lastSession }) })
    const tickMs = Math.min(this.limits.tickMs, Math.max(10, this.idleMs / 4))
    this.#ticker = new Ticker(tickMs, (at, late) => this.#tick(at, late))
  }

  get draining(): boolean {
    return this.#draining
  }

  get activeSessions(): number {
    return this.#sessions.size
  }

  refusedCuts(): RefusedCuts {
    return this.refused.cuts
  }

  liveBytes(): { transmit: number; receive: number } {
    let transmit = 0
    let receive = 0
    for (const session of this.#sessions) {
      transmit += session.transmit
      receive += session.receive
    }
    return { transmit, receive }
  }

  listen(listener: ListenAddress): Promise<void> {
    const server = net.createServer({
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEPALIVE_MS,
      pauseOnConnect: true,
    })
    server.on('connection', (tcp) => this.#accept(tcp, listener))
    const reusePort = this.#options.reusePort ?? false
    return new Promise((settle, fail) => {
      server.once('error', (error) => fail(listenError('PROXY_LISTEN', listener.url, error)))
      server.listen({ host: listener.host, port: listener.port, backlog: BACKLOG, reusePort }, () => {
        server.removeAllListeners('error').on('error', (error) => this.#listenerFailed(server, listener, error))
        const { address, port } = server.address() as net.AddressInfo
        this.#servers.add(server)
        this.bound.push({ listener, address, port })
        settle()
      })
    })
  }

  /**
   * Stops accepting, ends sessions between messages with a 421, and waits for messages in flight, at most for the drain
   * timeout. Then ends the remaining sessions and refused connections. Resolves with the number of sessions that were cut,
   * not counting those that only waited for their client to close and those that were not greeted yet.
   */
  async drain(): Promise<number> {
    this.#draining = true
    this.#stopListening()
    const spread = Math.min(this.limits.drainSpreadMs, this.#config.drainTimeoutMs / 3)
    for (const session of this.#sessions) session.drain(now() + Math.random() * spread)
    await this.#emptyWithin(this.#config.drainTimeoutMs)
    const cut = [...this.#sessions].filter(({ unfinished }) => unfinished).length
    await this.close()
    return cut
  }

  async close(): Promise<void> {
    this.#draining = true
    this.#stopListening()
    for (const session of this.#sessions) session.cut()
    this.refused.close()
    await this.#emptyWithin(1000)
    this.#ticker.stop()
    // the events of the last sessions are delivered at the end of this turn
    await endOfTurn()
  }

  /** Resolves when no session is left, or after `ms`. */
  #emptyWithin(ms: number): Promise<void> {
    if (this.#sessions.size === 0) return Promise.resolve()
    return new Promise((settle) => {
      const done = () => {
        clearTimeout(timer)
        this.#emptied.delete(done)
        settle()
      }
      const timer = setTimeout(done, ms)
      this.#emptied.add(done)
    })
  }

  #stopListening(): void {
    for (const server of this.#servers) server.close()
    this.#upstreams.close()
    this.#servers.clear()
  }

  #listenerFailed(server: net.Server, listener: ListenAddress, error: Error): void {
    if (server.listening) this.#options.acceptFailed?.(listener, error)
    else this.#options.lost?.(listener, error)
  }

  #accept(tcp: net.Socket, listener: ListenAddress): void {
    // a connection that the client reset before it was accepted has no address
    if (this.#draining || tcp.remoteAddress === undefined) return void tcp.destroy()
    const session = new Session(tcp, listener, this)
    this.#sessions.add(session)
    void session.run()
  }

  #tick(at: number, late: boolean): void {
    this.#upstreams.tick(at)
    if (late) return
    for (const session of this.#sessions) session.tick(at)
  }

  // ------------------------------------------------------------------------------------------ SessionHost

  secureContext(): SecureContext | undefined {
    return this.#options.certificate?.context
  }

  expectsProxyHeader(peer: string): boolean {
    return this.#config.trustProxyProtocol.has(peer)
  }

  admit(source: Source): LocalReply | undefined {
    if (!this.#config.allow.has(source.address)) return localReplies.NOT_ALLOWED
    return this.#admission.enter(clientKey(source.address)) ? undefined : localReplies.SESSION_LIMIT
  }

  open(event: SessionOpen): Observer {
    return this.#options.telemetry.open(event)
  }

  clientName(address: string): string {
    return this.#config.clients.find(({ networks }) => networks.has(address))?.name ?? 'other'
  }

  reach(signal: CancelSignal, report: (event: Dial | Handover) => void): Promise<Reached> {
    return this.#upstreams.reach(signal, report)
  }

  dialogueFailed(error: unknown): void {
    this.#options.telemetry.observerFailed(error)
  }

  left(session: Session): void {
    if (!this.#sessions.delete(session)) return
    if (session.admitted) this.#admission.leave(clientKey(session.admitted.address))
    if (this.#sessions.size > 0) return
    for (const done of this.#emptied) done()
  }
}
