/** The proxy as a separate process between scripted peers: it runs in parallel with them, and has its own memory. */

import { certificateSettings, makeTrust, type Trust } from '../in-process/trust.ts'
import { connectClient, type Peer, playPreamble, ScriptedUpstream } from '../sockets/scripted-peers.ts'
import { residentMib } from './memory.ts'
import { type ProxyOptions, type ProxyProcess, startProxy } from './proxy-process.ts'

export interface ProcessStageOptions {
  /** The kind of listener. Default `plain`. With the others, clients trust `caFile` and verify the name `localhost`. */
  readonly listener?: 'plain' | 'starttls' | 'smtps'
  /** True: the upstream does not use TLS. */
  readonly plaintext?: boolean
  /** Further settings; they override the defaults. */
  readonly env?: Readonly<Record<string, string>>
  /** How to start the process. */
  readonly options?: ProxyOptions
}

export class ProcessStage {
  readonly proxy: ProxyProcess
  readonly #upstream: ScriptedUpstream
  readonly #trust: Trust
  readonly #plaintext: boolean

  private constructor(proxy: ProxyProcess, upstream: ScriptedUpstream, trust: Trust, plaintext: boolean) {
    this.proxy = proxy
    this.#upstream = upstream
    this.#trust = trust
    this.#plaintext = plaintext
  }

  /** The PEM file of the authority that signed all certificates here. */
  get caFile(): string {
    return this.#trust.caFile
  }

  /** What a client needs to verify the certificates of the proxy and the upstream. */
  get clientTls(): { readonly ca: string; readonly servername: string } {
    return this.#trust.clientTls
  }

  /** Starts the upstream and the proxy. The proxy preconnects nothing. */
  static async open({
    listener = 'plain',
    plaintext = false,
    env = {},
    options = {},
  }: ProcessStageOptions = {}): Promise<ProcessStage> {
    const trust = await makeTrust()
    const upstream = await ScriptedUpstream.start()
    const settings = {
      PROXY_UPSTREAM: `smtp://127.0.0.1:${upstream.port}${plaintext ? '?tls=off' : ''}`,
      PROXY_UPSTREAM_CA_FILE: trust.caFile,
      PROXY_WARM_CONNECTIONS: '0',
      ...(listener !== 'plain' && certificateSettings(trust)),
      ...(listener === 'smtps' && { PROXY_LISTEN: 'smtps://127.0.0.1:0' }),
      ...env,
    }
    const proxy = await startProxy(settings, options)
    return new ProcessStage(proxy, upstream, trust, plaintext)
  }

  /** Connects a client, and accepts the connection that the proxy dials for it. The upstream has sent nothing yet. */
  async connect(): Promise<{ readonly client: Peer; readonly upstream: Peer }> {
    this.#upstream.transcript.clear()
    const client = await connectClient({ port: this.proxy.port, transcript: this.#upstream.transcript })
    return { client, upstream: await this.#upstream.accept() }
  }

  /** A session whose client has read the greeting. */
  async greeted(): Promise<{ readonly client: Peer; readonly upstream: Peer }> {
    const { client, upstream } = await this.connect()
    await this.greet(upstream)
    await client.readReply()
    return { client, upstream }
  }

  /** The connection that the proxy dials for the next client. The upstream has sent nothing yet. */
  async accept(): Promise<Peer> {
    return await this.#upstream.accept()
  }

  /** Plays the upstream up to its greeting. After it, the upstream reads what the client sends. */
  async greet(upstream: Peer): Promise<void> {
    if (this.#plaintext) await upstream.send('220 mail.example ESMTP\r\n')
    else await playPreamble(upstream, this.#trust)
  }

  /** A session without the proxy: the client connects to the upstream itself, with TLS where the proxy would use it. */
  async direct(): Promise<{ readonly client: Peer; readonly upstream: Peer }> {
    this.#upstream.transcript.clear()
    const client = await connectClient({ port: this.#upstream.port, transcript: this.#upstream.transcript })
    const upstream = await this.#upstream.accept()
    if (!this.#plaintext)
      await Promise.all([upstream.secureAsServer(this.#trust.identity), client.secureAsClient(this.clientTls)])
    await upstream.send('220 mail.example ESMTP\r\n')
    await client.readReply()
    return { client, upstream }
  }

  /** The proxy's resident memory, in MiB. */
  get residentMib(): number {
    return residentMib(this.proxy.pid)
  }

  /** Stops both. */
  async close(): Promise<void> {
    await this.proxy.stop('SIGKILL')
    await this.#upstream.close()
    this.#trust.remove()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** Sends `command` from the client, answers it from the upstream, and waits until the client has read the reply. */
export async function exchange(
  { client, upstream }: { readonly client: Peer; readonly upstream: Peer },
  command: string,
  answer: string,
): Promise<void> {
  await client.send(command)
  await upstream.readUntil(command)
  await upstream.send(answer)
  await client.readReply()
}
