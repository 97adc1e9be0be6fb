/** A connection of the load generator: it writes bytes and waits for a number of replies. */
import net from 'node:net'
import tls from 'node:tls'
import { ReplyCounter } from './replies.ts'

/** Where to connect. */
export interface Place {
  readonly port: number
  /** The authority of the server's certificate. With it, the connection begins with STARTTLS. */
  readonly ca?: string
}

/** How long the generator waits for a reply. */
const LIMIT_MS = 20_000

export class Connection {
  readonly #place: Place
  readonly #replies = new ReplyCounter()
  #socket: net.Socket
  #missing = 0
  #done: (() => void) | undefined
  #failed: ((error: Error) => void) | undefined
  #failure: Error | undefined

  private constructor(place: Place) {
    this.#place = place
    this.#socket = net.connect({ port: place.port, host: '127.0.0.1', noDelay: true })
    this.#observe(this.#socket)
  }

  /** Connects, reads the greeting, says EHLO, and begins TLS if the place requires it. */
  static async open(place: Place): Promise<Connection> {
    const connection = new Connection(place)
    await connection.#expect(1)
    await connection.ask(EHLO)
    if (place.ca !== undefined) await connection.#secure()
    return connection
  }

  /** Writes bytes and resolves after this number of replies. Rejects after a refusal or when the connection ends. */
  ask(bytes: Buffer, replies = 1): Promise<void> {
    const done = this.#expect(replies)
    this.#socket.write(bytes)
    return done
  }

  /** Says QUIT and waits for the reply. */
  async quit(): Promise<void> {
    await this.ask(QUIT)
    this.#socket.destroy()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  async #secure(): Promise<void> {
    await this.ask(STARTTLS)
    const plain = this.#socket.removeAllListeners('data')
    const context = contextOf(this.#place.ca!)
    const session = sessions.get(this.#place.port)
    const socket = tls.connect({
      socket: plain,
      secureContext: context,
      servername: 'localhost',
      ...(session && { session }),
    })
    socket.on('session', (ticket: Buffer) => sessions.set(this.#place.port, ticket))
    this.#socket = socket
    this.#observe(socket)
    await this.ask(EHLO)
  }

  #observe(socket: net.Socket): void {
    socket.on('data', (chunk: Buffer) => this.#arrived(chunk))
    socket.on('error', (error) => this.#fail(error))
    socket.on('close', () => this.#fail(new Error('the connection was closed')))
    socket.setTimeout(LIMIT_MS, () => {
      if (this.#missing > 0) this.#fail(new Error(`no reply within ${LIMIT_MS} ms`))
    })
  }

  #arrived(chunk: Buffer): void {
    this.#missing -= this.#replies.push(chunk)
    if (this.#replies.refusals > 0) this.#fail(new Error(`refused: ${this.#replies.refusal}`))
    else if (this.#missing === 0) this.#done?.()
  }

  #expect(replies: number): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    this.#missing = replies
    return new Promise((done, failed) => {
      this.#done = done
      this.#failed = failed
    })
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#failed?.(this.#failure)
    this.#socket.destroy()
  }
}

const EHLO = Buffer.from('EHLO app.example\r\n')
const STARTTLS = Buffer.from('STARTTLS\r\n')
const QUIT = Buffer.from('QUIT\r\n')

/** TLS sessions by port: an app resumes them. */
const sessions = new Map<number, Buffer>()
const contexts = new Map<string, tls.SecureContext>()

function contextOf(ca: string): tls.SecureContext {
  const context = contexts.get(ca) ?? tls.createSecureContext({ ca })
  contexts.set(ca, context)
  return context
}
