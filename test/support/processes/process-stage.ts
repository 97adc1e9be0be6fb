/** The proxy as a process of its own between scripted peers: it works while they do, and its memory is its own. */
import { readFileSync } from 'node:fs'
import { makeTrust, type Trust } from '../in-process/dial-rig.ts'
import { connectClient, type Peer, playPreamble, ScriptedUpstream } from '../sockets/scripted-peers.ts'
import { type ProxyOptions, type ProxyProcess, startProxy } from './proxy-process.ts'

export interface ProcessStageOptions {
  /** What the proxy listens to; `plain` unless given. With another one, clients trust `caFile` and the name `localhost`. */
  readonly listener?: 'plain' | 'starttls' | 'smtps'
  /** The upstream speaks no TLS. */
  readonly clear?: boolean
  /** Settings besides; they win. */
  readonly env?: Readonly<Record<string, string>>
  /** How the proxy's process is started. */
  readonly options?: ProxyOptions
}

export class ProcessStage {
  readonly proxy: ProxyProcess
  readonly #upstream: ScriptedUpstream
  readonly #trust: Trust
  readonly #clear: boolean

  private constructor(proxy: ProxyProcess, upstream: ScriptedUpstream, trust: Trust, clear: boolean) {
    this.proxy = proxy
    this.#upstream = upstream
    this.#trust = trust
    this.#clear = clear
  }

  /** PEM file with the authority of all certificates here. */
  get caFile(): string {
    return this.#trust.caFile
  }

  /** What a client needs to know to trust the proxy and the upstream. */
  get clientTls(): { readonly ca: string; readonly servername: string } {
    return { ca: this.#trust.authority.certPem, servername: 'localhost' }
  }

  /** Starts the upstream and the proxy. Nothing is preconnected. */
  static async open({
    listener = 'plain',
    clear = false,
    env = {},
    options = {},
  }: ProcessStageOptions = {}): Promise<ProcessStage> {
    const trust = await makeTrust()
    const upstream = await ScriptedUpstream.start()
    const settings = {
      PROXY_UPSTREAM: `smtp://127.0.0.1:${upstream.port}${clear ? '?tls=off' : ''}`,
      PROXY_UPSTREAM_CA_FILE: trust.caFile,
      PROXY_WARM_CONNECTIONS: '0',
      ...(listener !== 'plain' && { PROXY_TLS_CERT_FILE: trust.certFile, PROXY_TLS_KEY_FILE: trust.keyFile }),
      ...(listener === 'smtps' && { PROXY_LISTEN: 'smtps://127.0.0.1:0' }),
      ...env,
    }
    const proxy = await startProxy(settings, options)
    return new ProcessStage(proxy, upstream, trust, clear)
  }

  /** Connects a client, and takes the connection that the proxy makes for it. The upstream has said nothing yet. */
  async connect(): Promise<{ readonly client: Peer; readonly upstream: Peer }> {
    this.#upstream.transcript.clear()
    const client = await connectClient({ port: this.proxy.port, transcript: this.#upstream.transcript })
    return { client, upstream: await this.#upstream.accept() }
  }

  /** A session of which the client has read the greeting. */
  async greeted(): Promise<{ readonly client: Peer; readonly upstream: Peer }> {
    const { client, upstream } = await this.connect()
    await this.greet(upstream)
    await client.readReply()
    return { client, upstream }
  }

  /** The connection that the proxy makes for the next client. The upstream has said nothing yet. */
  async accept(): Promise<Peer> {
    return await this.#upstream.accept()
  }

  /** Plays the upstream up to its greeting: what it reads from here on is the client's. */
  async greet(upstream: Peer): Promise<void> {
    if (this.#clear) await upstream.send('220 mail.example ESMTP\r\n')
    else await playPreamble(upstream, this.#trust)
  }

  /** The same without the proxy: a client that is connected to the upstream itself, and inside TLS if the proxy would be. */
  async direct(): Promise<{ readonly client: Peer; readonly upstream: Peer }> {
    this.#upstream.transcript.clear()
    const client = await connectClient({ port: this.#upstream.port, transcript: this.#upstream.transcript })
    const upstream = await this.#upstream.accept()
    if (!this.#clear)
      await Promise.all([upstream.secureAsServer(this.#trust.identity), client.secureAsClient(this.clientTls)])
    await upstream.send('220 mail.example ESMTP\r\n')
    await client.readReply()
    return { client, upstream }
  }

  /** Resident memory of the proxy, in MiB. */
  get residentMib(): number {
    return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${this.proxy.pid}/status`, 'utf8'))?.[1]) / 1024
  }

  /** Ends both. */
  async close(): Promise<void> {
    await this.proxy.stop('SIGKILL')
    await this.#upstream.close()
    this.#trust.remove()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** Sends `said` and waits for the reply that the other side is to give. */
export async function exchange(
  { client, upstream }: { readonly client: Peer; readonly upstream: Peer },
  said: string,
  answer: string,
): Promise<void> {
  await client.send(said)
  await upstream.readUntil(said)
  await upstream.send(answer)
  await client.readReply()
}
