import { once } from 'node:events'
import type * as net from 'node:net'
import * as tls from 'node:tls'
import { ByteLog } from './byte-log.ts'
import { Transcript } from './transcript.ts'

/** How long a peer waits for what it was told to wait for, unless told otherwise. Arbitrary: long on a busy machine. */
const LIMIT_MS = 15_000

/** A certificate chain and its key, in PEM. */
export interface Identity {
  readonly cert: string
  readonly key: string
}

/** How the other side ended its direction: an orderly FIN, or an RST. */
export type Ending = 'fin' | 'reset'

export interface PeerOptions {
  /** How the transcript calls this peer. */
  readonly name: string
  /** Shared by both ends of a test; a new one unless given. */
  readonly transcript?: Transcript
  /** How long each wait may last, in milliseconds. */
  readonly limitMs?: number
}

/** One end of one connection. Every octet that arrives is recorded, with its time. */
export class Peer {
  readonly name: string
  readonly transcript: Transcript
  /** What arrived on the present layer: `secure()` begins a new log, so octets in the clear and inside TLS never mix. */
  log = new ByteLog()
  readonly #tcp: net.Socket
  readonly #limitMs: number
  #socket: net.Socket
  #ending: Ending | undefined
  #failure: Error | undefined
  #waiters: (() => void)[] = []

  constructor(socket: net.Socket, options: PeerOptions) {
    this.name = options.name
    this.transcript = options.transcript ?? new Transcript()
    this.#limitMs = options.limitMs ?? LIMIT_MS
    this.#tcp = socket
    this.#socket = socket
    this.#listen()
  }

  /** The port at the other end, or undefined once closed. */
  get remotePort(): number | undefined {
    return this.#tcp.remotePort
  }

  /** The connection below TLS. Who takes it over listens to it alone. */
  get tcp(): net.Socket {
    return this.#tcp
  }

  /** The TLS layer, for its protocol, cipher and certificate; undefined in the clear. */
  get tls(): tls.TLSSocket | undefined {
    return this.#socket instanceof tls.TLSSocket ? this.#socket : undefined
  }

  /** Writes text (latin1) or octets as one segment. Resolves when the kernel has them; also when the socket is gone. */
  async send(data: string | Buffer): Promise<void> {
    const bytes = latin1(data)
    this.transcript.note(this.name, 'sent', bytes)
    if (!this.#socket.writable) return
    await new Promise<void>((done) => this.#socket.write(bytes, () => done()))
  }

  /** Writes each octet as a segment of its own. */
  async trickle(data: string | Buffer): Promise<void> {
    for (const octet of latin1(data)) {
      await this.send(Buffer.of(octet))
      await new Promise((turn) => setImmediate(turn))
    }
  }

  /** Takes everything up to and including `mark`. */
  async readUntil(mark: string | Buffer): Promise<Buffer> {
    const bytes = latin1(mark)
    let searched = 0
    return await this.#when(`octets that end in ${JSON.stringify(bytes.toString('latin1'))}`, () => {
      const found = this.log.unread.indexOf(bytes, searched)
      searched = Math.max(0, this.log.unread.length - bytes.length + 1)
      return found === -1 ? undefined : this.log.take(found + bytes.length)
    })
  }

  /** Takes exactly so many octets. */
  async readBytes(count: number): Promise<Buffer> {
    return await this.#when(`${count} octets`, () =>
      this.log.unread.length < count ? undefined : this.log.take(count),
    )
  }

  /** Takes one line, its line feed included. */
  async readLine(): Promise<string> {
    return (await this.readUntil('\n')).toString('latin1')
  }

  /** Takes one whole reply (RFC 5321 section 4.2.1), all its lines, line ends included. */
  async readReply(): Promise<string> {
    let reply = ''
    for (;;) {
      const line = await this.readLine()
      reply += line
      if (!/^\d{3}-/.test(line)) return reply
    }
  }

  /** Waits until `count` octets have arrived in all on this layer, taken or not. */
  async received(count: number): Promise<void> {
    await this.#when(`${count} octets in all`, () => (this.log.length >= count ? true : undefined))
  }

  /** Waits until the other side has ended its direction; octets may still be unread. */
  async closed(): Promise<Ending> {
    return await this.#when('the end', () => this.#ending)
  }

  /** How the other side has ended, if it has. */
  get ending(): Ending | undefined {
    return this.#ending
  }

  /** True once the connection is gone. A FIN of the other side alone is not enough. */
  get gone(): boolean {
    return this.#socket.destroyed
  }

  /** Ends this direction in order (FIN; inside TLS a close_notify first). The other direction goes on. */
  async end(): Promise<void> {
    this.transcript.note(this.name, 'FIN sent')
    if (!this.#socket.writable) return
    await new Promise<void>((done) => this.#socket.end(() => done()))
  }

  /** Ends the connection by an RST. Resolves when the socket is gone. */
  async reset(): Promise<void> {
    this.transcript.note(this.name, 'RST sent')
    if (this.#tcp.destroyed) return
    // the kernel refuses to reset while a FIN is on its way
    if (this.#tcp.writableEnded && !this.#tcp.writableFinished) await once(this.#tcp, 'finish')
    const gone = once(this.#tcp, 'close')
    this.#tcp.resetAndDestroy()
    await gone
  }

  /** Stops reading: the window fills, and the other side feels it. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** Begins TLS as a server, at this octet. Resolves when the handshake is done. A context remembers its sessions. */
  async secureAsServer(identity: Identity | tls.SecureContext, options: tls.TLSSocketOptions = {}): Promise<void> {
    const secureContext =
      'cert' in identity ? tls.createSecureContext({ ...identity, minVersion: 'TLSv1.2' }) : identity
    this.#detach()
    const secured = new tls.TLSSocket(this.#tcp, { isServer: true, secureContext, ...options })
    await this.#secured(secured, 'secure')
  }

  /** Begins TLS as a client, at this octet. Resolves when the handshake is done, and rejects when it fails. */
  async secureAsClient(options: tls.ConnectionOptions): Promise<void> {
    this.#detach()
    await this.#secured(tls.connect({ ...options, socket: this.#tcp }), 'secureConnect')
  }

  /** Frees the socket, whatever its state. For the end of a test. */
  destroy(): void {
    // in this order: Node 24 crashes when the TCP socket goes first and TLS still has something to write
    this.#socket.destroy()
    this.#tcp.destroy()
  }

  async #secured(socket: tls.TLSSocket, event: string): Promise<void> {
    this.#socket = socket
    const gone = new AbortController()
    const ended = (how: Ending) => () => {
      this.#ended(how)
      gone.abort()
    }
    const [fin, reset] = [ended('fin'), ended('reset')]
    socket.once('end', fin).once('close', reset)
    try {
      await once(socket, event, { signal: AbortSignal.any([gone.signal, AbortSignal.timeout(this.#limitMs)]) })
      socket.off('end', fin).off('close', reset)
    } catch (error) {
      this.log = new ByteLog()
      throw new Error(`${this.name} wanted a TLS handshake\n${this.transcript}`, { cause: error })
    }
    this.transcript.note(this.name, 'secured')
    this.log = new ByteLog()
    this.#listen()
  }

  #listen(): void {
    const socket = this.#socket
    socket.on('data', (chunk: Buffer) => {
      this.transcript.note(this.name, 'read', chunk)
      this.log.append(chunk)
      this.#wake()
    })
    socket.on('end', () => this.#ended('fin'))
    socket.on('error', (error) => {
      this.#failure = error
      this.#ended('reset')
    })
    socket.on('close', () => this.#ended('reset'))
  }

  #detach(): void {
    for (const event of ['data', 'end', 'error', 'close']) this.#tcp.removeAllListeners(event)
    this.#tcp.pause()
    // What was read ahead belongs to the handshake.
    const ahead = this.log.take(this.log.unread.length)
    if (ahead.length > 0) this.#tcp.unshift(ahead)
    this.#tcp.on('error', (error) => this.#socket.destroy(error))
  }

  #ended(how: Ending): void {
    if (this.#ending !== undefined) return
    this.#ending = how
    this.transcript.note(this.name, how === 'fin' ? 'FIN read' : 'RST read')
    this.#wake()
  }

  #wake(): void {
    for (const waiter of this.#waiters.splice(0)) waiter()
  }

  /** Tries at once, and again after everything that happens, until `attempt` returns a value. */
  async #when<T>(what: string, attempt: () => T | undefined): Promise<T> {
    let late = false
    const timer = setTimeout(() => {
      late = true
      this.#wake()
    }, this.#limitMs)
    try {
      for (;;) {
        const value = attempt()
        if (value !== undefined) return value
        if (this.#ending !== undefined) throw this.#missed(what, `the connection ended (${this.#ending})`)
        if (late) throw this.#missed(what, `${this.#limitMs} ms went by`)
        await new Promise<void>((done) => this.#waiters.push(done))
      }
    } finally {
      clearTimeout(timer)
    }
  }

  #missed(what: string, why: string): Error {
    const cause = this.#failure
    return new Error(`${this.name} waited for ${what}, but ${why}\n${this.transcript}`, cause ? { cause } : {})
  }
}

function latin1(data: string | Buffer): Buffer {
  return typeof data === 'string' ? Buffer.from(data, 'latin1') : data
}
