/**
 * The stage of a campaign: scripted upstreams, and in front of each of them the proxy in this process, once with and
 * once without a listener certificate. Many sessions run concurrently, and all count into one page of metrics.
 */

import assert from 'node:assert/strict'
import { readdirSync, readlinkSync } from 'node:fs'
import { createSecureContext, type SecureContext } from 'node:tls'
import { combine } from '../../proxy/events/observer.ts'
import type { SessionEvent } from '../../proxy/events/session-event.ts'
import { type ProxyServer, startServer } from '../../proxy/server/server.ts'
import { configOf } from '../support/in-process/config.ts'
import { Recorder } from '../support/in-process/recorder.ts'
import { certificateSettings, makeTrust, type Trust } from '../support/in-process/trust.ts'
import { connectClient, type Peer, ScriptedUpstream, Transcript } from '../support/sockets/scripted-peers.ts'
import { type Scraped, scraped } from '../support/telemetry/scrape.ts'
import { until } from '../support/waiting/until.ts'
import type { Path, Plan } from './plan.ts'

/** How long each wait of a peer, and the end of a session, may take. Arbitrary: long on a machine that stalls. */
export const LIMIT_MS = 20_000

/** The number of sessions after which the upstreams' transcript is cleared. Arbitrary. */
const TRANSCRIPT_SESSIONS = 20

/** Limits of the proxy. The peers of a campaign close their connections, so these limits matter only in failures. */
const LIMITS = { linger: { ms: 5000, bytes: 64 * 1024 * 1024 } }

/** The two ends of one session on one path. */
export interface Ends {
  readonly client: Peer
  readonly upstream: Peer
  /** The TLS contexts of the client and of the upstream. */
  readonly clientContext: SecureContext
  readonly upstreamContext: SecureContext
  /** What the proxy reported of the session, once it has closed; nothing on the direct path. */
  events(): Promise<readonly SessionEvent[]>
}

/** An upstream, and a proxy in front of it without and with a certificate. */
interface Setup {
  readonly upstream: ScriptedUpstream
  readonly plain: ProxyServer
  readonly certified: ProxyServer
}

export class Stage {
  readonly recorder = new Recorder()
  readonly #metrics: Scraped = scraped({ servers: ['127.0.0.1'], clients: [] })
  readonly #trust: Trust
  readonly #clientContext: SecureContext
  readonly #upstreamContext: SecureContext
  readonly #socketsBefore = openSockets()
  readonly #setups = new Map<boolean, Setup>()
  #connecting: Promise<unknown> = Promise.resolve()

  private constructor(trust: Trust) {
    this.#trust = trust
    this.#clientContext = createSecureContext({ ca: trust.authority.certPem })
    this.#upstreamContext = createSecureContext({ ...trust.identity, minVersion: 'TLSv1.2' })
  }

  static async open(): Promise<Stage> {
    const stage = new Stage(await makeTrust())
    for (const tls of [true, false]) stage.#setups.set(tls, await stage.#setUp(tls))
    return stage
  }

  /**
   * Connects a client on this path, and accepts its upstream connection. Connects one client at a time, so that the two
   * ends match. Neither has sent anything, and the client has not started TLS.
   */
  connect(plan: Plan, path: Path): Promise<Ends> {
    const ends = this.#connecting.then(() => this.#connect(plan, path))
    this.#connecting = ends.catch(() => {})
    return ends
  }

  /** The number of active sessions. */
  get activeSessions(): number {
    return this.#servers().reduce((sum, server) => sum + server.activeSessions, 0)
  }

  /** What a scrape of the proxy returns. */
  page(): Promise<string> {
    return this.#metrics.page()
  }

  /** Stops everything. Rejects when a session is active, an observer failed or a socket is open. */
  async close(): Promise<void> {
    for (const server of this.#servers()) await server.close()
    for (const { upstream } of this.#setups.values()) await upstream.close()
    this.#trust.remove()
    assert.equal(this.activeSessions, 0, 'no session is active')
    assert.deepEqual(this.recorder.failures, [], 'no observer failed')
    await this.#descriptorsAreBack()
  }

  /** A closed socket keeps its descriptor for some turns of the event loop. */
  async #descriptorsAreBack(): Promise<void> {
    const left = () => openSockets() - this.#socketsBefore
    await until(
      () => `${left()} sockets are still open`,
      () => left() <= 0,
    )
  }

  async #connect(plan: Plan, path: Path): Promise<Ends> {
    const { upstream } = this.#setups.get(plan.upstreamTls)!
    // all upstream connections share one transcript, and a failed wait prints it
    if (this.recorder.sessions.length % TRANSCRIPT_SESSIONS === 0) upstream.transcript.clear()
    const transcript = new Transcript()
    const number = this.recorder.sessions.length
    const port = path === 'direct' ? upstream.port : this.#portFor(plan)
    const client = await connectClient({ port, transcript, limitMs: LIMIT_MS })
    const peer = await upstream.accept()
    return {
      client,
      upstream: peer,
      clientContext: this.#clientContext,
      upstreamContext: this.#upstreamContext,
      events: async () => (path === 'direct' ? [] : (await this.recorder.ended(number, () => transcript)).events),
    }
  }

  #portFor({ mode, upstreamTls }: Plan): number {
    const { plain, certified } = this.#setups.get(upstreamTls)!
    const bound = mode === 'plain' ? plain.bound[0]! : certified.bound[mode === 'smtps' ? 1 : 0]!
    return bound.port
  }

  #servers(): ProxyServer[] {
    return [...this.#setups.values()].flatMap(({ plain, certified }) => [plain, certified])
  }

  async #setUp(tls: boolean): Promise<Setup> {
    const upstream = await ScriptedUpstream.start({ limitMs: LIMIT_MS })
    const address = `smtp://127.0.0.1:${upstream.port}${tls ? '' : '?tls=off'}`
    const plain = await this.#proxy({ PROXY_LISTEN: 'smtp://127.0.0.1:0', PROXY_UPSTREAM: address })
    const certified = await this.#proxy({
      PROXY_LISTEN: 'smtp://127.0.0.1:0,smtps://127.0.0.1:0',
      PROXY_UPSTREAM: address,
      ...certificateSettings(this.#trust),
    })
    return { upstream, plain, certified }
  }

  /** Nothing is preconnected: each upstream connection belongs to the client that has just connected. */
  async #proxy(env: Readonly<Record<string, string>>): Promise<ProxyServer> {
    return await startServer({
      config: configOf({ PROXY_WARM_CONNECTIONS: '0', PROXY_UPSTREAM_CA_FILE: this.#trust.caFile, ...env }),
      telemetry: combine(this.recorder, this.#metrics.metrics),
      limits: LIMITS,
      ...(env.PROXY_TLS_CERT_FILE && { certificate: { context: createSecureContext(this.#trust.identity) } }),
    })
  }
}

/** The number of open sockets of this process; 0 where the system does not show them. */
function openSockets(): number {
  try {
    return readdirSync('/proc/self/fd').filter((fd) => isSocket(`/proc/self/fd/${fd}`)).length
  } catch {
    return 0
  }
}

/** Returns false for a descriptor that was closed meanwhile, such as that of the directory itself. */
function isSocket(path: string): boolean {
  try {
    return readlinkSync(path).startsWith('socket:')
  } catch {
    return false
  }
}
