import { once } from 'node:events'
import type * as net from 'node:net'
import * as tls from 'node:tls'
import { Changes } from '../waiting/changes.ts'
import { ByteLog } from './byte-log.ts'
import { Transcript } from './transcript.ts'

/** How long each wait of a peer may last, unless a test sets another limit. Arbitrary: long on a busy machine. */
const LIMIT_MS = 15_000

/** A certificate chain and its key, in PEM. */
export interface Identity {
  readonly cert: string
  readonly key: string
}

/** How the other side ended its direction: an orderly FIN, or an RST. */
export type Ending = 'fin' | 'reset'

export interface PeerOptions {
  /** The name of this peer in the transcript. */
  readonly name: string
  /** The transcript that both ends of a test share. Default: a new one. */
  readonly transcript?: Transcript
  /** How long each wait may last, in milliseconds. */
  readonly limitMs?: number
}

/** One end of one connection. It records every byte that arrives, with its time. */
export class Peer {
  readonly name: string
  readonly transcript: Transcript
  /** What arrived on the current layer. TLS begins a new log, so plaintext bytes and bytes inside TLS never mix. */
  log = new ByteLog()
  readonly #tcp: net.Socket
  readonly #limitMs: number
  #socket: net.Socket
  #ending: Ending | undefined
  #failure: Error | undefined
  readonly #changes = new Changes()

  constructor(socket: net.Socket, options: PeerOptions) {
    this.name = options.name
    this.transcript = options.transcript ?? new Transcript()
    this.#limitMs = options.limitMs ?? LIMIT_MS
    this.#tcp = socket
    this.#socket = socket
    this.#listen()
  }

  /** The port of the other end, or undefined once closed. */
  get remotePort(): number | undefined {
    return this.#tcp.remotePort
  }

  /** The connection below TLS. A caller that takes it over must handle its events alone. */
  get tcp(): net.Socket {
    return this.#tcp
  }

  /** The TLS layer, for its protocol, cipher and certificate; undefined before TLS. */
  get tls(): tls.TLSSocket | undefined {
    return this.#socket instanceof tls.TLSSocket ? this.#socket : undefined
  }

  /** Writes text (latin1) or bytes as one segment. Resolves when the kernel has them, or when the socket is closed. */
  async send(data: string | Buffer): Promise<void> {
    const bytes = latin1(data)
    this.transcript.note(this.name, 'sent', bytes)
    if (!this.#socket.writable) return
    await new Promise<void>((done) => this.#socket.write(bytes, () => done()))
  }

  /** Writes each byte as its own segment. */
  async trickle(data: string | Buffer): Promise<void> {
    for (const byte of latin1(data)) {
      await this.send(Buffer.of(byte))
      await new Promise((turn) => setImmediate(turn))
    }
  }

  /** Takes everything up to and including `end`. */
  async readUntil(end: string | Buffer): Promise<Buffer> {
    const bytes = latin1(end)
    let searched = 0
    return await this.#when(`bytes that end in ${JSON.stringify(bytes.toString('latin1'))}`, () => {
      const found = this.log.unread.indexOf(bytes, searched)
      searched = Math.max(0, this.log.unread.length - bytes.length + 1)
      return found === -1 ? undefined : this.log.take(found + bytes.length)
    })
  }

  /** Takes exactly `count` bytes. */
  async readBytes(count: number): Promise<Buffer> {
    return await this.#when(`${count} bytes`, () => (this.log.unread.length < count ? undefined : this.log.take(count)))
  }

  /** Takes one line, including its line feed. */
  async readLine(): Promise<string> {
    return (await this.readUntil('\n')).toString('latin1')
  }

  /** Takes one complete reply (RFC 5321 section 4.2.1): all its lines, including line ends. */
  async readReply(): Promise<string> {
    let reply = ''
    for (;;) {
      const line = await this.readLine()
      reply += line
      if (!/^\d{3}-/.test(line)) return reply
    }
  }

  /** Waits until `count` bytes have arrived in total on this layer, taken or not. */
  async received(count: number): Promise<void> {
    await this.#when(`${count} bytes in total`, () => (this.log.length >= count ? true : undefined))
  }

  /** Waits until the other side has ended its direction. Bytes may still be unread. */
  async closed(): Promise<Ending> {
    return await this.#when('the end', () => this.#ending)
  }

  /** How the other side has ended, if it has. */
  get ending(): Ending | undefined {
    return this.#ending
  }

  /** True once the connection is closed in both directions. A FIN from the other side alone is not enough. */
  get gone(): boolean {
    return this.#socket.destroyed
  }

  /** Ends this direction in order (FIN; inside TLS a close_notify first). The other direction stays open. */
  async end(): Promise<void> {
    this.transcript.note(this.name, 'FIN sent')
    if (!this.#socket.writable) return
    await new Promise<void>((done) => this.#socket.end(() => done()))
  }

  /** Ends the connection with an RST. Resolves when the socket is closed. */
  async reset(): Promise<void> {
    this.transcript.note(this.name, 'RST sent')
    if (this.#tcp.destroyed) return
    // the kernel refuses to reset while a FIN is in flight
    if (this.#tcp.writableEnded && !this.#tcp.writableFinished) await once(this.#tcp, 'finish')
    const gone = once(this.#tcp, 'close')
    this.#tcp.resetAndDestroy()
    await gone
  }

  /** Stops reading: the receive window fills, and the other side can write no more. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** Begins TLS as a server, at this byte. Resolves when the handshake is done. A context keeps its TLS sessions. */
  async secureAsServer(identity: Identity | tls.SecureContext, options: tls.TLSSocketOptions = {}): Promise<void> {
    const secureContext =
      'cert' in identity ? tls.createSecureContext({ ...identity, minVersion: 'TLSv1.2' }) : identity
    this.#detach()
    const secured = new tls.TLSSocket(this.#tcp, { isServer: true, secureContext, ...options })
    await this.#secured(secured, 'secure')
  }

  /** Begins TLS as a client, at this byte. Resolves when the handshake is done, and rejects when it fails. */
  async secureAsClient(options: tls.ConnectionOptions): Promise<void> {
    this.#detach()
    await this.#secured(tls.connect({ ...options, socket: this.#tcp }), 'secureConnect')
  }

  /** Closes the socket, whatever its state. For the end of a test. */
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
      throw new Error(`${this.name} waited for a TLS handshake\n${this.transcript}`, { cause: error })
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
      this.#changes.changed()
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
    // bytes that were read ahead belong to the handshake
    const ahead = this.log.take(this.log.unread.length)
    if (ahead.length > 0) this.#tcp.unshift(ahead)
    this.#tcp.on('error', (error) => this.#socket.destroy(error))
  }

  #ended(how: Ending): void {
    if (this.#ending !== undefined) return
    this.#ending = how
    this.transcript.note(this.name, how === 'fin' ? 'FIN read' : 'RST read')
    this.#changes.changed()
  }

  /** Calls `attempt` now and after every event, until it returns a value. Rejects when the connection ends first. */
  async #when<T>(what: string, attempt: () => T | undefined): Promise<T> {
    const missed = (why: string) => `${this.name} waited for ${what}, but ${why}\n${this.transcript}`
    const attemptOrFail = () => {
      const value = attempt()
      if (value !== undefined || this.#ending === undefined) return value
      const cause = this.#failure
      throw new Error(missed(`the connection ended (${this.#ending})`), cause ? { cause } : {})
    }
    return await this.#changes.until(attemptOrFail, this.#limitMs, () => missed(`${this.#limitMs} ms passed`))
  }
}

function latin1(data: string | Buffer): Buffer {
  return typeof data === 'string' ? Buffer.from(data, 'latin1') : data
}
