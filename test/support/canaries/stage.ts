/** The proxy as a process with maximum output, between a client and an upstream that send canaries. */
import { once } from 'node:events'
import * as net from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import type * as tls from 'node:tls'
import { type TemporaryFiles, writeTemporaryFiles } from '../files/temporary-files.ts'
import { type OtlpReceiver, startReceiver } from '../otlp/otlp-receiver.ts'
import { type ProxyProcess, startProxy } from '../processes/proxy-process.ts'
import { type Identity, Peer, ScriptedUpstream } from '../sockets/scripted-peers.ts'
import { type Authority, makeAuthority } from '../tls/certificates.ts'
import { Canaries, type Sinks } from './canaries.ts'

/** Throws an error with text from the environment on SIGUSR2: it stands for a bug that quotes a peer. */
const BUG = `process.on('SIGUSR2', () => { throw new TypeError(process.env.BUG + '\\n    at ' + process.env.BUG) })`

/** Log and export everything, with short delays. */
const MAXIMUM_OUTPUT = {
  PROXY_LOG_LEVEL: 'trace',
  PROXY_WARM_CONNECTIONS: '0',
  OTEL_TRACES_EXPORTER: 'otlp',
  OTEL_METRICS_EXPORTER: 'both',
  OTEL_LOGS_EXPORTER: 'otlp',
  OTEL_TRACES_SAMPLER: 'always_on',
  OTEL_BSP_SCHEDULE_DELAY: '100',
  OTEL_BLRP_SCHEDULE_DELAY: '100',
  OTEL_METRIC_EXPORT_INTERVAL: '500',
  OTEL_METRIC_EXPORT_TIMEOUT: '500',
} as const

/** The delay between sessions. The proxy suppresses equal lines and spans above ten per second. */
const PACE_MS = 110

/** What a client does before its first command. */
export interface Arrival {
  /** The bytes to send first. */
  readonly header?: string | Buffer
  /** Options for TLS from the first byte. */
  readonly tls?: tls.ConnectionOptions
}

interface Parts {
  readonly canaries: Canaries
  readonly authority: Authority
  readonly identity: Identity
  readonly files: TemporaryFiles<'ca.pem' | 'cert.pem' | 'key.pem'>
  readonly upstream: ScriptedUpstream
  readonly receiver: OtlpReceiver
}

export class CanaryStage {
  readonly canaries: Canaries
  readonly upstream: ScriptedUpstream
  readonly receiver: OtlpReceiver
  readonly authority: Authority
  /** The upstream's valid certificate, which contains canaries. */
  readonly identity: Identity
  /** Further outputs, by the name of the sink. */
  readonly outputs: Record<string, string> = {}
  readonly #files: Parts['files']
  readonly #env: Readonly<Record<string, string>>
  readonly #proxies: ProxyProcess[] = []
  /** What the tail of each proxy has sent so far. */
  readonly #tails: string[] = []

  private constructor(parts: Parts, env: Readonly<Record<string, string>>) {
    this.canaries = parts.canaries
    this.upstream = parts.upstream
    this.receiver = parts.receiver
    this.authority = parts.authority
    this.identity = parts.identity
    this.#files = parts.files
    this.#env = env
  }

  /** Starts the upstream, the receiver and two proxies: one for direct clients, one for clients of a load balancer. */
  static async open(env: Readonly<Record<string, string>> = {}): Promise<CanaryStage> {
    const canaries = new Canaries()
    const authority = await makeAuthority(canaries.at("name of the upstream's certificate authority"))
    const { certPem: cert, keyPem: key } = await authority.issue({
      commonName: canaries.at("subject of the upstream's certificate"),
      dnsNames: [`${canaries.at("name in the upstream's certificate")}.example`, 'localhost'],
      ipAddresses: ['127.0.0.1'],
    })
    const files = writeTemporaryFiles({ 'ca.pem': authority.certPem, 'cert.pem': cert, 'key.pem': key })
    const [upstream, receiver] = [await ScriptedUpstream.start(), await startReceiver()]
    const stage = new CanaryStage(
      { canaries, authority, identity: { cert, key }, files, upstream, receiver },
      { ...MAXIMUM_OUTPUT, ...env },
    )
    await stage.start({})
    await stage.start({
      PROXY_TRUST_PROXY_PROTOCOL: '127.0.0.1/32',
      PROXY_ALLOW: '127.0.0.0/8,203.0.113.0/24',
      PROXY_CLIENTS: 'billing=203.0.113.0/24',
    })
    return stage
  }

  /** The proxy for direct clients. */
  get proxy(): ProxyProcess {
    return this.#proxies[0]!
  }

  /** The proxy for clients of a load balancer. */
  get balanced(): ProxyProcess {
    return this.#proxies[1]!
  }

  /** The settings of a proxy in front of this upstream and receiver. */
  get settings(): Readonly<Record<string, string>> {
    const { canaries, receiver, upstream } = this
    const secretUrl = new URL(receiver.url)
    secretUrl.username = canaries.at('user name in an OTLP endpoint')
    secretUrl.password = canaries.at('password in an OTLP endpoint')
    return {
      PROXY_LISTEN: 'smtp://127.0.0.1:0,smtps://127.0.0.1:0',
      PROXY_UPSTREAM: `smtp://${upstream.host}:${upstream.port}`,
      PROXY_UPSTREAM_CA_FILE: this.#files.paths['ca.pem'],
      PROXY_TLS_CERT_FILE: this.#files.paths['cert.pem'],
      PROXY_TLS_KEY_FILE: this.#files.paths['key.pem'],
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer%20${canaries.at('token in OTEL_EXPORTER_OTLP_HEADERS')}`,
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: `x-key=${canaries.at('token in OTEL_EXPORTER_OTLP_TRACES_HEADERS')}`,
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${secretUrl.href}v1/traces?key=${canaries.at('parameter of an OTLP endpoint')}`,
      BUG: canaries.at('message of an uncaught exception'),
      ...this.#env,
    }
  }

  /** Starts another proxy. Its output is added to the same sinks. */
  async start(env: Readonly<Record<string, string>>): Promise<ProxyProcess> {
    const bug = `data:text/javascript,${encodeURIComponent(BUG)}`
    const proxy = await startProxy({ ...this.settings, ...env }, { nodeOptions: ['--import', bug] })
    this.#proxies.push(proxy)
    await this.#readTail(proxy)
    return proxy
  }

  /** Reads the live tail of a proxy until the proxy stops. */
  async #readTail({ adminPort }: ProxyProcess): Promise<void> {
    const response = await fetch(`http://127.0.0.1:${adminPort}/tail`)
    const chunks = response.body?.pipeThrough(new TextDecoderStream())
    const sink = this.#tails.push('') - 1
    const read = async () => {
      for await (const chunk of chunks ?? []) this.#tails[sink] += chunk
    }
    // the stop of the proxy cuts the response
    void read().catch(() => {})
  }

  /** Connects a client, with a delay after the previous one. */
  async client(port = this.proxy.port, { header, tls }: Arrival = {}): Promise<Peer> {
    await pause(PACE_MS)
    const socket = net.connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true })
    await once(socket, 'connect')
    const client = new Peer(socket, { name: 'client', transcript: this.upstream.transcript })
    if (header !== undefined) await client.send(header)
    if (tls) await client.secureAsClient(tls)
    return client
  }

  /** A session whose client has read the greeting. */
  async call(port = this.proxy.port, arrival: Arrival = {}): Promise<Call> {
    this.upstream.transcript.clear()
    const connecting = this.client(port, arrival)
    const upstream = await this.upstream.accept()
    await this.preamble(upstream)
    const client = await connecting
    await client.readReply()
    return new Call(client, upstream)
  }

  /** Plays the upstream up to TLS, with canaries. */
  async preamble(upstream: Peer, identity: Identity = this.identity): Promise<void> {
    const { canaries } = this
    await upstream.send(`220-${canaries.at('greeting')}\r\n220 ${canaries.at('last line of the greeting')}\r\n`)
    await upstream.readLine()
    const [name, keyword] = [canaries.at('name in the EHLO reply before TLS'), canaries.at('keyword before TLS')]
    await upstream.send(`250-${name}\r\n250-${keyword.toUpperCase()} x\r\n250 STARTTLS\r\n`)
    await upstream.readUntil('STARTTLS\r\n')
    await upstream.send(`220 2.0.0 ${canaries.at('reply to STARTTLS')}\r\n`)
    await upstream.secureAsServer(identity)
  }

  /** Sends bytes to a port and returns everything that it reads until the other side closes. */
  async raw(port: number, request: string | Buffer): Promise<string> {
    const peer = await this.client(port)
    await peer.send(request)
    await peer.end()
    await peer.closed()
    const answer = peer.log.all.toString('latin1')
    peer.destroy()
    return answer
  }

  /** Adds output to a sink. */
  put(sink: string, output: string): void {
    this.outputs[sink] = `${this.outputs[sink] ?? ''}${output}\n`
  }

  /** Requests the pages of the admin servers, stops all proxies, the first one by a crash, and returns all sinks. */
  async finish(): Promise<Sinks> {
    for (const proxy of this.#proxies)
      for (const path of ['/metrics', '/', '/livez', '/readyz'])
        this.put(path, await this.raw(proxy.adminPort, `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`))
    const [first, ...others] = this.#proxies
    await first?.stop('SIGUSR2')
    await Promise.all(others.map((proxy) => proxy.stop()))
    for (const proxy of this.#proxies) {
      this.put('log', proxy.lines.map((line) => JSON.stringify(line)).join('\n'))
      this.put('standard error', proxy.stderr)
    }
    for (const text of this.#tails) this.put('/tail', text)
    for (const { path, headers, body } of this.receiver.exports) {
      const signal = /^\/v1\/(traces|metrics|logs)/.exec(path)?.[1] ?? path
      this.put(`OTLP ${signal}`, body.toString('latin1'))
      this.put('path and headers of OTLP requests', JSON.stringify([path, headers]))
    }
    return this.outputs
  }

  async close(): Promise<void> {
    await Promise.all(this.#proxies.map((proxy) => proxy.stop('SIGKILL')))
    await this.upstream.close()
    await this.receiver[Symbol.asyncDispose]()
    this.#files.remove()
  }
}

/** A session in progress. */
export class Call {
  readonly client: Peer
  readonly upstream: Peer

  constructor(client: Peer, upstream: Peer) {
    this.client = client
    this.upstream = upstream
  }

  /** Sends lines from the client as one segment. Resolves when the upstream has read them. */
  async says(...lines: readonly string[]): Promise<void> {
    const bytes = lines.map((line) => `${line}\r\n`).join('')
    await this.client.send(bytes)
    await this.upstream.readUntil(bytes)
  }

  /** Sends a reply from the upstream. Resolves when the client has read it. */
  async hears(reply: string): Promise<void> {
    await this.upstream.send(`${reply}\r\n`)
    await this.client.readReply()
  }

  /** Relays one command and its reply. */
  async ask(line: string, reply: string): Promise<void> {
    await this.says(line)
    await this.hears(reply)
  }

  /** Sends a command that the proxy answers with a local reply. */
  async own(line: string): Promise<void> {
    await this.client.send(`${line}\r\n`)
    await this.client.readReply()
  }

  /** Begins a message with an envelope that contains no canary, up to the 354. */
  async data(): Promise<void> {
    await this.ask('MAIL FROM:<>', '250 ok')
    await this.ask('RCPT TO:<b@example.net>', '250 ok')
    await this.ask('DATA', '354 go')
  }

  /** Closes both connections. */
  end(): void {
    this.client.destroy()
    this.upstream.destroy()
  }
}
