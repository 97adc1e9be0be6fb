/**
 * Mixed mail from a few apps, planned to the unit: what each mail comes to is known before it is sent. What the apps read
 * and what was planned is a book of its own. The same seed makes the same traffic, whatever order the network makes of it.
 */
import type { CloseReason } from '../../../proxy/events/closed-sets.ts'
import { AUTH_PLAIN } from '../../simulator/client.ts'
import { type Book, classOf } from '../books/book.ts'
import { connectClient, type Peer } from '../sockets/scripted-peers.ts'

/** Where apps call from, and how PROXY_CLIENTS names them. */
export const CLIENTS: Readonly<Record<string, string>> = {
  '127.0.0.1': 'other',
  '127.0.0.2': 'billing',
  '127.0.0.3': 'web',
}

/** Settings of a proxy that names and admits these apps, and nobody else. */
export const CLIENT_SETTINGS = {
  PROXY_CLIENTS: 'billing=127.0.0.2,web=127.0.0.3',
  PROXY_ALLOW: '127.0.0.0/29',
}

/** An address that these settings turn away. */
export const STRANGER = '127.0.0.9'

/** A command line, and what it is called. */
type Line = readonly [command: string, line: string]

/** A mail to send: who is named in its envelope, and what must come of it. */
export interface Mail {
  /** The local part of the sender, which may name a fault. */
  readonly from?: string
  /** The local parts of the recipients. */
  readonly to?: readonly string[]
  /** A command behind MAIL. */
  readonly between?: Line
  /** The bytes between the 354 and the final dot's line. */
  readonly body?: string
  readonly outcome: 'accepted' | 'tempfail' | 'permfail' | 'aborted' | 'in_doubt'
  readonly error?: string
  /** True where what follows a command must wait for its reply, so that it can be understood. */
  readonly patient?: true
  /** How the session ends with it, when AhaSend ends it. */
  readonly closes?: CloseReason
}

/** A client of the proxy: it speaks as told, and writes down what it reads and what was planned. */
export class App {
  readonly peer: Peer
  readonly client: string
  readonly book: Book

  private constructor(peer: Peer, client: string, book: Book) {
    this.peer = peer
    this.client = client
    this.book = book
  }

  /** An app that has connected from an address, and read nothing yet. */
  static async connect(port: number, localAddress: string, book: Book): Promise<App> {
    const peer = await connectClient({ port, localAddress, limitMs: 20_000 })
    return new App(peer, CLIENTS[localAddress] ?? 'other', book)
  }

  /** An app that is logged in. */
  static async loggedIn(port: number, localAddress: string, book: Book): Promise<App> {
    const app = await App.connect(port, localAddress, book)
    await app.read('CONNECT')
    await app.ask('EHLO', 'EHLO app.example')
    await app.ask('AUTH', AUTH_PLAIN)
    return app
  }

  /** The code of the next reply, which answers `command`; 0 when the connection ends instead. */
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
    // 503: there is no mail that it could be a recipient of
    if (command === 'RCPT' && code !== 503) this.book.recipients.add({ verdict: classOf(code), client: this.client })
    return code
  }

  async ask(command: string, line: string): Promise<number> {
    await this.peer.send(`${line}\r\n`)
    return await this.read(command)
  }

  /** Sends a mail as planned. With `pipelined`, its envelope in one segment. */
  async mail(mail: Mail, pipelined: boolean): Promise<void> {
    const { body = BODY, closes } = mail
    const code = await (pipelined && !mail.patient ? this.#atOnce(mail) : this.#stepByStep(mail))
    if (code === 354) {
      await this.peer.send(`${body}.\r\n`)
      await this.read('END-OF-MESSAGE')
    } else if (!closes) await this.ask('RSET', 'RSET')
    this.ended(mail, code === 354 ? body : undefined)
  }

  /** What a mail came to. `body` is what was sent of it, absent when there was none. */
  ended({ outcome, error }: Pick<Mail, 'outcome' | 'error'>, body: string | undefined): void {
    const { book, client } = this
    book.transactions.add({ outcome, error, client })
    if (body === undefined) return
    book.bodies.add({ outcome, client })
    book.bytesOfBodies.add({ outcome, client }, Buffer.byteLength(body))
  }

  /** Waits for the end of the connection, and ends it here too. */
  async closed(reason: CloseReason): Promise<void> {
    await this.peer.closed()
    await this.peer.end()
    this.book.sessions.add({ reason, client: this.client })
  }

  async quit(): Promise<void> {
    await this.ask('QUIT', 'QUIT')
    await this.closed('quit')
  }

  /** Ends the connection without a word. */
  async leave(how: 'client_closed' | 'client_reset'): Promise<void> {
    if (how === 'client_closed') await this.peer.end()
    else await this.peer.reset()
    await this.closed(how)
  }

  /** Returns the last code. */
  async #atOnce(mail: Mail): Promise<number> {
    const lines = envelopeOf(mail)
    await this.peer.send(lines.map(([, line]) => `${line}\r\n`).join(''))
    let code = 0
    for (const [command] of lines) code = await this.read(command)
    return code
  }

  /** The same, but nothing behind what was refused, and no DATA without a recipient. */
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
