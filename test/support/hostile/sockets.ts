/** Plays hostile sessions over sockets: an upstream that sends the replies in the client's tokens, and the client. */
import { once } from 'node:events'
import * as net from 'node:net'
import * as tls from 'node:tls'
import type { Identity } from '../sockets/scripted-peers.ts'
import type { SeededRandom } from '../traffic/seeded-random.ts'
import type { SecretText } from './secret-text.ts'
import { FIN, type HostileSession, RESET, SYSTEMATIC, Tokens } from './sessions.ts'

/** How long a client waits for a reply that may never arrive, in milliseconds. Arbitrary. */
const SHORT_WAIT_MS = 20
/** How long a client waits where every unit gets a reply, so that it sends no unit before that reply. */
const LONG_WAIT_MS = 1000

/** What a hostile upstream sometimes sends as a greeting; `''` closes the connection. */
const GREETINGS = ['220', '220', '421', '421 4.3.2', '554', '354', '000', '22', '']

/** An upstream that violates the protocol. With an identity it offers STARTTLS. */
export class HostileUpstream {
  readonly #server: net.Server
  readonly #random: SeededRandom
  readonly #secretText: SecretText
  readonly #identity: Identity | undefined
  readonly #sockets = new Set<net.Socket>()
  /** While true, it sends valid greetings, and closes only on a token. */
  calm = true

  private constructor(random: SeededRandom, secretText: SecretText, identity: Identity | undefined) {
    this.#random = random
    this.#secretText = secretText
    this.#identity = identity
    this.#server = net.createServer({ noDelay: true }, (socket) => this.#connected(socket))
  }

  /** Listens on a free port of 127.0.0.1. */
  static async start(random: SeededRandom, secretText: SecretText, identity?: Identity): Promise<HostileUpstream> {
    const upstream = new HostileUpstream(random, secretText, identity)
    upstream.#server.listen(0, '127.0.0.1', 4096)
    await once(upstream.#server, 'listening')
    return upstream
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port
  }

  async close(): Promise<void> {
    this.#server.close()
    // TLS sockets first: Node 24 spins at exit when TLS handles outlive their TCP socket
    for (const socket of [...this.#sockets].reverse()) socket.destroy()
    await once(this.#server, 'close')
  }

  #connected(socket: net.Socket): void {
    this.#keep(socket)
    const usual = this.calm || this.#random.chance(0.85)
    const greeting = usual ? '220' : this.#random.one(GREETINGS)
    if (greeting === '') return void socket.destroy()
    socket.write(
      `${greeting}${greeting.length > 3 || usual ? ' ' : this.#random.one([' ', '-', ''])}${this.#word()}\r\n`,
    )
    if (this.#identity) this.#negotiate(socket, this.#identity)
    else this.#answer(socket)
  }

  #answer(socket: net.Socket): void {
    const tokens = new Tokens()
    socket.on('data', (bytes) => {
      for (const reply of tokens.push(bytes)) act(socket, reply.toString('latin1'))
      if (!this.calm && this.#random.chance(0.002)) reset(socket)
    })
  }

  /** Answers EHLO and STARTTLS, and then begins TLS with a random version, or sends something else. */
  #negotiate(socket: net.Socket, identity: Identity): void {
    const says = [`250-${this.#word()}\r\n250-${this.#word()}\r\n250 STARTTLS\r\n`, `220 ${this.#word()}\r\n`]
    if (this.#random.chance(0.2)) says[this.#random.below(2)] = `${this.#random.below(1000)} ${this.#word()}\r\n`
    socket.on('data', () => {
      const next = says.shift()
      if (next !== undefined) socket.write(next)
      if (says.length > 0) return
      socket.removeAllListeners('data')
      if (this.#random.chance(0.2)) return void socket.end(this.#random.bytes(100))
      const secureContext = tls.createSecureContext({ ...identity, ...oneVersion(this.#random) })
      if (socket.destroyed) return
      const secured = new tls.TLSSocket(socket, { isServer: true, secureContext })
      this.#keep(secured)
      this.#answer(secured)
    })
  }

  #keep(socket: net.Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket))
  }

  #word(): string {
    return this.#secretText.word(this.#random)
  }
}

function act(socket: net.Socket, reply: string): void {
  if (reply === RESET) reset(socket)
  else if (reply === FIN) socket.end()
  else if (socket.writable) socket.write(reply, 'latin1')
}

/** Closes without a reset inside TLS, where a reset is not possible. */
function reset(socket: net.Socket): void {
  if (socket instanceof tls.TLSSocket) socket.destroy()
  else socket.resetAndDestroy()
}

function oneVersion(random: SeededRandom): tls.SecureContextOptions {
  const version = random.one(['TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const)
  return { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' }
}

/** Plays a session to the listener on `port`. Resolves when the connection is closed. */
export async function playSession(session: HostileSession, port: number): Promise<void> {
  const socket = net.connect({ host: '127.0.0.1', port, noDelay: true })
  const reader = new Reader(socket, session.number < SYSTEMATIC ? LONG_WAIT_MS : SHORT_WAIT_MS)
  await reader.received()
  for (const [index, unit] of session.units.entries()) {
    if (reader.gone) break
    socket.write(unit)
    if (index < session.units.length - 1) await reader.received()
  }
  if (session.leaves === 'client reset') socket.resetAndDestroy()
  else if (session.leaves === 'client fin') socket.end()
  else setTimeout(() => socket.destroy(), SHORT_WAIT_MS)
  await reader.closed
}

/** Connects to a TLS listener with a random TLS version and server name, or without TLS. */
export async function playTls(random: SeededRandom, secretText: SecretText, port: number): Promise<void> {
  if (random.chance(0.3)) {
    const socket = net.connect({ host: '127.0.0.1', port })
    const reader = new Reader(socket)
    socket.end(random.bytes(200))
    return reader.closed
  }
  const options = { ...oneVersion(random), servername: `${secretText.word(random)}.example`, rejectUnauthorized: false }
  const ALPNProtocols = random.one([[], ['smtp'], [secretText.word(random)]])
  const socket = tls.connect({ host: '127.0.0.1', port, ALPNProtocols, ...options })
  const reader = new Reader(socket)
  await reader.received()
  socket.end(`EHLO ${secretText.word(random)}\r\n`)
  await reader.closed
}

/** Waits for any bytes from the proxy. */
class Reader {
  readonly closed: Promise<void>
  readonly #waitMs: number
  gone = false
  #onBytes: () => void = () => {}

  constructor(socket: net.Socket, waitMs = SHORT_WAIT_MS) {
    this.#waitMs = waitMs
    this.closed = new Promise((settle) => {
      socket.on('error', () => {}).on('end', () => socket.end())
      socket
        .on('data', () => this.#onBytes())
        .on('close', () => {
          this.gone = true
          this.#onBytes()
          settle()
        })
    })
  }

  /** Resolves when bytes arrive, when the connection is closed, or when the wait is over. */
  async received(): Promise<void> {
    if (this.gone) return
    await new Promise<void>((settle) => {
      const timer = setTimeout(settle, this.#waitMs)
      this.#onBytes = () => {
        clearTimeout(timer)
        settle()
      }
    })
  }
}
