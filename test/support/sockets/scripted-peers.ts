/**
 * The two ends of a conversation, as raw as a test needs them: a scripted client and a scripted upstream on loopback
 * sockets. They speak bytes, know nothing of SMTP but where a reply ends, and may do everything that is wrong: half a
 * reply, an RST, one octet a segment. Waiting is for something that happens, never for time; what does not happen
 * within the limit fails with the transcript of both ends.
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
  /** Shared by both ends of a test; a new one unless given. */
  readonly transcript?: Transcript
  /** How long each wait may last, in milliseconds. */
  readonly limitMs?: number
}

/** A listener on 127.0.0.1 whose connections say nothing by themselves: the test speaks. */
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

  /** How many connections came so far. */
  get connections(): number {
    return this.#peers.length
  }

  /** The next connection that nobody took yet; waits for it, at most until `close`. */
  async accept(): Promise<Peer> {
    const arrived = this.#arrived.shift()
    if (arrived) return arrived
    if (this.#closed) throw this.#missed('before it was closed')
    const limitMs = this.#options.limitMs ?? 15_000
    return await new Promise((accepted, missed) => {
      const settle = (peer?: Peer, when = 'before it was closed') => {
        clearTimeout(timer)
        this.#awaited.delete(settle) // who gave up must not take the next connection
        if (peer) accepted(peer)
        else missed(this.#missed(when))
      }
      const timer = setTimeout(() => settle(undefined, `in ${limitMs} ms`), limitMs)
      this.#awaited.add(settle)
    })
  }

  /** Stops listening and drops every connection. */
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
    return new Error(`nobody connected to the upstream ${when}\n${this.transcript}`)
  }
}

export interface Preamble {
  /** A certificate and its key, or a TLS context, which remembers its sessions. */
  readonly identity: Identity | tls.SecureContext
  /** The greeting, line ends included; `220 mail.example ESMTP` unless given. */
  readonly greeting?: string
  /** What the upstream offers before TLS. */
  readonly capabilities?: readonly string[]
}

/**
 * Plays an upstream that behaves: greets, answers the proxy's own EHLO and STARTTLS, and secures the connection.
 * Afterwards the peer's log begins anew: what arrives from here on is what the client sent.
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
  /** The client's own address, such as another one of 127.0.0.0/8. */
  readonly localAddress?: string
  readonly transcript?: Transcript
  readonly limitMs?: number
  /** TLS from the first octet, with these options (at least `ca`). For STARTTLS call `startTls` later. */
  readonly tls?: tls.ConnectionOptions
  /** How the transcript calls it; `client` unless given. */
  readonly name?: string
}

/** Connects a raw client; resolves when connected (and secured, with `tls`). It reads nothing by itself. */
export async function connectClient(options: ClientOptions): Promise<Peer> {
  const { host = '127.0.0.1', port, localAddress, tls: secure, name = 'client', ...rest } = options
  const own = localAddress === undefined ? {} : { localAddress }
  const socket = net.connect({ host, port, ...own, allowHalfOpen: true, noDelay: true })
  await once(socket, 'connect')
  const peer = new Peer(socket, { ...rest, name })
  if (secure) await peer.secureAsClient(secure)
  return peer
}

/** Upgrades a client as RFC 3207 says: STARTTLS, a 220, the handshake. Returns the reply. */
export async function startTls(client: Peer, options: tls.ConnectionOptions): Promise<string> {
  await client.send('STARTTLS\r\n')
  const reply = await client.readReply()
  if (!reply.startsWith('220 ')) throw new Error(`STARTTLS was refused: ${reply}\n${client.transcript}`)
  await client.secureAsClient(options)
  return reply
}
