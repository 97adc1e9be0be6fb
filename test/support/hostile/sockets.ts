/** The sessions of hostile.ts over real sockets: an upstream that says what the client's tokens want, and the client. */
import { once } from 'node:events'
import * as net from 'node:net'
import * as tls from 'node:tls'
import type { Identity } from '../sockets/scripted-peers.ts'
import type { Dice } from '../traffic/seeded-random.ts'
import type { Noise } from './secret-text.ts'
import { FIN, type HostileSession, RESET, SYSTEMATIC, Tokens } from './sessions.ts'

/** How long a client waits for an answer that may never come, in milliseconds. Arbitrary: it only has to go on. */
const PATIENCE_MS = 20
/** The same where each unit is answered, so that it is not sent before the answer to the last one. */
const LONG_PATIENCE_MS = 1000

/** What a hostile upstream says in place of a greeting, now and then; `''` closes. */
const GREETINGS = ['220', '220', '421', '421 4.3.2', '554', '354', '000', '22', '']

/** An upstream without manners. With an identity it speaks STARTTLS, more or less. */
export class HostileUpstream {
  readonly #server: net.Server
  readonly #dice: Dice
  readonly #noise: Noise
  readonly #identity: Identity | undefined
  readonly #sockets = new Set<net.Socket>()
  /** While true, it greets properly, and closes when it is told to and not before. */
  calm = true

  private constructor(dice: Dice, noise: Noise, identity: Identity | undefined) {
    this.#dice = dice
    this.#noise = noise
    this.#identity = identity
    this.#server = net.createServer({ noDelay: true }, (socket) => this.#connected(socket))
  }

  /** Listens on a free port of 127.0.0.1. */
  static async start(dice: Dice, noise: Noise, identity?: Identity): Promise<HostileUpstream> {
    const upstream = new HostileUpstream(dice, noise, identity)
    upstream.#server.listen(0, '127.0.0.1', 4096)
    await once(upstream.#server, 'listening')
    return upstream
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port
  }

  async close(): Promise<void> {
    this.#server.close()
    // TLS before what is below it: Node 24 spins at its end when handles of TLS outlive their socket
    for (const socket of [...this.#sockets].reverse()) socket.destroy()
    await once(this.#server, 'close')
  }

  #connected(socket: net.Socket): void {
    this.#keep(socket)
    const usual = this.calm || this.#dice.chance(0.85)
    const greeting = usual ? '220' : this.#dice.one(GREETINGS)
    if (greeting === '') return void socket.destroy()
    socket.write(`${greeting}${greeting.length > 3 || usual ? ' ' : this.#dice.one([' ', '-', ''])}${this.#word()}\r\n`)
    if (this.#identity) this.#negotiate(socket, this.#identity)
    else this.#answer(socket)
  }

  #answer(socket: net.Socket): void {
    const tokens = new Tokens()
    socket.on('data', (bytes) => {
      for (const reply of tokens.push(bytes)) act(socket, reply.toString('latin1'))
      if (!this.calm && this.#dice.chance(0.002)) reset(socket)
    })
  }

  /** EHLO and STARTTLS, and then TLS of some version, or something else. */
  #negotiate(socket: net.Socket, identity: Identity): void {
    const says = [`250-${this.#word()}\r\n250-${this.#word()}\r\n250 STARTTLS\r\n`, `220 ${this.#word()}\r\n`]
    if (this.#dice.chance(0.2)) says[this.#dice.below(2)] = `${this.#dice.below(1000)} ${this.#word()}\r\n`
    socket.on('data', () => {
      const next = says.shift()
      if (next !== undefined) socket.write(next)
      if (says.length > 0) return
      socket.removeAllListeners('data')
      if (this.#dice.chance(0.2)) return void socket.end(this.#dice.octets(100))
      const secureContext = tls.createSecureContext({ ...identity, ...oneVersion(this.#dice) })
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
    return this.#noise.word(this.#dice)
  }
}

function act(socket: net.Socket, reply: string): void {
  if (reply === RESET) reset(socket)
  else if (reply === FIN) socket.end()
  else if (socket.writable) socket.write(reply, 'latin1')
}

/** Inside TLS there is none from here. */
function reset(socket: net.Socket): void {
  if (socket instanceof tls.TLSSocket) socket.destroy()
  else socket.resetAndDestroy()
}

function oneVersion(dice: Dice): tls.SecureContextOptions {
  const version = dice.one(['TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const)
  return { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' }
}

/** Plays a session to the listener on `port`. Resolves when the connection is gone, or left alone. */
export async function playSession(session: HostileSession, port: number): Promise<void> {
  const socket = net.connect({ host: '127.0.0.1', port, noDelay: true })
  const ear = new Ear(socket, session.number < SYSTEMATIC ? LONG_PATIENCE_MS : PATIENCE_MS)
  await ear.hears()
  for (const [index, unit] of session.units.entries()) {
    if (ear.gone) break
    socket.write(unit)
    if (index < session.units.length - 1) await ear.hears()
  }
  if (session.leaves === 'client reset') socket.resetAndDestroy()
  else if (session.leaves === 'client fin') socket.end()
  else setTimeout(() => socket.destroy(), PATIENCE_MS)
  await ear.silence
}

/** A client of a listener with TLS from the first octet: another version, another name, or no TLS at all. */
export async function playTls(dice: Dice, noise: Noise, port: number): Promise<void> {
  if (dice.chance(0.3)) {
    const socket = net.connect({ host: '127.0.0.1', port })
    const ear = new Ear(socket)
    socket.end(dice.octets(200))
    return ear.silence
  }
  const options = { ...oneVersion(dice), servername: `${noise.word(dice)}.example`, rejectUnauthorized: false }
  const ALPNProtocols = dice.one([[], ['smtp'], [noise.word(dice)]])
  const socket = tls.connect({ host: '127.0.0.1', port, ALPNProtocols, ...options })
  const ear = new Ear(socket)
  await ear.hears()
  socket.end(`EHLO ${noise.word(dice)}\r\n`)
  await ear.silence
}

/** Listens for whatever comes. */
class Ear {
  readonly silence: Promise<void>
  readonly #patience: number
  gone = false
  #heard: () => void = () => {}

  constructor(socket: net.Socket, patience = PATIENCE_MS) {
    this.#patience = patience
    this.silence = new Promise((settle) => {
      socket.on('error', () => {}).on('end', () => socket.end())
      socket
        .on('data', () => this.#heard())
        .on('close', () => {
          this.gone = true
          this.#heard()
          settle()
        })
    })
  }

  /** Resolves when octets came, when the connection is gone, or when patience ended. */
  async hears(): Promise<void> {
    if (this.gone) return
    await new Promise<void>((settle) => {
      const timer = setTimeout(settle, this.#patience)
      this.#heard = () => {
        clearTimeout(timer)
        settle()
      }
    })
  }
}
