/**
 * Greeted sessions through a proxy in this process, for tests of what happens between client and proxy: the listener,
 * its certificate, and which clients may connect. The certificate is loaded from files, as in production.
 *
 *     const rig = await ClientRig.open({ listener: 'starttls' })
 *     const session = await rig.greeted()
 *     assert.equal(await session.relayed('NOOP\r\n', '250 ok\r\n'), '250 ok\r\n')
 *     await session.end()
 *     await rig.close()
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { setImmediate as endOfTurn } from 'node:timers/promises'
import { type ListenerCertificate, loadCertificate } from '../../../proxy/net/listener-certificate.ts'
import { type LIMITS, type ProxyServer, startServer } from '../../../proxy/server/server.ts'
import {
  connectClient,
  type Identity,
  type Peer,
  playPreamble,
  ScriptedUpstream,
  startTls,
} from '../sockets/scripted-peers.ts'
import { until } from '../waiting/until.ts'
import { configOf } from './config.ts'
import { type RecordedSession, Recorder } from './recorder.ts'
import { certificateSettings, makeTrust, type Trust } from './trust.ts'

/** Kinds of listener; all but `plain` have a certificate. */
export type Listener = 'plain' | 'starttls' | 'starttls-required' | 'smtps'

export interface ClientRigOptions {
  readonly listener: Listener
  /** Further settings; they override the defaults. */
  readonly env?: Readonly<Record<string, string>>
  readonly limits?: Partial<typeof LIMITS>
}

/** The extensions that the upstream offers inside TLS by default. */
const EXTENSIONS = ['mail.example', 'PIPELINING', 'SIZE 20971520', '8BITMIME', 'AUTH PLAIN', 'ENHANCEDSTATUSCODES']

/** A 250 reply with these lines. */
export function ehloReply(lines: readonly string[] = EXTENSIONS): string {
  return lines.map((line, index) => `250${index < lines.length - 1 ? '-' : ' '}${line}\r\n`).join('')
}

const URLS: Readonly<Record<Listener, string>> = {
  plain: 'smtp://127.0.0.1:0',
  starttls: 'smtp://127.0.0.1:0',
  'starttls-required': 'smtp://127.0.0.1:0?starttls=required',
  smtps: 'smtps://127.0.0.1:0',
}

/** How a client connects to the proxy. */
export interface Arrival {
  /** The port of a relay to the proxy. Default: the proxy's own port. */
  readonly port?: number
  /** What a load balancer writes first: the header of the PROXY protocol. */
  readonly header?: string | Buffer
}

export class ClientRig {
  readonly upstream: ScriptedUpstream
  readonly server: ProxyServer
  /** Everything that the proxy reports. */
  readonly recorder: Recorder
  readonly listener: Listener
  /** The listener's certificate. */
  readonly certificate: ListenerCertificate
  readonly #trust: Trust
  #greeted: Promise<unknown> = Promise.resolve()

  private constructor(parts: Parts) {
    this.upstream = parts.upstream
    this.server = parts.server
    this.recorder = parts.recorder
    this.listener = parts.listener
    this.certificate = parts.certificate
    this.#trust = parts.trust
  }

  /** Starts the proxy and a scripted upstream. */
  static async open({ listener, env, limits }: ClientRigOptions): Promise<ClientRig> {
    const trust = await makeTrust()
    const certificate = loadCertificate(trust)
    if ('error' in certificate) throw new Error(certificate.error)
    const upstream = await ScriptedUpstream.start()
    const config = configOf({
      PROXY_LISTEN: URLS[listener],
      PROXY_UPSTREAM: `smtp://127.0.0.1:${upstream.port}`,
      PROXY_UPSTREAM_CA_FILE: trust.caFile,
      PROXY_WARM_CONNECTIONS: '0',
      ...(listener !== 'plain' && certificateSettings(trust)),
      ...env,
    })
    const recorder = new Recorder()
    const server = await startServer({
      config,
      telemetry: recorder,
      ...(limits && { limits }),
      ...(listener !== 'plain' && { certificate }),
    })
    return new ClientRig({ upstream, server, recorder, listener, certificate, trust })
  }

  /** The proxy's port. */
  get port(): number {
    return this.server.bound[0]!.port
  }

  /** What a client needs to verify the proxy's certificate. */
  get clientTls(): { readonly ca: string; readonly servername: string } {
    return this.#trust.clientTls
  }

  /** The upstream's certificate. */
  get identity(): Identity {
    return this.#trust.identity
  }

  /** Writes another certificate of the same authority to the files and returns it. The proxy does not reload it. */
  async replaceCertificate(): Promise<Identity> {
    const { certPem, keyPem } = await this.#trust.authority.issue({ dnsNames: ['localhost'] })
    this.writeFile('certFile', certPem)
    this.writeFile('keyFile', keyPem)
    return { cert: certPem, key: keyPem }
  }

  /** Replaces one file of the listener's certificate. */
  writeFile(name: 'certFile' | 'keyFile', text: string): void {
    writeFileSync(this.#trust[name], text)
  }

  /**
   * A connected client, without TLS, that has read nothing yet. `port` is the port of the proxy or of a relay to it.
   */
  client(port = this.port): Promise<Peer> {
    return connectClient({ port, transcript: this.upstream.transcript })
  }

  /** A session whose client has read the greeting. Sessions begin one at a time, so that client and upstream match. */
  greeted(arrival: Arrival = {}): Promise<GreetedSession> {
    const session = this.#greeted.then(() => this.#greet(arrival))
    this.#greeted = session.catch(() => {})
    return session
  }

  /** Plays the upstream up to its greeting. After it, the upstream reads what the client sends. */
  async preamble(upstream: Peer): Promise<void> {
    await playPreamble(upstream, { identity: this.identity })
  }

  /** Stops everything. Rejects when an observer failed or a session is still active. */
  async close(): Promise<void> {
    this.#trust.remove()
    await this.server.close()
    await this.upstream.close()
    assert.deepEqual(this.recorder.failures, [], 'no observer failed')
    assert.deepEqual(this.recorder.preconnects, [], 'a session waited for each dial')
    assert.equal(this.server.activeSessions, 0, 'every session has ended')
  }

  /** Waits until the proxy has no active session. All peers must be closed, because nothing else ends sessions. */
  async quiet(): Promise<void> {
    const what = () => `no session is active\n${this.upstream.transcript}`
    await until(what, () => this.server.activeSessions === 0, { limitMs: QUIET_LIMIT_MS, everyMs: 1 })
    // events are delivered at the end of their turn
    await endOfTurn()
  }

  async #greet({ port, header }: Arrival): Promise<GreetedSession> {
    this.upstream.transcript.clear()
    const events = this.recorder.sessions.length
    const client = await this.client(port)
    if (header) await client.send(header)
    if (this.listener === 'smtps') await client.secureAsClient(this.clientTls)
    const upstream = await this.upstream.accept()
    await this.preamble(upstream)
    assert.equal(await client.readReply(), '220 mail.example ESMTP\r\n')
    const session = this.recorder.sessions[events]
    assert.ok(session)
    return new GreetedSession(this, client, upstream, session)
  }
}

/** How long sessions may take to end, in milliseconds. Arbitrary: long on a busy machine. */
const QUIET_LIMIT_MS = 5000

interface Parts {
  readonly upstream: ScriptedUpstream
  readonly server: ProxyServer
  readonly recorder: Recorder
  readonly listener: Listener
  readonly certificate: ListenerCertificate
  readonly trust: Trust
}

/** A client and its upstream connection. */
export class GreetedSession {
  readonly client: Peer
  readonly upstream: Peer
  readonly recorded: RecordedSession
  readonly #rig: ClientRig

  constructor(rig: ClientRig, client: Peer, upstream: Peer, recorded: RecordedSession) {
    this.#rig = rig
    this.client = client
    this.upstream = upstream
    this.recorded = recorded
  }

  /**
   * Sends `line` from the client. The upstream must read it next, unchanged, and answers; returns what the client
   * reads.
   */
  async relayed(line: string, answer: string): Promise<string> {
    await this.client.send(line)
    await this.reaches(line)
    await this.upstream.send(answer)
    return await this.client.readReply()
  }

  /** Fails unless the upstream reads exactly `text` next. */
  async reaches(text: string): Promise<void> {
    assert.equal((await this.upstream.readBytes(text.length)).toString('latin1'), text)
  }

  /** Sends `line` from the client and returns the reply, from the upstream or from the proxy. */
  async answered(line: string): Promise<string> {
    await this.client.send(line)
    return await this.client.readReply()
  }

  /** Proves that the session works and that no other bytes are in flight: relays one more command and its reply. */
  async goesOn(): Promise<void> {
    assert.equal(await this.relayed('NOOP still here\r\n', '250 here\r\n'), '250 here\r\n')
  }

  /** Sends EHLO; returns the reply that the client reads. */
  async ehlo(reply: string = ehloReply()): Promise<string> {
    return await this.relayed('EHLO app.example\r\n', reply)
  }

  async startTls(): Promise<void> {
    assert.equal(
      await startTls(this.client, this.#rig.clientTls),
      '220 2.0.0 ahasend-smtp-proxy: ready to start TLS\r\n',
    )
  }

  /** Closes both ends and waits until the proxy has ended the session. */
  async end(): Promise<void> {
    this.client.destroy()
    this.upstream.destroy()
    await this.#rig.quiet()
  }
}
