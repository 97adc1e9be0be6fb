/**
 * The proxy in this process between a scripted client and a scripted upstream, everything on loopback and on free
 * ports. One stage serves many sessions, one after the other.
 *
 *     const stage = await Stage.open('starttls')
 *     const session = await stage.connect()            // client and upstream are connected, the upstream is silent
 *     await playPreamble(session.upstream, session)    // the greeting, EHLO and STARTTLS, which the proxy sends itself
 *     await session.client.readReply()
 *     ...
 *     const events = await session.events()            // waits for the end of the session
 *     await stage.close()
 */
import assert from 'node:assert/strict'
import { createSecureContext } from 'node:tls'
import type { SessionEvent } from '../../../proxy/events/session-event.ts'
import { type LIMITS, type ProxyServer, startServer } from '../../../proxy/server/server.ts'
import type { Listener, Script } from '../dialogues/dlg.ts'
import { connectClient, type Identity, type Peer, ScriptedUpstream } from '../sockets/scripted-peers.ts'
import { configOf } from './config.ts'
import { Recorder } from './recorder.ts'
import { certificateSettings, makeTrust, type Trust } from './trust.ts'

export interface StageOptions {
  /** Further settings; they override the defaults. */
  readonly env?: Readonly<Record<string, string>>
  /** Limits other than in production. */
  readonly limits?: Partial<typeof LIMITS>
}

/** One session through the proxy. */
export interface StagedSession {
  readonly client: Peer
  readonly upstream: Peer
  /** The upstream's certificate, which the proxy trusts. */
  readonly identity: Identity
  /** All events of this session. Waits until the session has closed. */
  events(): Promise<readonly SessionEvent[]>
}

interface Parts {
  readonly upstream: ScriptedUpstream
  readonly server: ProxyServer
  readonly recorder: Recorder
  readonly trust: Trust
  readonly listener: Listener
}

/** The proxy, its upstream and its recorder. */
export class Stage {
  readonly upstream: ScriptedUpstream
  readonly server: ProxyServer
  readonly recorder: Recorder
  readonly #parts: Parts

  private constructor(parts: Parts) {
    this.upstream = parts.upstream
    this.server = parts.server
    this.recorder = parts.recorder
    this.#parts = parts
  }

  /**
   * Starts a scripted upstream, and the proxy with one listener of this kind in front of it. It preconnects nothing.
   */
  static async open(listener: Listener, options: StageOptions = {}): Promise<Stage> {
    const trust = await makeTrust()
    const upstream = await ScriptedUpstream.start()
    const config = configOf({
      PROXY_LISTEN: `${listener === 'smtps' ? 'smtps' : 'smtp'}://127.0.0.1:0`,
      PROXY_UPSTREAM: `smtp://${upstream.host}:${upstream.port}`,
      PROXY_UPSTREAM_CA_FILE: trust.caFile,
      PROXY_WARM_CONNECTIONS: '0',
      ...(listener !== 'plain' && certificateSettings(trust)),
      ...options.env,
    })
    const recorder = new Recorder()
    const server = await startServer({
      config,
      telemetry: recorder,
      ...(listener !== 'plain' && { certificate: { context: createSecureContext(trust.identity) } }),
      ...(options.limits && { limits: options.limits }),
    })
    return new Stage({ upstream, server, recorder, trust, listener })
  }

  /** The stage that this script needs. */
  static openFor({ listener, addresses }: Script): Promise<Stage> {
    return Stage.open(listener, { env: { PROXY_RECORD_ADDRESSES: addresses } })
  }

  /** The proxy's port. */
  get port(): number {
    return this.server.bound[0]!.port
  }

  /** What a client needs to verify the proxy's certificate. */
  get clientTls(): { readonly ca: string; readonly servername: string } {
    return this.#parts.trust.clientTls
  }

  /** Connects a client, with TLS on an `smtps` stage, and accepts the connection that the proxy dials for it. */
  async connect(): Promise<StagedSession> {
    const { trust, listener } = this.#parts
    const { transcript } = this.upstream
    transcript.clear()
    const number = this.recorder.sessions.length
    const tls = listener === 'smtps' ? { tls: this.clientTls } : {}
    const client = await connectClient({ port: this.port, transcript, ...tls })
    const upstream = await this.upstream.accept()
    const events = async () => (await this.recorder.ended(number, () => transcript)).events
    return { client, upstream, identity: trust.identity, events }
  }

  /** Stops the proxy and the upstream. Rejects when an observer failed or a session is still active. */
  async close(): Promise<void> {
    await this.server.close()
    await this.upstream.close()
    this.#parts.trust.remove()
    assert.deepEqual(this.recorder.failures, [], 'no observer failed')
    assert.equal(this.server.activeSessions, 0, 'every session has ended')
  }
}
