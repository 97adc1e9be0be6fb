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
import type { CommandName, OpaqueReason, ReplyFacts, SessionEvent, TransactionError } from './events.ts'
import { Framing, MAX_HELD_BYTES } from './framing.ts'
import { factsOf } from './reply-facts.ts'
import { type Chunk, mechanismOf, type Verb } from './smtp/command.ts'
import { offers } from './smtp/ehlo.ts'
import type { Reply } from './smtp/reply.ts'
import { Transaction, verdictOf } from './transaction.ts'

/** Commands without a reply, above which the reader of client bytes should pause. Arbitrary; clients send a few. */
export const MAX_PENDING = 1000

/** Mechanisms after which the bytes may be wrapped in a security layer (RFC 4422 3.7). */
const SECURITY_LAYERS: ReadonlySet<string> = new Set(['GSSAPI', 'DIGEST-MD5'])

/** A command that was sent and not yet answered. */
interface Pending {
  readonly command: CommandName
  readonly verb: Verb | 'END'
  readonly at: number
  /** Milliseconds in which nothing moved before it was sent. */
  readonly quietMs: number
  readonly chunk?: Chunk
}

export class Dialogue {
  readonly #emit: (event: SessionEvent) => void
  readonly #framing: Framing
  readonly #pending: Pending[] = []
  #mechanism = 'OTHER'
  #surprises = 0
  #transaction: Transaction | undefined
  /** The upstream refused the body before its end: the final dot will not be answered. */
  #refusedEarly = false
  #lastActivity = 0
  /** How long nothing had moved before the present command began. */
  #quietMs = 0
  #opaque = false
  /** Transactions whose MAIL was accepted. */
  messages = 0
  /** True once a QUIT was sent. */
  quitSent = false
  /** True once the upstream said 421. */
  upstreamSaid421 = false
  /** True when bytes that look like SMTP may be anything: replies cannot be assembled any more. */
  wrapped = false

  /** `emit` must not throw: wrap observers in guard(). */
  constructor(emit: (event: SessionEvent) => void) {
    this.#emit = emit
    this.#framing = new Framing({
      command: (verb, line, chunk, at) => this.#command(verb, line, chunk, at),
      saslResponse: (at) => this.#push('AUTH', 'AUTH', at),
      endOfBody: (at) => this.#endOfBody(at),
      overflow: (at) => this.giveUp('overflow', at),
    })
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
    return this.inCommand && this.#pending.length === 0 && !this.inLine && !this.#openTransaction()
  }

  /** True from the last dot to its reply: only the upstream may end this. */
  get awaitingVerdict(): boolean {
    const unfinished = this.#framing.phase === 'chunk' ? this.#pending.at(-1) : undefined
    return this.#pending.some((pending) => pending.verb === 'END' || (pending.chunk?.last && pending !== unfinished))
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

  /** The proxy answered `verb` by itself, at once; or the greeting, when `verb` is `CONNECT`. */
  own(verb: Verb | 'CONNECT', reply: ReplyFacts, since: number, at: number): void {
    if (verb === 'CONNECT') return this.#emit({ type: 'greeting', at: since, end: at, reply })
    this.#emit({ type: 'exchange', at: since, end: at, command: commandName(verb), reply })
    if (verb === 'MAIL' && !this.#openTransaction()) this.#mail(reply, since, at)
    if (verb === 'RCPT') this.#openTransaction()?.recipient(reply, since, at)
  }

  /** The client's leg entered TLS: RFC 3207 4.2 forgets all that was said before. */
  tls(protocol: string, cipher: string, at: number): void {
    this.#framing.clear()
    this.#framing.chunking = false
    this.#lastActivity = at
    this.#emit({ type: 'tls', at, protocol, cipher })
  }

  /**
   * The session is over. `by` the client: it gave up, unless a verdict was awaited; by the others: `error` says why.
   * Ends an open transaction.
   */
  close(by: 'client' | 'upstream' | 'proxy', error: TransactionError, at: number): void {
    const unanswered = this.#pending.find((pending) => pending.verb === 'MAIL')
    if (!this.#openTransaction() && unanswered) this.#begin(unanswered.at, at)
    const transaction = this.#openTransaction()
    if (!transaction) return
    this.#countUnanswered(transaction)
    if (by === 'client' && !this.awaitingVerdict) transaction.abandon(at)
    else transaction.lose(this.awaitingVerdict, error, at)
  }

  /** Stops understanding, for `reason`. Frees what was kept; an open transaction ends as aborted. */
  giveUp(reason: OpaqueReason, at: number): void {
    if (this.#opaque) return
    this.#opaque = true
    this.#pending.length = 0
    this.#framing.clear()
    this.wrapped = reason === 'sasl_security_layer'
    this.#openTransaction()?.abandon(at)
    this.#emit({ type: 'session-opaque', at, reason })
  }

  #command(verb: Verb, line: Buffer, chunk: Chunk | undefined, at: number): void {
    if (verb === 'QUIT') this.quitSent = true
    if (verb === 'AUTH') this.#mechanism = mechanismOf(line)
    this.#push(commandName(verb), verb, at, chunk)
  }

  /** Queues a command whose reply is owed. */
  #push(command: CommandName, verb: Verb | 'END', at: number, chunk?: Chunk): void {
    this.#pending.push({ command, verb, at, quietMs: this.#quietMs, ...(chunk && { chunk }) })
    this.#framing.block(this.#pending.length >= MAX_PENDING)
  }

  #endOfBody(at: number): void {
    const transaction = this.#openTransaction()
    if (transaction) transaction.size = this.#framing.bodySize
    if (!this.#refusedEarly) this.#push('END-OF-MESSAGE', 'END', at)
    this.#refusedEarly = false
  }

  /** The octets of a body, or of chunks, that no reply has counted yet. */
  #countUnanswered(transaction: Transaction): void {
    if (this.#framing.phase === 'body') transaction.size = this.#framing.bodySize
    for (const pending of this.#pending) {
      if (pending.verb === 'MAIL') return // what follows belongs to the next mail
      if (!pending.chunk) continue
      transaction.body(pending.at)
      transaction.size += pending.chunk.size
      if (pending === this.#pending.at(-1)) transaction.size -= this.#framing.chunkLeft
    }
  }

  #openTransaction(): Transaction | undefined {
    return this.#transaction?.ended === false ? this.#transaction : undefined
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
    this.#answer(pending, facts, reply, at)
    if (facts.code === 421) this.#said421(pending.command, facts, at)
    return pending.command
  }

  #said421(command: CommandName, facts: ReplyFacts, at: number): void {
    this.upstreamSaid421 = true
    const transaction = this.#openTransaction()
    if (!transaction) return
    this.#countUnanswered(transaction)
    transaction.refuse({ command, reply: facts }, at)
  }

  #answer(pending: Pending, facts: ReplyFacts, reply: Reply, at: number): void {
    const accepted = classOf(facts.code) === 2
    switch (pending.verb) {
      case 'EHLO':
      case 'HELO':
        return accepted ? this.#identified(pending.verb, reply, at) : undefined
      case 'AUTH':
        return this.#authReply(facts, at)
      case 'MAIL':
        return this.#mail(facts, pending.at, at)
      case 'RCPT':
        return this.#openTransaction()?.recipient(facts, pending.at, at)
      case 'DATA':
        return this.#dataReply(facts, at)
      case 'END':
        return this.#openTransaction()?.decide('END-OF-MESSAGE', facts, at)
      case 'BDAT':
        return pending.chunk ? this.#chunkReply(pending.chunk, pending.at, facts, at) : this.#otherReply(facts, at)
      case 'RSET':
      case 'QUIT':
        if (accepted) this.#openTransaction()?.abandon(at)
        return
      case 'STARTTLS':
        return this.#framing.next('command')
      case 'LHLO':
        if (accepted) this.giveUp('lmtp', at)
        return
      default:
        return this.#otherReply(facts, at)
    }
  }

  #identified(verb: 'EHLO' | 'HELO', reply: Reply, at: number): void {
    this.#openTransaction()?.abandon(at)
    this.#framing.chunking = verb === 'EHLO' && offers(reply.bytes, 'CHUNKING')
    this.#emit({ type: 'identify', at, command: verb })
  }

  #authReply(facts: ReplyFacts, at: number): void {
    if (classOf(facts.code) === 3) {
      this.#framing.next('sasl')
      return
    }
    this.#framing.next('command')
    this.#emit({ type: 'auth', at, mechanism: this.#mechanism, reply: facts })
    if (facts.code === 235 && SECURITY_LAYERS.has(this.#mechanism)) this.giveUp('sasl_security_layer', at)
  }

  /** A refused MAIL inside a transaction (503, RFC 5321 3.3) leaves that transaction as it is. */
  #mail(facts: ReplyFacts, sent: number, at: number): void {
    const verdict = verdictOf(facts.code)
    if (!verdict || (this.#openTransaction() && verdict !== 'accepted')) return
    this.#openTransaction()?.abandon(at)
    const transaction = this.#begin(sent, at, facts)
    if (verdict === 'accepted') this.messages += 1
    else transaction.decide('MAIL', facts, at)
  }

  #begin(at: number, end: number, reply?: ReplyFacts): Transaction {
    this.#emit({ type: 'tx-begin', at, end, ...(reply && { reply }) })
    this.#transaction = new Transaction(this.#emit)
    return this.#transaction
  }

  /** Any 3yz begins the body, as clients take it. */
  #dataReply(facts: ReplyFacts, at: number): void {
    if (classOf(facts.code) !== 3) {
      this.#framing.next('command')
      if (facts.code >= 400) this.#openTransaction()?.decide('DATA', facts, at)
      return
    }
    this.#framing.next('body')
    this.#refusedEarly = false
    const transaction = this.#openTransaction() ?? this.#begin(at, at)
    transaction.body(at)
  }

  #chunkReply(chunk: Chunk, sent: number, facts: ReplyFacts, at: number): void {
    const transaction = this.#openTransaction()
    if (!transaction) return
    transaction.body(sent)
    transaction.size += chunk.size
    if (!this.#pending.some((pending) => pending.chunk)) transaction.size -= this.#framing.chunkLeft
    if (chunk.last || facts.code >= 400) transaction.decide('BDAT', facts, at)
  }

  /** Behind a verb that nobody knows: what came before its reply may have been its payload. */
  #otherReply(facts: ReplyFacts, at: number): void {
    if (classOf(facts.code) === 3) return this.giveUp('unknown_payload', at)
    if (this.#framing.phase !== 'unknown') return
    if (this.#framing.sawUnknownBytes) this.giveUp('unknown_payload', at)
    else this.#framing.next('command')
  }

  /** A reply while no command is pending. */
  #unasked(reply: Reply, at: number): CommandName {
    if (this.#framing.phase === 'body' && reply.code !== 421 && !this.#refusedEarly) return this.#early(reply, at)
    const facts = factsOf(reply, 'UNSOLICITED', at - this.#lastActivity)
    this.#emit({ type: 'exchange', at, end: at, command: 'UNSOLICITED', reply: facts })
    if (facts.code === 421) this.#said421('UNSOLICITED', facts, at)
    else if (++this.#surprises > 1) this.giveUp('reply_mismatch', at)
    return 'UNSOLICITED'
  }

  /** The verdict before the end of the body. A refusal ends the mail, and the dot will not be answered again. */
  #early(reply: Reply, at: number): CommandName {
    const facts = factsOf(reply, 'END-OF-MESSAGE', 0)
    this.#emit({ type: 'exchange', at, end: at, command: 'END-OF-MESSAGE', reply: facts })
    const transaction = this.#openTransaction()
    if (transaction) transaction.size = this.#framing.bodySize
    transaction?.decide('END-OF-MESSAGE', facts, at)
    this.#refusedEarly = true
    if (facts.code < 400) this.giveUp('early_data_reply', at)
    return 'END-OF-MESSAGE'
  }
}

/** The first digit of a code; 0 for what is no code. */
function classOf(code: number): number {
  return Math.floor(code / 100)
}

const NAMED: ReadonlySet<string> = new Set([
  'EHLO',
  'HELO',
  'STARTTLS',
  'AUTH',
  'MAIL',
  'RCPT',
  'DATA',
  'BDAT',
  'RSET',
  'NOOP',
  'VRFY',
  'QUIT',
])

function commandName(verb: Verb): CommandName {
  return NAMED.has(verb) ? (verb as CommandName) : 'OTHER'
}
