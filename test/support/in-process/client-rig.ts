/**
 * Greeted sessions through a proxy in this process, for tests of what happens between client and proxy: which listener,
 * which certificate, who may come in. The certificate is loaded from files, as in production.
 *
 *     const rig = await ClientRig.open({ listener: 'starttls' })
 *     const session = await rig.greeted()
 *     assert.equal(await session.relayed('NOOP\r\n', '250 ok\r\n'), '250 ok\r\n')
 *     await session.end()
 *     await rig.close()
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { type ListenerCertificate, loadCertificate } from '../../../proxy/net/listener-certificate.ts'
import { type LIMITS, type ProxyServer, startServer } from '../../../proxy/server/server.ts'
import { parseConfig } from '../../../proxy/settings/settings.ts'
import {
  connectClient,
  type Identity,
  type Peer,
  playPreamble,
  ScriptedUpstream,
  startTls,
} from '../sockets/scripted-peers.ts'
import { type TemporaryFiles, writeTemporaryFiles } from '../tls/certificates.ts'
import { makeTrust, type RecordedSession, Recorder, type Trust } from './dial-rig.ts'

/** Kinds of listener; all but `plain` have a certificate. */
export type Listener = 'plain' | 'starttls' | 'starttls-required' | 'smtps'

export interface ClientRigOptions {
  readonly listener: Listener
  /** Settings besides. */
  readonly env?: Readonly<Record<string, string>>
  readonly limits?: Partial<typeof LIMITS>
}

/** What an upstream offers inside TLS, unless a test says otherwise. */
const EXTENSIONS = ['mail.example', 'PIPELINING', 'SIZE 20971520', '8BITMIME', 'AUTH PLAIN', 'ENHANCEDSTATUSCODES']

/** A 250 of several lines. */
export function ehloReply(lines: readonly string[] = EXTENSIONS): string {
  return lines.map((line, index) => `250${index < lines.length - 1 ? '-' : ' '}${line}\r\n`).join('')
}

const URLS: Readonly<Record<Listener, string>> = {
  plain: 'smtp://127.0.0.1:0',
  starttls: 'smtp://127.0.0.1:0',
  'starttls-required': 'smtp://127.0.0.1:0?starttls=required',
  smtps: 'smtps://127.0.0.1:0',
}

/** How a client comes to the proxy. */
export interface Arrival {
  /** The proxy's port unless given: that of a relay to it. */
  readonly port?: number
  /** What a load balancer writes before anything else. */
  readonly header?: string | Buffer
}

type CertificateFile = 'cert.pem' | 'key.pem'

export class ClientRig {
  readonly upstream: ScriptedUpstream
  readonly server: ProxyServer
  /** Everything that the proxy reports. */
  readonly recorder: Recorder
  readonly listener: Listener
  /** The listener's. */
  readonly certificate: ListenerCertificate
  readonly #trust: Trust
  readonly #files: TemporaryFiles<CertificateFile>
  #greeted: Promise<unknown> = Promise.resolve()

  private constructor(parts: Omit<Parts, 'trust' | 'files'>, { trust, files }: Pick<Parts, 'trust' | 'files'>) {
    this.upstream = parts.upstream
    this.server = parts.server
    this.recorder = parts.recorder
    this.listener = parts.listener
    this.certificate = parts.certificate
    this.#trust = trust
    this.#files = files
  }

  /** Starts the proxy and a scripted upstream. */
  static async open({ listener, env, limits }: ClientRigOptions): Promise<ClientRig> {
    const trust = await makeTrust()
    const files = writeTemporaryFiles({ 'cert.pem': trust.identity.cert, 'key.pem': trust.identity.key })
    const certificate = loadCertificate({ certFile: files.paths['cert.pem'], keyFile: files.paths['key.pem'] })
    if ('error' in certificate) throw new Error(certificate.error)
    const upstream = await ScriptedUpstream.start()
    const secure = { PROXY_TLS_CERT_FILE: files.paths['cert.pem'], PROXY_TLS_KEY_FILE: files.paths['key.pem'] }
    const parsed = parseConfig({
      PROXY_LISTEN: URLS[listener],
      PROXY_UPSTREAM: `smtp://127.0.0.1:${upstream.port}`,
      PROXY_UPSTREAM_CA_FILE: trust.caFile,
      PROXY_WARM_CONNECTIONS: '0',
      ...(listener !== 'plain' && secure),
      ...env,
    })
    if ('mistakes' in parsed) throw new Error(parsed.mistakes.join('\n'))
    const recorder = new Recorder()
    const server = await startServer({
      config: parsed.config,
      telemetry: recorder,
      ...(limits && { limits }),
      ...(listener !== 'plain' && { certificate }),
    })
    return new ClientRig({ upstream, server, recorder, listener, certificate }, { trust, files })
  }

  /** The proxy's port. */
  get port(): number {
    return this.server.bound[0]!.port
  }

  /** What a client needs to know to trust the proxy. */
  get clientTls(): { readonly ca: string; readonly servername: string } {
    return { ca: this.#trust.authority.certPem, servername: 'localhost' }
  }

  /** The upstream's certificate. */
  get identity(): Identity {
    return this.#trust.identity
  }

  /** Puts another certificate of the same authority into the files and returns its key; the proxy is not told. */
  async replaceCertificate(): Promise<Identity> {
    const { certPem, keyPem } = await this.#trust.authority.issue({ dnsNames: ['localhost'] })
    this.writeFile('cert.pem', certPem)
    this.writeFile('key.pem', keyPem)
    return { cert: certPem, key: keyPem }
  }

  writeFile(name: CertificateFile, text: string): void {
    writeFileSync(this.#files.paths[name], text)
  }

  /** A connected client, in the clear, that has read nothing yet. `port` is the proxy's, or of a relay to it. */
  client(port = this.port): Promise<Peer> {
    return connectClient({ port, transcript: this.upstream.transcript })
  }

  /** A session that is greeted and has said nothing: one at a time, so that client and upstream belong together. */
  greeted(arrival: Arrival = {}): Promise<GreetedSession> {
    const session = this.#greeted.then(() => this.#greet(arrival))
    this.#greeted = session.catch(() => {})
    return session
  }

  /** Plays the upstream up to the point where it may hear the client. */
  async preamble(upstream: Peer): Promise<void> {
    await playPreamble(upstream, { identity: this.identity })
  }

  /** Ends everything. Rejects when an observer failed or a session is left over. */
  async close(): Promise<void> {
    this.#trust.remove()
    this.#files.remove()
    await this.server.close()
    await this.upstream.close()
    assert.deepEqual(this.recorder.failures, [], 'no observer failed')
    assert.equal(this.server.activeSessions, 0, 'every session has left')
  }

  /** Waits until no session is left in the proxy: all peers are gone, so nothing else can end them. */
  async quiet(): Promise<void> {
    const deadline = performance.now() + QUIET_LIMIT_MS
    while (this.server.activeSessions > 0) {
      assert.ok(performance.now() < deadline, `sessions are left\n${this.upstream.transcript}`)
      await new Promise((turn) => setTimeout(turn, 1))
    }
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

/** How long sessions may take to leave, in milliseconds. Arbitrary: long on a busy machine. */
const QUIET_LIMIT_MS = 5000

interface Parts {
  readonly upstream: ScriptedUpstream
  readonly server: ProxyServer
  readonly recorder: Recorder
  readonly listener: Listener
  readonly certificate: ListenerCertificate
  readonly trust: Trust
  readonly files: TemporaryFiles<CertificateFile>
}

/** A client and the upstream that it talks to. */
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

  /** The client says something, which the upstream must read next and unchanged; returns what the client is answered. */
  async relayed(said: string, answer: string): Promise<string> {
    await this.client.send(said)
    await this.reaches(said)
    await this.upstream.send(answer)
    return await this.client.readReply()
  }

  /** Fails unless the next octets that the upstream reads are these. */
  async reaches(said: string): Promise<void> {
    assert.equal((await this.upstream.readBytes(said.length)).toString('latin1'), said)
  }

  /** The client says something and is answered, by whom ever. */
  async answered(said: string): Promise<string> {
    await this.client.send(said)
    return await this.client.readReply()
  }

  /** Proves that the session works, and that nothing is on its way to either side: one more command and its answer. */
  async goesOn(): Promise<void> {
    assert.equal(await this.relayed('NOOP still here\r\n', '250 here\r\n'), '250 here\r\n')
  }

  /** EHLO; returns the list that the client sees. */
  async ehlo(reply: string = ehloReply()): Promise<string> {
    return await this.relayed('EHLO app.example\r\n', reply)
  }

  async startTls(): Promise<void> {
    assert.equal(
      await startTls(this.client, this.#rig.clientTls),
      '220 2.0.0 ahasend-smtp-proxy: ready to start TLS\r\n',
    )
  }

  /** Drops both ends and waits until the proxy has forgotten the session. */
  async end(): Promise<void> {
    this.client.destroy()
    this.upstream.destroy()
    await this.#rig.quiet()
  }
}
