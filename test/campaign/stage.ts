/**
 * The stage of a campaign: scripted upstreams, and the proxy in this process before each of them, once with a listener
 * certificate and once without. Many sessions run on it at a time; all of them count into one page of metrics.
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
import type { Plan, Way } from './plan.ts'

/** How long each wait of a peer, and the end of a session, may take. Arbitrary: long on a machine that stalls. */
export const LIMIT_MS = 20_000

/** Sessions after which the upstreams' transcript begins again. Arbitrary. */
const REMEMBERED = 20

/** Limits of the proxy. A peer of a campaign leaves by itself, so that these only bound what goes wrong. */
const LIMITS = { linger: { ms: 5000, bytes: 64 * 1024 * 1024 } }

/** The two ends of one session on one path. */
export interface Ends {
  readonly client: Peer
  readonly upstream: Peer
  /** What the client needs to know to trust its peer, and the upstream to prove itself. */
  readonly clientContext: SecureContext
  readonly upstreamContext: SecureContext
  /** What the proxy reported of the session, once it has closed; nothing on the direct path. */
  events(): Promise<readonly SessionEvent[]>
}

interface House {
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
  readonly #houses = new Map<boolean, House>()
  #connecting: Promise<unknown> = Promise.resolve()

  private constructor(trust: Trust) {
    this.#trust = trust
    this.#clientContext = createSecureContext({ ca: trust.authority.certPem })
    this.#upstreamContext = createSecureContext({ ...trust.identity, minVersion: 'TLSv1.2' })
  }

  static async open(): Promise<Stage> {
    const stage = new Stage(await makeTrust())
    for (const tls of [true, false]) stage.#houses.set(tls, await stage.#house(tls))
    return stage
  }

  /**
   * Connects a client on this path, and takes the upstream connection that belongs to it: one at a time, so that the two
   * ends belong together. Nothing has been said yet, and the client is not inside TLS.
   */
  connect(plan: Plan, way: Way): Promise<Ends> {
    const ends = this.#connecting.then(() => this.#connect(plan, way))
    this.#connecting = ends.catch(() => {})
    return ends
  }

  /** Sessions that the proxy has not forgotten. */
  get activeSessions(): number {
    return this.#servers().reduce((sum, server) => sum + server.activeSessions, 0)
  }

  /** What a scrape of the proxy returns. */
  page(): Promise<string> {
    return this.#metrics.page()
  }

  /** Ends everything. Rejects when a session, an observer's failure or a file descriptor is left. */
  async close(): Promise<void> {
    for (const server of this.#servers()) await server.close()
    for (const { upstream } of this.#houses.values()) await upstream.close()
    this.#trust.remove()
    assert.equal(this.activeSessions, 0, 'no session is left')
    assert.deepEqual(this.recorder.failures, [], 'no observer failed')
    await this.#descriptorsAreBack()
  }

  /** A socket that was closed keeps its descriptor until the next turns of the event loop. */
  async #descriptorsAreBack(): Promise<void> {
    const left = () => openSockets() - this.#socketsBefore
    await until(
      () => `${left()} sockets are still open`,
      () => left() <= 0,
    )
  }

  async #connect(plan: Plan, way: Way): Promise<Ends> {
    const { upstream } = this.#houses.get(plan.upstreamTls)!
    // all upstream connections share one transcript, and a wait that an end breaks off makes a text of it
    if (this.recorder.sessions.length % REMEMBERED === 0) upstream.transcript.clear()
    const transcript = new Transcript()
    const number = this.recorder.sessions.length
    const port = way === 'direct' ? upstream.port : this.#portFor(plan)
    const client = await connectClient({ port, transcript, limitMs: LIMIT_MS })
    const peer = await upstream.accept()
    return {
      client,
      upstream: peer,
      clientContext: this.#clientContext,
      upstreamContext: this.#upstreamContext,
      events: async () => (way === 'direct' ? [] : (await this.recorder.ended(number, () => transcript)).events),
    }
  }

  #portFor({ mode, upstreamTls }: Plan): number {
    const { plain, certified } = this.#houses.get(upstreamTls)!
    const bound = mode === 'plain' ? plain.bound[0]! : certified.bound[mode === 'smtps' ? 1 : 0]!
    return bound.port
  }

  #servers(): ProxyServer[] {
    return [...this.#houses.values()].flatMap(({ plain, certified }) => [plain, certified])
  }

  async #house(tls: boolean): Promise<House> {
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

/** Sockets of this process, as file descriptors; none where the system does not show them. */
function openSockets(): number {
  try {
    return readdirSync('/proc/self/fd').filter((fd) => isSocket(`/proc/self/fd/${fd}`)).length
  } catch {
    return 0
  }
}

/** The directory's own descriptor is gone by the time it is looked at. */
function isSocket(path: string): boolean {
  try {
    return readlinkSync(path).startsWith('socket:')
  } catch {
    return false
  }
}
