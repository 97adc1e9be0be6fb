/**
 * The state machine that understands one SMTP session: pure, without socket, timer or clock. It is told which bytes
 * went up and which replies came down, pairs the commands with the replies, and says what happened as SessionEvents.
 *
 * Its two rules:
 * 1. Replies are the truth, client bytes a hypothesis. What a client's next bytes are is decided by the reply to its
 *    last command (354 makes them a body, 334 a SASL line), so behind such a command the copy waits, not the bytes.
 * 2. It may give up, it may not be wrong. A reply that no pending command explains is counted and forgiven once; the
 *    second makes the session opaque: nothing is parsed any more, and the relay goes on.
 */

import type { CommandName, OpaqueReason, TransactionError } from '../events/closed-sets.ts'
import type { ReplyFacts } from '../events/reply.ts'
import type { SessionEvent } from '../events/session-event.ts'
import type { Unanswered } from '../events/transaction.ts'
import { type Chunk, mechanismOf, type Verb } from '../smtp/command.ts'
import { type AddressScope, recipientOf, senderOf } from '../smtp/path.ts'
import type { Reply } from '../smtp/reply.ts'
import { commandName } from './command-name.ts'
import { Framing, MAX_HELD_BYTES } from './framing.ts'
import { Answers, type Pending } from './reply-effects.ts'
import { factsOf } from './reply-facts.ts'
import type { Transaction } from './transaction.ts'

/** Commands without a reply, above which the reader of client bytes should pause. Arbitrary; clients send a few. */
export const MAX_PENDING = 1000

/** What a command was beside its name. */
type Details = Pick<Pending, 'chunk' | 'headers' | 'address'>

export class Dialogue {
  readonly #emit: (event: SessionEvent) => void
  readonly #framing: Framing
  readonly #recordAddresses: AddressScope
  readonly #pending: Pending[] = []
  readonly #answers: Answers
  #surprises = 0
  #lastActivity = 0
  /** How long nothing had moved before the present command began. */
  #quietMs = 0
  #opaque = false
  /** True once a QUIT was sent. */
  quitSent = false
  /** True once the upstream said 421. */
  upstreamSaid421 = false
  /** True when bytes that look like SMTP may be anything: replies cannot be assembled any more. */
  wrapped = false

  /** `emit` must not throw: wrap observers in guard(). `recordAddresses` is PROXY_RECORD_ADDRESSES. */
  constructor(emit: (event: SessionEvent) => void, recordAddresses: AddressScope = 'none') {
    this.#emit = emit
    this.#recordAddresses = recordAddresses
    const listener = {
      command: (verb: Verb, line: Buffer, chunk: Chunk | undefined, at: number) => this.#command(verb, line, chunk, at),
      saslResponse: (at: number) => this.#push('AUTH', 'AUTH', at),
      endOfBody: (at: number) => this.#endOfBody(at),
      overflow: (at: number) => this.giveUp('overflow', at),
    }
    this.#framing = new Framing(listener, recordAddresses === 'full')
    this.#answers = new Answers(emit, this.#framing, (reason, at) => this.giveUp(reason, at))
  }

  /** Transactions whose MAIL was accepted. */
  get messages(): number {
    return this.#answers.messages
  }

  /** True while the client may still be sending a message that was refused, and has not read the refusal. */
  get refusedWhileSending(): boolean {
    return this.#answers.refusedWhileSending
  }

  /** True once EHLO or HELO was accepted on this layer: a handshake of the client begins a new one. */
  get identified(): boolean {
    return this.#answers.identified
  }

  get opaque(): boolean {
    return this.#opaque
  }

  /** True when the next client octet begins (or continues) a command line, for sure. */
  get inCommand(): boolean {
    return !this.#opaque && this.#framing.inCommand
  }

  /** True when part of a command line is known and its end is not. */
  get inLine(): boolean {
    return this.#framing.inLine
  }

  /** True inside a body, where bytes need no look before they go up. */
  get inBody(): boolean {
    const { phase, heldBytes } = this.#framing
    return (phase === 'body' || phase === 'chunk') && heldBytes === 0 && !this.#opaque
  }

  get pending(): number {
    return this.#pending.length
  }

  /** The command whose reply comes next. */
  get awaited(): CommandName {
    if (this.#opaque) return 'OTHER'
    return this.#pending[0]?.command ?? 'UNSOLICITED'
  }

  /** True when the reader of client bytes should pause until a reply comes. */
  get full(): boolean {
    return this.#pending.length >= MAX_PENDING || this.#framing.heldBytes >= MAX_HELD_BYTES
  }

  /** True when no mail is under way and no reply is owed: the moment at which a session may be ended politely. */
  get betweenMails(): boolean {
    return this.inCommand && this.#pending.length === 0 && !this.inLine && !this.#answers.mail
  }

  /** True from the last dot to its reply: only the upstream may end this. */
  get awaitingVerdict(): boolean {
    return this.verdictsOwed > 0
  }

  /** Messages that were sent whole and have no final reply yet. */
  get verdictsOwed(): number {
    const unfinished = this.#framing.phase === 'chunk' ? this.#pending.at(-1) : undefined
    let owed = 0
    for (const pending of this.#pending) {
      if (pending.verb === 'END' || (pending.chunk?.last && pending !== unfinished)) owed += 1
    }
    return owed
  }

  /** Client bytes that were sent to the upstream at `at`. The buffer is not kept. */
  client(bytes: Buffer, at: number): void {
    if (this.#opaque) return
    if (!this.#framing.inLine) this.#quietMs = Math.max(0, at - this.#lastActivity)
    this.#framing.push(bytes, at)
    this.#lastActivity = at
  }

  /**
   * Client bytes that begin inside a body. Reads to its end at most; returns how many octets belonged to it. The buffer is
   * not kept.
   */
  clientBody(bytes: Buffer, at: number): number {
    this.#quietMs = Math.max(0, at - this.#lastActivity)
    this.#lastActivity = at
    return this.#framing.pushBody(bytes, at)
  }

  /** A whole reply of the upstream. Returns what it answers. */
  reply(reply: Reply, at: number): CommandName {
    const answered = this.#opaque ? this.#uninterpreted(reply, at) : this.#interpret(reply, at)
    this.#lastActivity = at
    this.#framing.release()
    return answered
  }

  /** The upstream's greeting; `since` is when the client connected. */
  greeting(reply: Reply, since: number, at: number): void {
    this.#lastActivity = at
    const facts = factsOf(reply, 'CONNECT', 0)
    if (facts.code === 421) this.upstreamSaid421 = true
    this.#emit({ type: 'greeting', at: since, end: at, reply: facts })
  }

  /** The proxy answered `verb` by itself, at once; or the greeting, when `verb` is `CONNECT`. `line` is the command's. */
  own(verb: Verb | 'CONNECT', reply: ReplyFacts, since: number, at: number, line?: Buffer): void {
    if (verb === 'CONNECT') return this.#emit({ type: 'greeting', at: since, end: at, reply })
    this.#emit({ type: 'exchange', at: since, end: at, command: commandName(verb), reply })
    const address = line && this.#addressIn(verb, line)
    if (verb === 'MAIL' && !this.#answers.mail) this.#answers.toMail(reply, since, at, address)
    if (verb === 'RCPT') this.#answers.mail?.recipient(reply, since, at, address)
  }

  /** The client connection entered TLS: RFC 3207 4.2 forgets all that was sent before. */
  tls(protocol: string, cipher: string, at: number): void {
    this.#framing.clear()
    this.#framing.chunking = false
    this.#answers.identified = false
    this.#lastActivity = at
    this.#emit({ type: 'tls', at, protocol, cipher })
  }

  /**
   * The session is over. `by` the client: it gave up, unless a verdict was awaited; by the others: `error` says why.
   * Ends an open transaction.
   */
  close(by: 'client' | 'upstream' | 'proxy', error: TransactionError, at: number): void {
    const open = this.#answers.mail
    const unanswered = open ? -1 : this.#pending.findIndex((pending) => pending.verb === 'MAIL')
    const mail = this.#pending[unanswered]
    const transaction = open ?? (mail && this.#answers.begin(mail.at, at, mail.address))
    if (!transaction) return
    this.#countUnanswered(transaction, unanswered + 1)
    if (by === 'client' && !this.awaitingVerdict) transaction.abandon(at)
    else transaction.lose(this.awaitingVerdict, error, at, open && this.#firstUnanswered())
  }

  /** Where a mail is open, all that is pending belongs to it, up to the next MAIL. */
  #firstUnanswered(): Unanswered | undefined {
    const [first] = this.#pending
    return first && first.verb !== 'MAIL' ? { command: first.command, at: first.at } : undefined
  }

  /** Stops understanding, for `reason`. Frees what was kept; an open transaction ends as aborted. */
  giveUp(reason: OpaqueReason, at: number): void {
    if (this.#opaque) return
    this.#opaque = true
    this.#pending.length = 0
    this.#framing.clear()
    this.wrapped = reason === 'sasl_security_layer'
    this.#answers.mail?.abandon(at)
    this.#emit({ type: 'session-opaque', at, reason })
  }

  #command(verb: Verb, line: Buffer, chunk: Chunk | undefined, at: number): void {
    if (verb === 'QUIT') this.quitSent = true
    if (verb !== 'BDAT') this.#answers.refusedWhileSending = false
    if (verb === 'AUTH') this.#answers.mechanism = mechanismOf(line)
    this.#push(commandName(verb), verb, at, this.#detailsOf(verb, line, chunk))
  }

  #detailsOf(verb: Verb, line: Buffer, chunk: Chunk | undefined): Details | undefined {
    const { headers } = this.#framing
    if (chunk) return headers ? { chunk, headers } : { chunk }
    const address = this.#addressIn(verb, line)
    return address === undefined ? undefined : { address }
  }

  #addressIn(verb: Verb, line: Buffer): string | undefined {
    if (this.#recordAddresses === 'none') return undefined
    if (verb === 'MAIL') return senderOf(line, this.#recordAddresses)
    return verb === 'RCPT' ? recipientOf(line, this.#recordAddresses) : undefined
  }

  /** Queues a command whose reply is owed. */
  #push(command: CommandName, verb: Verb | 'END', at: number, details?: Details): void {
    this.#pending.push({ command, verb, at, quietMs: this.#quietMs, ...details })
    this.#framing.block(this.#pending.length >= MAX_PENDING)
  }

  #endOfBody(at: number): void {
    if (this.#answers.bodyEnded()) this.#push('END-OF-MESSAGE', 'END', at)
  }

  /** The octets of a body, or of chunks, that no reply has counted yet; `from` is the first pending command of the mail. */
  #countUnanswered(transaction: Transaction, from = 0): void {
    if (this.#framing.phase === 'body') transaction.size = this.#framing.bodySize
    for (const pending of this.#pending.slice(from)) {
      if (pending.verb === 'MAIL') return // what follows belongs to the next mail
      if (!pending.chunk) continue
      transaction.body(pending.at)
      transaction.headers ??= pending.headers
      transaction.size += pending.chunk.size
      if (pending === this.#pending.at(-1)) transaction.size -= this.#framing.chunkLeft
    }
  }

  #uninterpreted(reply: Reply, at: number): CommandName {
    const facts = factsOf(reply, 'OTHER', at - this.#lastActivity)
    if (facts.code === 421) this.upstreamSaid421 = true
    this.#emit({ type: 'exchange', at, end: at, command: 'OTHER', reply: facts })
    return 'OTHER'
  }

  #interpret(reply: Reply, at: number): CommandName {
    const pending = this.#pending.shift()
    this.#framing.block(this.#pending.length >= MAX_PENDING)
    if (!pending) return this.#unasked(reply, at)
    const facts = factsOf(reply, pending.command, pending.quietMs)
    this.#emit({ type: 'exchange', at: pending.at, end: at, command: pending.command, reply: facts })
    this.#answers.take(pending, facts, reply, at, this.#pending)
    if (facts.code === 421) this.#said421(pending.command, facts, at)
    return pending.command
  }

  #said421(command: CommandName, facts: ReplyFacts, at: number): void {
    this.upstreamSaid421 = true
    const transaction = this.#answers.mail
    if (!transaction) return
    this.#countUnanswered(transaction)
    transaction.refuse({ command, reply: facts }, at)
  }

  /** A reply while no command is pending. */
  #unasked(reply: Reply, at: number): CommandName {
    if (this.#framing.phase === 'body' && reply.code !== 421 && !this.#answers.refusedEarly) {
      this.#answers.early(reply, at)
      return 'END-OF-MESSAGE'
    }
    const facts = factsOf(reply, 'UNSOLICITED', at - this.#lastActivity)
    this.#emit({ type: 'exchange', at, end: at, command: 'UNSOLICITED', reply: facts })
    if (facts.code === 421) this.#said421('UNSOLICITED', facts, at)
    else if (++this.#surprises > 1) this.giveUp('reply_mismatch', at)
    return 'UNSOLICITED'
  }
}
