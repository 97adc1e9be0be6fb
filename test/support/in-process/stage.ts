/**
 * The proxy in this process between a scripted client and a scripted upstream, everything on loopback and on free
 * ports. One stage serves many sessions, one after the other.
 *
 *     const stage = await Stage.open('starttls')
 *     const session = await stage.connect()            // client and upstream are connected, the upstream is silent
 *     await playPreamble(session.upstream, session)    // greeting, EHLO, STARTTLS: what the proxy itself talks
 *     await session.client.readReply()
 *     ...
 *     const events = await session.events()            // waits for the end of the session
 *     await stage.close()
 */
import assert from 'node:assert/strict'
import { createSecureContext } from 'node:tls'
import type { Dial } from '../../../proxy/events/dial.ts'
import type { Observer, Telemetry } from '../../../proxy/events/observer.ts'
import type { SessionEvent, SessionOpen } from '../../../proxy/events/session-event.ts'
import { type LIMITS, type ProxyServer, startServer } from '../../../proxy/server/server.ts'
import { parseConfig } from '../../../proxy/settings/settings.ts'
import type { Listener, Script } from '../dialogues/dlg.ts'
import { connectClient, type Identity, type Peer, ScriptedUpstream } from '../sockets/scripted-peers.ts'
import type { Transcript } from '../sockets/transcript.ts'
import { makeAuthority, type TemporaryFiles, writeTemporaryFiles } from '../tls/certificates.ts'

/** How long the end of a session may take once its test is over, in milliseconds. Arbitrary: long on a busy machine. */
const LIMIT_MS = 15_000

/** The events of one session, as they come. */
class SessionRecord {
  readonly events: SessionEvent[] = []
  readonly #closed = Promise.withResolvers<void>()

  observe(event: SessionEvent): void {
    this.events.push(event)
    if (event.type === 'session-close') this.#closed.resolve()
  }

  /** Resolves when the session has closed; rejects with the transcript when it does not. */
  async closed(transcript: Transcript): Promise<void> {
    const late = () => this.#closed.reject(new Error(`the proxy did not close the session\n${transcript}`))
    const timer = setTimeout(late, LIMIT_MS)
    await this.#closed.promise.finally(() => clearTimeout(timer))
  }
}

/** Keeps all that the proxy reports. */
export class Recorder implements Telemetry {
  /** In the order in which they began. */
  readonly sessions: SessionRecord[] = []
  /** Dials that no session waited for. */
  readonly dials: Dial[] = []
  /** What observers, and the dialogue itself, threw. */
  readonly failures: unknown[] = []

  open(event: SessionOpen): Observer {
    const session = new SessionRecord()
    session.observe(event)
    this.sessions.push(session)
    return (next) => session.observe(next)
  }

  dial(event: Dial): void {
    this.dials.push(event)
  }

  observerFailed(error: unknown): void {
    this.failures.push(error)
  }
}

export interface StageOptions {
  /** Settings besides, as in the environment; they win. */
  readonly env?: Readonly<Record<string, string>>
  /** Shorter times than in production. */
  readonly limits?: Partial<typeof LIMITS>
}

/** One session through the proxy. */
export interface StagedSession {
  readonly client: Peer
  readonly upstream: Peer
  /** The upstream's certificate, which the proxy trusts. */
  readonly identity: Identity
  /** All events of this session. Waits until it has closed. */
  events(): Promise<readonly SessionEvent[]>
}

interface Parts {
  readonly upstream: ScriptedUpstream
  readonly server: ProxyServer
  readonly recorder: Recorder
  readonly identity: Identity
  readonly ca: string
  readonly listener: Listener
  readonly files: Pick<TemporaryFiles<string>, 'remove'>
}

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

  /** Starts a scripted upstream, and the proxy with one listener of this kind before it. Nothing is dialled ahead. */
  static async open(listener: Listener, options: StageOptions = {}): Promise<Stage> {
    const authority = await makeAuthority()
    const { certPem: cert, keyPem: key } = await authority.issue({
      dnsNames: ['localhost'],
      ipAddresses: ['127.0.0.1'],
    })
    const files = writeTemporaryFiles({ 'ca.pem': authority.certPem, 'cert.pem': cert, 'key.pem': key })
    const upstream = await ScriptedUpstream.start()
    const parsed = parseConfig({
      PROXY_LISTEN: `${listener === 'smtps' ? 'smtps' : 'smtp'}://127.0.0.1:0`,
      PROXY_UPSTREAM: `smtp://${upstream.host}:${upstream.port}`,
      PROXY_UPSTREAM_CA_FILE: files.paths['ca.pem'],
      PROXY_WARM_CONNECTIONS: '0',
      ...(listener !== 'plain' && {
        PROXY_TLS_CERT_FILE: files.paths['cert.pem'],
        PROXY_TLS_KEY_FILE: files.paths['key.pem'],
      }),
      ...options.env,
    })
    if ('mistakes' in parsed) throw new Error(parsed.mistakes.join('\n'))
    const recorder = new Recorder()
    const server = await startServer({
      config: parsed.config,
      telemetry: recorder,
      ...(listener !== 'plain' && { certificate: { context: createSecureContext({ cert, key }) } }),
      ...(options.limits && { limits: options.limits }),
    })
    return new Stage({ upstream, server, recorder, identity: { cert, key }, ca: authority.certPem, listener, files })
  }

  /** The stage that this script needs. */
  static openFor({ listener, addresses }: Script): Promise<Stage> {
    return Stage.open(listener, { env: { PROXY_RECORD_ADDRESSES: addresses } })
  }

  /** Where clients connect to. */
  get port(): number {
    return this.server.bound[0]!.port
  }

  /** What a client needs to know to trust the proxy. */
  get clientTls(): { readonly ca: string; readonly servername: string } {
    return { ca: this.#parts.ca, servername: 'localhost' }
  }

  /** Connects a client, inside TLS on an `smtps` stage, and takes the connection that the proxy dials for it. */
  async connect(): Promise<StagedSession> {
    const { identity, listener } = this.#parts
    const { transcript } = this.upstream
    transcript.clear()
    const number = this.recorder.sessions.length
    const tls = listener === 'smtps' ? { tls: this.clientTls } : {}
    const client = await connectClient({ port: this.port, transcript, ...tls })
    const upstream = await this.upstream.accept()
    const record = this.recorder.sessions[number]!
    return { client, upstream, identity, events: () => record.closed(transcript).then(() => record.events) }
  }

  /** Ends the proxy and the upstream. Rejects when an observer failed or a session was left over. */
  async close(): Promise<void> {
    await this.server.close()
    await this.upstream.close()
    this.#parts.files.remove()
    assert.deepEqual(this.recorder.failures, [], 'no observer failed')
    assert.equal(this.server.activeSessions, 0, 'every session has left')
  }
}
