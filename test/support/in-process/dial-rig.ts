/**
 * The proxy in this process, on a free port, with everything that it reports: for tests of what happens between accept
 * and greeting. Connections are never dialled ahead here, so each upstream connection belongs to one client.
 */
import assert from 'node:assert/strict'
import { createSecureContext } from 'node:tls'
import type { Dial } from '../../../proxy/events/dial.ts'
import type { Observer, Telemetry } from '../../../proxy/events/observer.ts'
import type { SessionEvent, SessionOpen } from '../../../proxy/events/session-event.ts'
import { type LIMITS, type ProxyServer, startServer } from '../../../proxy/server/server.ts'
import { parseConfig } from '../../../proxy/settings/settings.ts'
import { connectClient, type Identity, type Peer, ScriptedUpstream } from '../sockets/scripted-peers.ts'
import type { Transcript } from '../sockets/transcript.ts'
import { type Authority, makeAuthority, writeTemporaryFiles } from '../tls/certificates.ts'

/** How long a test waits for an event of the proxy. Arbitrary: long on a busy machine. */
const LIMIT_MS = 10_000

type EventOf<Type extends SessionEvent['type']> = Extract<SessionEvent, { readonly type: Type }>

/** The events of one session. */
export class RecordedSession {
  readonly events: SessionEvent[] = []

  get hasClosed(): boolean {
    return this.all('session-close').length > 0
  }

  all<Type extends SessionEvent['type']>(type: Type): EventOf<Type>[] {
    return this.events.filter((event): event is EventOf<Type> => event.type === type)
  }

  /** The only event of this type. Fails when there is none, or more than one. */
  one<Type extends SessionEvent['type']>(type: Type): EventOf<Type> {
    const found = this.all(type)
    assert.equal(found.length, 1, `one ${type} among: ${this.events.map((event) => event.type).join(' ')}`)
    return found[0]!
  }
}

/** Keeps all that the proxy reports. */
export class Recorder implements Telemetry {
  /** In the order in which they began. */
  readonly sessions: RecordedSession[] = []
  readonly failures: unknown[] = []
  #waiting: (() => void)[] = []

  open(event: SessionOpen): Observer {
    const session = new RecordedSession()
    this.sessions.push(session)
    const observe = (next: SessionEvent) => {
      session.events.push(next)
      for (const look of this.#waiting.splice(0)) look()
    }
    observe(event)
    return observe
  }

  dial(event: Dial): void {
    this.failures.push(new Error(`a dial that no session waited for: ${event.serverAddress}`))
  }

  observerFailed(error: unknown): void {
    this.failures.push(error)
  }

  get dials(): Dial[] {
    return this.sessions.flatMap((session) => session.all('dial'))
  }

  /** Waits until so many sessions have closed; returns the last of all. */
  async closed(count = 1): Promise<RecordedSession> {
    await this.#until(() => this.sessions.filter((session) => session.hasClosed).length >= count)
    return this.sessions.at(-1)!
  }

  /** Waits until the session that began as number `index`, from 0, has closed. */
  async ended(index: number): Promise<RecordedSession> {
    await this.#until(() => this.sessions[index]?.hasClosed === true)
    return this.sessions[index]!
  }

  async #until(done: () => boolean): Promise<void> {
    const deadline = performance.now() + LIMIT_MS
    while (!done()) {
      const left = deadline - performance.now()
      assert.ok(left > 0, `too few sessions closed: ${JSON.stringify(this.sessions, undefined, 1)}`)
      await new Promise<void>((look) => {
        const timer = setTimeout(look, left)
        this.#waiting.push(() => {
          clearTimeout(timer)
          look()
        })
      })
    }
  }
}

/** An authority that the proxy trusts, and a good certificate for `localhost` and 127.0.0.1; both also as files. */
export interface Trust {
  readonly authority: Authority
  readonly caFile: string
  readonly certFile: string
  readonly keyFile: string
  readonly identity: Identity
  remove(): void
}

/** Makes one; `dnsNames` are further names that the certificate is good for. */
export async function makeTrust(dnsNames: readonly string[] = []): Promise<Trust> {
  const authority = await makeAuthority()
  const { certPem, keyPem } = await authority.issue({
    dnsNames: ['localhost', ...dnsNames],
    ipAddresses: ['127.0.0.1'],
  })
  const files = writeTemporaryFiles({ 'ca.pem': authority.certPem, 'cert.pem': certPem, 'key.pem': keyPem })
  return {
    authority,
    caFile: files.paths['ca.pem'],
    certFile: files.paths['cert.pem'],
    keyFile: files.paths['key.pem'],
    identity: { cert: certPem, key: keyPem },
    remove: () => files.remove(),
  }
}

export interface DialRigOptions {
  /** Settings besides; they win. */
  readonly env?: Readonly<Record<string, string>>
  readonly limits?: Partial<typeof LIMITS>
  /** True: the listener is inside TLS from the first octet. `connect` still gives a client in the clear. */
  readonly smtps?: boolean
}

/** A running proxy. */
export interface DialRig {
  readonly server: ProxyServer
  readonly recorder: Recorder
  readonly port: number
  /** Connects a client to it. */
  connect(transcript?: Transcript): Promise<Peer>
  [Symbol.asyncDispose](): Promise<void>
}

/** Starts a proxy in front of `upstreams` (each `host:port`, parameters allowed). */
export async function startDialRig(
  upstreams: readonly string[],
  trust: Trust | undefined,
  options: DialRigOptions = {},
): Promise<DialRig> {
  const parsed = parseConfig({
    PROXY_LISTEN: 'smtp://127.0.0.1:0',
    PROXY_UPSTREAM: upstreams.map((upstream) => `smtp://${upstream}`).join(','),
    PROXY_WARM_CONNECTIONS: '0',
    ...(trust && { PROXY_UPSTREAM_CA_FILE: trust.caFile }),
    ...(options.smtps && trust && smtpsSettings(trust)),
    ...options.env,
  })
  if ('mistakes' in parsed) throw new Error(parsed.mistakes.join('\n'))
  const { limits, smtps } = options
  const recorder = new Recorder()
  const telemetry = recorder
  const server = await startServer({
    config: parsed.config,
    telemetry,
    ...(limits && { limits }),
    ...(smtps && trust && { certificate: { context: createSecureContext(trust.identity) } }),
  })
  const { address: host, port } = server.bound[0]!
  return {
    server,
    recorder,
    port,
    connect: (transcript) => connectClient({ host, port, ...(transcript && { transcript }) }),
    [Symbol.asyncDispose]: async () => {
      await server.close()
      assert.deepEqual(recorder.failures, [], 'no observer failed')
      assert.equal(server.activeSessions, 0, 'every session has left')
    },
  }
}

function smtpsSettings({ certFile, keyFile }: Trust): Record<string, string> {
  return { PROXY_LISTEN: 'smtps://127.0.0.1:0', PROXY_TLS_CERT_FILE: certFile, PROXY_TLS_KEY_FILE: keyFile }
}

/** A proxy in front of one scripted upstream; both write into one transcript. */
export interface Scene extends DialRig {
  readonly upstream: ScriptedUpstream
  /** Connects a client, and waits for the proxy's connection to the upstream. */
  meet(): Promise<{ readonly client: Peer; readonly peer: Peer }>
}

export interface SceneOptions extends DialRigOptions {
  /** The name by which the proxy knows the upstream. Default `localhost`. */
  readonly host?: string
  /** Leaves TLS out, which is possible at 127.0.0.1 only. */
  readonly clear?: boolean
}

/** Starts both. Everything ends when the scene is disposed of. */
export async function startScene(trust: Trust | undefined, options: SceneOptions = {}): Promise<Scene> {
  const upstream = await ScriptedUpstream.start()
  const address = options.clear
    ? `127.0.0.1:${upstream.port}?tls=off`
    : `${options.host ?? 'localhost'}:${upstream.port}`
  const rig = await startDialRig([address], trust, options)
  const connect = () => rig.connect(upstream.transcript)
  return {
    ...rig,
    upstream,
    connect,
    meet: async () => ({ client: await connect(), peer: await upstream.accept() }),
    [Symbol.asyncDispose]: async () => {
      await rig[Symbol.asyncDispose]().finally(() => upstream.close())
    },
  }
}
