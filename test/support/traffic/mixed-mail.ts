/**
 * Mixed messages from a few apps, with known outcomes. What the apps read, and what was planned, is a separate book.
 * The same seed makes the same messages, in any order.
 */
import type { CloseReason } from '../../../proxy/events/closed-sets.ts'
import { AUTH_PLAIN } from '../../simulator/client.ts'
import { type Book, classOf } from '../books/book.ts'
import { connectClient, type Peer } from '../sockets/scripted-peers.ts'

/** The apps' addresses, and their names in PROXY_CLIENTS. */
export const CLIENTS: Readonly<Record<string, string>> = {
  '127.0.0.1': 'other',
  '127.0.0.2': 'billing',
  '127.0.0.3': 'web',
}

/** Settings of a proxy that names these apps and allows no other clients. */
export const CLIENT_SETTINGS = {
  PROXY_CLIENTS: 'billing=127.0.0.2,web=127.0.0.3',
  PROXY_ALLOW: '127.0.0.0/29',
}

/** An address that these settings refuse. */
export const STRANGER = '127.0.0.9'

/** The name of a command, and the line. */
type Line = readonly [command: string, line: string]

/** A message to send: its envelope and its expected outcome. */
export interface Mail {
  /** The local part of the sender. It can name a fault. */
  readonly from?: string
  /** The local parts of the recipients. */
  readonly to?: readonly string[]
  /** A command after MAIL. */
  readonly between?: Line
  /** The bytes between the 354 and the line with the final dot. */
  readonly body?: string
  readonly outcome: 'accepted' | 'tempfail' | 'permfail' | 'aborted' | 'in_doubt'
  readonly error?: string
  /** True when each command must wait for the reply to the previous one, because pipelining would be ambiguous. */
  readonly patient?: true
  /** How the session ends, when AhaSend ends it with this message. */
  readonly closes?: CloseReason
}

/** A client of the proxy. It records in its book what it reads and what was planned. */
export class App {
  readonly peer: Peer
  readonly client: string
  readonly book: Book

  private constructor(peer: Peer, client: string, book: Book) {
    this.peer = peer
    this.client = client
    this.book = book
  }

  /** Connects an app from an address. It has read nothing yet. */
  static async connect(port: number, localAddress: string, book: Book): Promise<App> {
    const peer = await connectClient({ port, localAddress, limitMs: 20_000 })
    return new App(peer, CLIENTS[localAddress] ?? 'other', book)
  }

  /** Connects an app and logs it in. */
  static async loggedIn(port: number, localAddress: string, book: Book): Promise<App> {
    const app = await App.connect(port, localAddress, book)
    await app.read('CONNECT')
    await app.ask('EHLO', 'EHLO app.example')
    await app.ask('AUTH', AUTH_PLAIN)
    return app
  }

  /** Reads the reply to `command` and returns its code, or 0 when the connection ends instead. */
  async read(command: string): Promise<number> {
    const reply = await this.peer.readReply().catch((error: Error) => {
      if (this.peer.ending === undefined) throw error
      return ''
    })
    if (reply === '') return 0
    const code = Number(reply.slice(0, 3))
    const origin = reply.includes('ahasend-smtp-proxy:') ? 'proxy' : 'upstream'
    this.book.replies.add({ command, code, origin, client: this.client })
    if (command === 'MAIL' && code === 250) this.book.mails.add({})
    // with a 503 there is no message that the recipient could belong to
    if (command === 'RCPT' && code !== 503) this.book.recipients.add({ verdict: classOf(code), client: this.client })
    return code
  }

  /** Sends a line and reads the reply. */
  async ask(command: string, line: string): Promise<number> {
    await this.peer.send(`${line}\r\n`)
    return await this.read(command)
  }

  /** Sends a message. With `pipelined`, its envelope is one segment. */
  async mail(mail: Mail, pipelined: boolean): Promise<void> {
    const { body = BODY, closes } = mail
    const code = await (pipelined && !mail.patient ? this.#atOnce(mail) : this.#stepByStep(mail))
    if (code === 354) {
      await this.peer.send(`${body}.\r\n`)
      await this.read('END-OF-MESSAGE')
    } else if (!closes) await this.ask('RSET', 'RSET')
    this.ended(mail, code === 354 ? body : undefined)
  }

  /** Records the outcome of a message. `body` is what the app sent of the body, undefined if it sent none. */
  ended({ outcome, error }: Pick<Mail, 'outcome' | 'error'>, body: string | undefined): void {
    const { book, client } = this
    book.transactions.add({ outcome, error, client })
    if (body === undefined) return
    book.bodies.add({ outcome, client })
    book.bytesOfBodies.add({ outcome, client }, Buffer.byteLength(body))
  }

  /** Waits until the other side has closed the connection, and closes it. */
  async closed(reason: CloseReason): Promise<void> {
    await this.peer.closed()
    await this.peer.end()
    this.book.sessions.add({ reason, client: this.client })
  }

  async quit(): Promise<void> {
    await this.ask('QUIT', 'QUIT')
    await this.closed('quit')
  }

  /** Closes the connection without QUIT. */
  async leave(how: 'client_closed' | 'client_reset'): Promise<void> {
    if (how === 'client_closed') await this.peer.end()
    else await this.peer.reset()
    await this.closed(how)
  }

  /** Sends the envelope in one segment. Returns the last code. */
  async #atOnce(mail: Mail): Promise<number> {
    const lines = envelopeOf(mail)
    await this.peer.send(lines.map(([, line]) => `${line}\r\n`).join(''))
    let code = 0
    for (const [command] of lines) code = await this.read(command)
    return code
  }

  /**
   * Sends the envelope line by line, and stops at a refusal. Sends no DATA without a recipient. Returns the last code.
   */
  async #stepByStep(mail: Mail): Promise<number> {
    let code = 0
    let recipients = 0
    for (const [index, [command, line]] of envelopeOf(mail).entries()) {
      if (command === 'DATA' && recipients === 0) break
      code = await this.ask(command, line)
      if (command === 'RCPT' && code === 250) recipients += 1
      if (code === 0 || code === 421 || (index === 0 && code >= 400)) break
    }
    return code
  }
}

const BODY = 'Subject: mixed\r\n\r\nOne line.\r\n..\r\n'

function envelopeOf({ from = 'app', to = ['you'], between }: Mail): readonly Line[] {
  const line = (text: string): Line => [text.split(' ', 1)[0] ?? '', text]
  return [
    line(`MAIL FROM:<${from}@example.com>`),
    ...(between ? [between] : []),
    ...to.map((name) => line(`RCPT TO:<${name}@example.net>`)),
    line('DATA'),
  ]
}
