/**
 * The two peers of the proxy, controlled by a test: a scripted client and a scripted upstream on loopback sockets. They
 * send and receive bytes. Of SMTP they know only where a reply ends, so a test can send anything: half a reply, an RST,
 * one byte per segment. Tests wait for events, never for time. A wait that exceeds its limit fails with the transcript
 * of both ends.
 *
 *     const transcript = new Transcript()
 *     const upstream = await ScriptedUpstream.start({ transcript })
 *     const client = await connectClient({ port, transcript })      // the proxy's port
 *     const server = await upstream.accept()
 *     await playPreamble(server, { identity, greeting: '220 mail.example ESMTP\r\n' })
 *     assert.equal(await client.readReply(), '220 mail.example ESMTP\r\n')
 *     await client.send('NOOP\r\n')
 *     await server.readUntil('NOOP\r\n')
 *     await server.reset()
 *     assert.equal(await client.closed(), 'reset')
 *     await upstream.close()
 */
import { once } from 'node:events'
import * as net from 'node:net'
import type * as tls from 'node:tls'
import { type Identity, Peer } from './scripted-peer.ts'
import { Transcript } from './transcript.ts'

export { type Ending, type Identity, Peer } from './scripted-peer.ts'
export { Transcript } from './transcript.ts'

export interface UpstreamOptions {
  /** The transcript that both ends of a test share. Default: a new one. */
  readonly transcript?: Transcript
  /** How long each wait may last, in milliseconds. */
  readonly limitMs?: number
}

/** A listener on 127.0.0.1 whose connections send only what the test sends. */
export class ScriptedUpstream {
  readonly host = '127.0.0.1'
  readonly transcript: Transcript
  readonly #server: net.Server
  readonly #options: UpstreamOptions
  readonly #peers: Peer[] = []
  readonly #arrived: Peer[] = []
  readonly #awaited = new Set<(peer?: Peer) => void>()
  #closed = false

  private constructor(server: net.Server, options: UpstreamOptions) {
    this.#server = server
    this.#options = options
    this.transcript = options.transcript ?? new Transcript()
    server.on('connection', (socket) => this.#connected(socket))
  }

  /** Listens on a free port. */
  static async start(options: UpstreamOptions = {}): Promise<ScriptedUpstream> {
    const server = net.createServer({ allowHalfOpen: true, noDelay: true })
    const upstream = new ScriptedUpstream(server, options)
    server.listen(0, upstream.host)
    await once(server, 'listening')
    return upstream
  }

  get port(): number {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('the upstream does not listen')
    return address.port
  }

  /** The number of connections so far. */
  get connections(): number {
    return this.#peers.length
  }

  /** The next connection that no test has accepted yet. Waits for it, at most until `close`. */
  async accept(): Promise<Peer> {
    const arrived = this.#arrived.shift()
    if (arrived) return arrived
    if (this.#closed) throw this.#missed('before it was closed')
    const limitMs = this.#options.limitMs ?? 15_000
    return await new Promise((accepted, missed) => {
      const settle = (peer?: Peer, when = 'before it was closed') => {
        clearTimeout(timer)
        this.#awaited.delete(settle) // a wait that has ended must not take the next connection
        if (peer) accepted(peer)
        else missed(this.#missed(when))
      }
      const timer = setTimeout(() => settle(undefined, `in ${limitMs} ms`), limitMs)
      this.#awaited.add(settle)
    })
  }

  /** Stops listening and closes every connection. */
  async close(): Promise<void> {
    this.#closed = true
    for (const awaited of this.#awaited) awaited()
    for (const peer of this.#peers) peer.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #connected(socket: net.Socket): void {
    const number = this.#peers.length === 0 ? '' : ` ${this.#peers.length + 1}`
    const peer = new Peer(socket, { ...this.#options, name: `upstream${number}`, transcript: this.transcript })
    this.transcript.note(peer.name, 'accepted')
    this.#peers.push(peer)
    const [awaited] = this.#awaited
    if (awaited) awaited(peer)
    else this.#arrived.push(peer)
  }

  #missed(when: string): Error {
    return new Error(`no connection to the upstream ${when}\n${this.transcript}`)
  }
}

export interface Preamble {
  /** A certificate and its key, or a TLS context, which keeps its TLS sessions. */
  readonly identity: Identity | tls.SecureContext
  /** The greeting, including line ends. Default: `220 mail.example ESMTP`. */
  readonly greeting?: string
  /** The extensions that the upstream offers before TLS. */
  readonly capabilities?: readonly string[]
}

/**
 * Plays a correct upstream: sends the greeting, answers the proxy's own EHLO and STARTTLS, and begins TLS. The peer
 * then begins a new log: all later bytes are what the client sent.
 */
export async function playPreamble(peer: Peer, preamble: Preamble): Promise<void> {
  await peer.send(preamble.greeting ?? '220 mail.example ESMTP\r\n')
  await peer.readLine()
  const lines = ['mail.example', ...(preamble.capabilities ?? ['PIPELINING', '8BITMIME', 'STARTTLS'])]
  await peer.send(lines.map((line, index) => `250${index < lines.length - 1 ? '-' : ' '}${line}\r\n`).join(''))
  await peer.readUntil('STARTTLS\r\n')
  await peer.send('220 Ready to Start TLS\r\n')
  await peer.secureAsServer(preamble.identity)
}

export interface ClientOptions {
  readonly host?: string
  readonly port: number
  /** The client's own address, for example another address of 127.0.0.0/8. */
  readonly localAddress?: string
  readonly transcript?: Transcript
  readonly limitMs?: number
  /** Options for TLS from the first byte (at least `ca`). For STARTTLS, call `startTls` later. */
  readonly tls?: tls.ConnectionOptions
  /** The client's name in the transcript. Default `client`. */
  readonly name?: string
}

/** Connects a client. Resolves when it is connected, and with `tls` when the handshake is done. */
export async function connectClient(options: ClientOptions): Promise<Peer> {
  const { host = '127.0.0.1', port, localAddress, tls: secure, name = 'client', ...rest } = options
  const own = localAddress === undefined ? {} : { localAddress }
  const socket = net.connect({ host, port, ...own, allowHalfOpen: true, noDelay: true })
  await once(socket, 'connect')
  const peer = new Peer(socket, { ...rest, name })
  if (secure) await peer.secureAsClient(secure)
  return peer
}

/** Upgrades a client to TLS (RFC 3207): STARTTLS, a 220, the handshake. Returns the reply. */
export async function startTls(client: Peer, options: tls.ConnectionOptions): Promise<string> {
  await client.send('STARTTLS\r\n')
  const reply = await client.readReply()
  if (!reply.startsWith('220 ')) throw new Error(`STARTTLS was refused: ${reply}\n${client.transcript}`)
  await client.secureAsClient(options)
  return reply
}
