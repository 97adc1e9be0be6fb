/**
 * One SMTP session with the simulator: smtp-server's connection with AhaSend's reply texts and limits, and with faults.
 * The ledger records what it receives and sends.
 */
import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import type { SMTPServer } from 'smtp-server'
import { SMTPConnection } from 'smtp-server/lib/smtp-connection.js'
import { NO_FAULT, type Plan } from '../active-faults.ts'
import type { CommandFault, FaultPoint, SessionActions } from '../fault.ts'
import type { SessionRecord } from '../ledger.ts'
import { type Body, BodyStream } from './body.ts'
import { type Refusal, refusalOf } from './command-checks.ts'
import { type Command, faultPointOf, pseudoCommand, readCommand } from './commands.ts'
import { capabilities, faultText, idleTooLong, type ReplyFacts, usualText } from './replies.ts'
import type { SessionContext } from './session-context.ts'
import type { Transaction } from './transaction.ts'

export class AhaSendConnection extends SMTPConnection {
  readonly #context: SessionContext
  readonly #socket: Socket
  readonly #session: SessionRecord
  readonly #idleMs: number
  #command: Command = pseudoCommand('CONNECT')
  #transaction: Transaction | undefined
  #messages = 0
  #greetingRefused = false
  #afterHalfReply: Plan['afterHalfReply']
  /** Runs the command that arrived before the greeting was sent. */
  #heldCommand: (() => void) | undefined

  constructor(server: SMTPServer, socket: Socket, context: SessionContext) {
    super(server, socket, {})
    this.#context = context
    this.#socket = socket
    this.#session = context.ledger.opened()
    this.#idleMs = context.faults.idleMs(context.idleMs)
    this._maxAllowedUnauthenticatedCommands = false
  }

  // smtp-server waits 100 ms here to catch clients that talk too early. The simulator lets such clients wait.
  override init(): void {
    const greet = () => this.connectionReady()
    this._setListeners(() => this.#perform('greeting', greet, () => this.#startCommands()))
  }

  override _sendGreeting(): void {
    super._sendGreeting()
    this.#startCommands()
  }

  // smtp-server's constructor calls this too, before the fields of this class exist.
  override _createParser(): BodyStream {
    const parser = new BodyStream({})
    parser.oncommand = (line, next) => this._onCommand(line, next)
    parser.on('pipe', (source) => this.#countBytesFrom(source))
    parser.on('error', () => this.#refuseEndlessLine())
    // The client has half-closed, and the simulator has replied to everything it sent.
    parser.on('finish', () => this.close())
    return parser
  }

  override _onCommand(line: Buffer, next: () => void = () => {}): void {
    if (this._upgrading) return super._onCommand(line, next)
    if (!this._ready) {
      this.#heldCommand = () => this._onCommand(line, next)
      return
    }
    const isAuthResponse = this._nextHandler !== false
    this.#command = isAuthResponse ? pseudoCommand('AUTH') : readCommand(line.toString())
    this.#recordCommand(line)
    const refusal = isAuthResponse ? undefined : this.#refusal(line.length)
    const { command, faults } = this.#command
    if (refusal || !faults) {
      this.#reply(...(refusal ?? ([501, '5.1.3 No such fault'] as const)))
      return next()
    }
    const point = faultPointOf(command, this.#context.requireTls && !this.secure) ?? 'noop'
    const chosen = [...(this.#transaction?.faults ?? []), ...faults]
    this.#perform(point, () => super._onCommand(line, next), next, chosen)
  }

  override handler_DATA(_line: Buffer, next: () => void): void {
    const transaction = this.#transaction
    if (!transaction?.recipients.length || !(this._parser instanceof BodyStream)) {
      this.#reply(503, `5.5.0 ${transaction ? 'RCPT TO' : 'MAIL FROM'} must be issued first`)
      return next()
    }
    const { keepBodies } = this.#context
    this._parser.beginBody(keepBodies, (body, resume) => this.#endOfMessage(transaction, body, resume))
    this.send(354)
    next()
  }

  /** Sends smtp-server's reply with AhaSend's text. */
  override send(code: number, data?: string | string[] | null): void {
    const { command } = this.#command
    if (code === 250) this.#recordAccepted()
    const smtpServerText = Array.isArray(data) ? data[0] : data
    const text = usualText(command, code, this.#replyFacts()) ?? smtpServerText ?? ''
    this.#write(code, command === 'EHLO' && code === 250 ? [text, ...this.#capabilities()] : [text])
  }

  override _resetSession(): void {
    this.#transaction = undefined
    super._resetSession()
  }

  override _armTimeout(socket: Socket = this._socket): void {
    socket.setTimeout(this.#idleMs, () => this._onTimeout())
    // smtp-server calls this with the TLS socket when a handshake begins. That socket allows half-open connections: without
    // this line, it stays open after the client gives up.
    if (this._upgrading) socket.once('end', () => this._upgrading && socket.destroy())
  }

  override _onTimeout(): void {
    if (this._closing) return super._onTimeout()
    if (this._handlerPending) return this._armTimeout()
    this.#command = pseudoCommand('UNSOLICITED')
    this.#reply(421, idleTooLong(this.#context.hostname))
  }

  // A reset by the client or a failed handshake is not an error of the simulator.
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

  /** Performs commands from now on, beginning with the one that arrived early. */
  #startCommands(): void {
    this._ready = true
    const run = this.#heldCommand
    this.#heldCommand = undefined
    if (!this._closing) run?.()
  }

  #countBytesFrom(source: NodeJS.EventEmitter): void {
    if (this.secure) this.#context.ledger.secured(this.#session)
    source.on('error', () => {})
    source.on('data', (chunk: Buffer) => this.#context.ledger.received(this.#session, chunk.length))
  }

  #refuseEndlessLine(): void {
    this.#command = pseudoCommand('OTHER')
    this.#reply(500, '5.2.3 line too long')
    this.close()
  }

  #recordCommand(line: Buffer): void {
    const { command, argument } = this.#command
    const withoutCredentials = command === 'AUTH' ? `AUTH ${argument}`.trimEnd() : line.toString()
    this.#context.ledger.command(this.#session, command, withoutCredentials)
  }

  #refusal(length: number): Refusal | undefined {
    const { requireTls, offerTls, requireAuth, limits } = this.#context
    return refusalOf({
      verb: this.#command.verb,
      length,
      greetingRefused: this.#greetingRefused,
      tlsMissing: requireTls && !this.secure,
      tlsOffered: offerTls,
      ehloMissing: this.hostNameAppearsAs === false,
      authMissing: requireAuth && !this.session.user,
      messages: this.#messages,
      recipients: this.#transaction?.recipients.length ?? 0,
      limits,
    })
  }

  /** Applies the faults, then runs the command. `next` reads what the client sent after the command. */
  #perform(at: FaultPoint, command: () => void, next: () => void, chosen: readonly CommandFault[] = []): void {
    const plan = this.#context.faults.plan(at, chosen)
    if (plan === NO_FAULT) return command()
    this._handlerPending = true
    const apply = () => this.#apply(plan, command, next)
    if (plan.delayMs > 0) setTimeout(apply, plan.delayMs).unref()
    else apply()
  }

  #apply(plan: Plan, command: () => void, next: () => void): void {
    if (this._closing || this._closed) return
    this.#afterHalfReply = plan.afterHalfReply
    if (plan.insteadOfCommand) return plan.insteadOfCommand(this.#actions(next))
    this._handlerPending = false
    command()
  }

  /** While a fault uses none of these, the command stays pending, and the idle limit does not apply. */
  #actions(next: () => void): SessionActions {
    return {
      reply: (code, text) => {
        this._handlerPending = false
        // A refused SASL response ends its AUTH.
        this._nextHandler = false
        this.#reply(code, text ?? faultText(this.#command.command, code, this.#replyFacts()))
        next()
      },
      close: () => this.close(),
      reset: () => this.#reset(),
    }
  }

  #endOfMessage(transaction: Transaction, body: Body, resume: () => void): void {
    const { ledger } = this.#context
    this.#command = pseudoCommand('END-OF-MESSAGE')
    transaction.message = ledger.message(this.#session, transaction.sender, transaction.recipients, body)
    const done = () => {
      this._resetSession()
      resume()
    }
    const acceptOrRefuse = () => {
      this.#replyToMessage(transaction, body)
      done()
    }
    this.#perform('end-of-message', acceptOrRefuse, done, transaction.faults)
  }

  #replyToMessage(transaction: Transaction, body: Body): void {
    const { limits, refuseBareLineFeeds } = this.#context
    if (body.size > limits.messageSize) return this.#reply(552, '5.3.4 message too big')
    if (body.bareLineFeed && refuseBareLineFeeds) {
      return this.#reply(552, '5.6.0 message data must use CRLF for line endings')
    }
    transaction.ids = transaction.recipients.map(() => randomUUID().replaceAll('-', ''))
    this.send(250)
  }

  /** Records a sender or a recipient that smtp-server has accepted. */
  #recordAccepted(): void {
    const { command, address, faults } = this.#command
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
    const { address, argument } = this.#command
    return { hostname: this.#context.hostname, address, argument, ids: this.#transaction?.ids ?? [] }
  }

  #reply(code: number, text: string): void {
    if (this.#command.command === 'CONNECT' && code >= 500) this.#greetingRefused = true
    this.#write(code, [text])
  }

  /** The only place that writes replies. */
  #write(code: number, lines: readonly string[]): void {
    const payload = lines.map((line, at) => `${code}${at < lines.length - 1 ? '-' : ' '}${line}\r\n`).join('')
    if (!this._upgrading && this._socket.writable) {
      if (this.#afterHalfReply) this.#writeHalf(payload, this.#afterHalfReply)
      else this.#writeWhole(code, payload)
    }
    if (code === 421) this.close()
  }

  #writeHalf(payload: string, then: (session: SessionActions) => void): void {
    const half = payload.slice(0, Math.ceil(payload.length / 2))
    this.#context.ledger.replyCut(this.#session, Buffer.byteLength(half))
    this._socket.write(half)
    then(this.#actions(() => {}))
  }

  #writeWhole(code: number, payload: string): void {
    const { ledger } = this.#context
    const { command } = this.#command
    this._socket.write(payload)
    ledger.replied(this.#session, command, code, Buffer.byteLength(payload), payload.slice(4).split('\r\n', 1)[0] ?? '')
    const transaction = this.#transaction
    if (command === 'END-OF-MESSAGE' && transaction?.message) ledger.verdict(transaction.message, code, transaction.ids)
  }

  /** Resets once all earlier replies are sent, because the ledger has counted them. */
  #reset(): void {
    this._socket.write(Buffer.alloc(0), () => this.#socket.resetAndDestroy())
  }
}
