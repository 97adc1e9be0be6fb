/** One SMTP session with the simulator: smtp-server's, with AhaSend's words, AhaSend's limits, faults and books. */
import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import type { SMTPServer } from 'smtp-server'
import { SMTPConnection } from 'smtp-server/lib/smtp-connection.js'
import { CALM, type Plan } from '../active-faults.ts'
import type { AnswerFault, FaultPoint } from '../faults.ts'
import type { MessageRecord, SessionRecord } from '../ledger.ts'
import { type Body, BodyStream } from './body.ts'
import { type Refusal, refusalOf } from './command-checks.ts'
import { type Command, faultPointOf, pseudoCommand, readCommand } from './commands.ts'
import { capabilities, faultText, idleTooLong, type ReplyFacts, usualText } from './replies.ts'
import type { SessionContext } from './session-context.ts'

/** The transaction in progress. */
interface Transaction {
  readonly sender: string
  readonly recipients: string[]
  /** Faults that the sender's and the accepted recipients' addresses ask for. */
  readonly faults: AnswerFault[]
  message?: MessageRecord
  ids: readonly string[]
}

export class AhaSendConnection extends SMTPConnection {
  readonly #context: SessionContext
  readonly #socket: Socket
  readonly #session: SessionRecord
  readonly #idleMs: number
  #current: Command = pseudoCommand('CONNECT')
  #transaction: Transaction | undefined
  #messages = 0
  #turnedAway = false
  #cut: Plan['cut']
  #early: (() => void) | undefined

  constructor(server: SMTPServer, socket: Socket, context: SessionContext) {
    super(server, socket, {})
    this.#context = context
    this.#socket = socket
    this.#session = context.ledger.opened()
    this.#idleMs = context.faults.idleMs(context.idleMs)
    this._maxAllowedUnauthenticatedCommands = false
  }

  // smtp-server waits 100 ms here, to catch clients that talk too soon. Such clients are simply kept waiting.
  override init(): void {
    const greet = () => this.connectionReady()
    this._setListeners(() => this.#answer('greeting', greet, () => this.#listen()))
  }

  override _sendGreeting(): void {
    super._sendGreeting()
    this.#listen()
  }

  // Called by smtp-server's constructor too, before the fields of this class exist.
  override _createParser(): BodyStream {
    const parser = new BodyStream({})
    parser.oncommand = (line, next) => this._onCommand(line, next)
    parser.on('pipe', (source) => this.#hear(source))
    parser.on('error', () => this.#giveUp())
    // The client has finished, and everything that it had sent is answered.
    parser.on('finish', () => this.close())
    return parser
  }

  override _onCommand(line: Buffer, next: () => void = () => {}): void {
    if (this._upgrading) return super._onCommand(line, next)
    if (!this._ready) {
      this.#early = () => this._onCommand(line, next)
      return
    }
    const continued = this._nextHandler !== false
    this.#current = continued ? pseudoCommand('AUTH') : readCommand(line.toString())
    this.#note(line)
    const refusal = continued ? undefined : this.#refusal(line.length)
    const { command, faults } = this.#current
    if (refusal || !faults) {
      this.#say(...(refusal ?? ([501, '5.1.3 No such fault'] as const)))
      return next()
    }
    const point = faultPointOf(command, this.#context.requireTls && !this.secure) ?? 'noop'
    const chosen = [...(this.#transaction?.faults ?? []), ...faults]
    this.#answer(point, () => super._onCommand(line, next), next, chosen)
  }

  override handler_DATA(_line: Buffer, next: () => void): void {
    const transaction = this.#transaction
    if (!transaction?.recipients.length || !(this._parser instanceof BodyStream)) {
      this.#say(503, `5.5.0 ${transaction ? 'RCPT TO' : 'MAIL FROM'} must be issued first`)
      return next()
    }
    const { keepBodies } = this.#context
    this._parser.beginBody(keepBodies, (body, resume) => this.#endOfMessage(transaction, body, resume))
    this.send(354)
    next()
  }

  /** What smtp-server wants to say, in AhaSend's words. */
  override send(code: number, data?: string | string[] | null): void {
    const { command } = this.#current
    if (code === 250) this.#accepted()
    const own = Array.isArray(data) ? data[0] : data
    const text = usualText(command, code, this.#replyFacts()) ?? own ?? ''
    this.#write(code, command === 'EHLO' && code === 250 ? [text, ...this.#capabilities()] : [text])
  }

  override _resetSession(): void {
    this.#transaction = undefined
    super._resetSession()
  }

  override _armTimeout(socket: Socket = this._socket): void {
    socket.setTimeout(this.#idleMs, () => this._onTimeout())
    // Called with the TLS socket when a handshake begins. Half-open, it would outlive a client that gives up.
    if (this._upgrading) socket.once('end', () => this._upgrading && socket.destroy())
  }

  override _onTimeout(): void {
    if (this._closing) return super._onTimeout()
    if (this._handlerPending) return this._armTimeout()
    this.#current = pseudoCommand('UNSOLICITED')
    this.#say(421, idleTooLong(this.#context.hostname))
  }

  // A client that resets its connection, or whose handshake fails, is none of the simulator's troubles.
  override _onError(): void {
    this.close()
  }

  override _onClose(): void {
    if (!this._closed) {
      if (this._upgrading) this.#context.ledger.handshakeFailed()
      if (this._parser instanceof BodyStream && this._parser.inBody) this.#context.ledger.bodyAborted()
      this.#context.ledger.closed(this.#session)
    }
    super._onClose()
  }

  /** From now on commands are performed; one may be waiting. */
  #listen(): void {
    this._ready = true
    const early = this.#early
    this.#early = undefined
    if (!this._closing) early?.()
  }

  #hear(source: NodeJS.EventEmitter): void {
    if (this.secure) this.#context.ledger.secured(this.#session)
    source.on('error', () => {})
    source.on('data', (chunk: Buffer) => this.#context.ledger.received(this.#session, chunk.length))
  }

  #giveUp(): void {
    this.#current = pseudoCommand('OTHER')
    this.#say(500, '5.2.3 line too long')
    this.close()
  }

  #note(line: Buffer): void {
    const { command, argument } = this.#current
    const safe = command === 'AUTH' ? `AUTH ${argument}`.trimEnd() : line.toString()
    this.#context.ledger.command(this.#session, command, safe)
  }

  #refusal(length: number): Refusal | undefined {
    const { requireTls, offerTls, requireAuth, limits } = this.#context
    return refusalOf({
      verb: this.#current.verb,
      length,
      turnedAway: this.#turnedAway,
      tlsMissing: requireTls && !this.secure,
      tlsOffered: offerTls,
      ehloMissing: this.hostNameAppearsAs === false,
      authMissing: requireAuth && !this.session.user,
      messages: this.#messages,
      recipients: this.#transaction?.recipients.length ?? 0,
      limits,
    })
  }

  /** Lets the faults have their way, then performs. `next` goes on with what the client sent behind the command. */
  #answer(point: FaultPoint, perform: () => void, next: () => void, chosen: readonly AnswerFault[] = []): void {
    const plan = this.#context.faults.plan(point, chosen)
    if (plan === CALM) return perform()
    this._handlerPending = true
    const act = () => this.#act(plan, perform, next)
    if (plan.delayMs > 0) setTimeout(act, plan.delayMs).unref()
    else act()
  }

  #act(plan: Plan, perform: () => void, next: () => void): void {
    if (this._closing || this._closed || plan.ending === 'silence') return
    this._handlerPending = false
    this.#cut = plan.cut
    if (plan.ending === 'close') return this.close()
    if (plan.ending === 'reset') return this.#reset()
    if (!plan.reply) return perform()
    // A refused SASL response is the end of that AUTH.
    this._nextHandler = false
    const { code, text } = plan.reply
    this.#say(code, text ?? faultText(this.#current.command, code, this.#replyFacts()))
    next()
  }

  #endOfMessage(transaction: Transaction, body: Body, resume: () => void): void {
    const { ledger } = this.#context
    this.#current = pseudoCommand('END-OF-MESSAGE')
    transaction.message = ledger.message(this.#session, transaction.sender, transaction.recipients, body)
    const done = () => {
      this._resetSession()
      resume()
    }
    const perform = () => {
      this.#judge(transaction, body)
      done()
    }
    this.#answer('end-of-message', perform, done, transaction.faults)
  }

  #judge(transaction: Transaction, body: Body): void {
    const { limits, refuseBareLineFeeds } = this.#context
    if (body.size > limits.messageSize) return this.#say(552, '5.3.4 message too big')
    if (body.bareLineFeed && refuseBareLineFeeds) {
      return this.#say(552, '5.6.0 message data must use CRLF for line endings')
    }
    transaction.ids = transaction.recipients.map(() => randomUUID().replaceAll('-', ''))
    this.send(250)
  }

  /** smtp-server has accepted a sender or a recipient. */
  #accepted(): void {
    const { command, address, faults } = this.#current
    if (command === 'MAIL') {
      this.#messages += 1
      this.#transaction = { sender: address, recipients: [], faults: [...(faults ?? [])], ids: [] }
    }
    if (command === 'RCPT') {
      this.#transaction?.recipients.push(address)
      this.#transaction?.faults.push(...(faults ?? []).filter(({ at }) => at !== 'rcpt'))
    }
  }

  #capabilities(): readonly string[] {
    const { offerTls, requireTls, requireAuth } = this.#context
    return capabilities({ starttls: offerTls && !this.secure, auth: requireAuth && (this.secure || !requireTls) })
  }

  #replyFacts(): ReplyFacts {
    const { address, argument } = this.#current
    return { hostname: this.#context.hostname, address, argument, ids: this.#transaction?.ids ?? [] }
  }

  #say(code: number, text: string): void {
    if (this.#current.command === 'CONNECT' && code >= 500) this.#turnedAway = true
    this.#write(code, [text])
  }

  /** The one place that writes. */
  #write(code: number, lines: readonly string[]): void {
    const payload = lines.map((line, at) => `${code}${at < lines.length - 1 ? '-' : ' '}${line}\r\n`).join('')
    if (!this._upgrading && this._socket.writable) this.#put(code, payload)
    if (code === 421 || this.#cut === 'close') this.close()
  }

  #put(code: number, payload: string): void {
    const { ledger } = this.#context
    const cut = this.#cut
    if (cut) {
      const half = payload.slice(0, Math.ceil(payload.length / 2))
      ledger.replyCut(this.#session, Buffer.byteLength(half))
      this._socket.write(half)
      if (cut === 'reset') this.#reset()
      return
    }
    this._socket.write(payload)
    const { command } = this.#current
    ledger.replied(this.#session, command, code, Buffer.byteLength(payload), payload.slice(4).split('\r\n', 1)[0] ?? '')
    const transaction = this.#transaction
    if (command === 'END-OF-MESSAGE' && transaction?.message) ledger.verdict(transaction.message, code, transaction.ids)
  }

  /** Resets once all earlier replies are out, because the ledger has counted them. */
  #reset(): void {
    this._socket.write(Buffer.alloc(0), () => this.#socket.resetAndDestroy())
  }
}
