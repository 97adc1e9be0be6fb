/**
 * Observes one SMTP session: a pure state machine without socket, timer or clock. It gets a copy of the bytes that went
 * up and the replies that came down, pairs commands with replies, and reports what happened as SessionEvents. What the
 * session asks back is the other half: see position.ts.
 *
 * The rules:
 * 1. Replies are the truth, client bytes a hypothesis. The reply to a command decides what the bytes after it are, so
 *    after such a command the copy waits, not the bytes.
 * 2. The dialogue may give up, but it may not be wrong. It counts a reply that no pending command explains, and tolerates
 *    the first one. The second makes the session opaque: parsing stops, and the relay continues.
 * 3. Events only report. What their observers do changes neither the position nor a byte.
 */
import type { CommandName, OpaqueReason, TransactionError } from '../events/closed-sets.ts'
import type { ReplyFacts } from '../events/reply.ts'
import type { SessionEvent } from '../events/session-event.ts'
import type { Unanswered } from '../events/transaction.ts'
import { type Chunk, mechanismOf, type Verb } from '../smtp/command.ts'
import { type AddressScope, recipientOf, senderOf } from '../smtp/path.ts'
import type { Reply } from '../smtp/reply.ts'
import { commandName } from './command-name.ts'
import { Framing } from './framing.ts'
import { Conversation, type OwedReply, type Position } from './position.ts'
import { ReplyEffects } from './reply-effects.ts'
import { factsOf } from './reply-facts.ts'
import type { Transaction } from './transaction.ts'

/** What is known of a command besides its name. */
type Details = Pick<OwedReply, 'chunk' | 'headers' | 'address'>

export class Dialogue {
  readonly #emit: (event: SessionEvent) => void
  readonly #framing: Framing
  readonly #conversation: Conversation
  readonly #recordAddresses: AddressScope
  readonly #effects: ReplyEffects
  /** Replies that no command explains. */
  #surprises = 0
  #lastActivity = 0
  /** Milliseconds without bytes before the current command began. */
  #quietMs = 0

  /** `emit` must not throw: wrap observers in guard(). `recordAddresses` is PROXY_RECORD_ADDRESSES. */
  constructor(emit: (event: SessionEvent) => void, recordAddresses: AddressScope = 'none') {
    this.#emit = emit
    this.#recordAddresses = recordAddresses
    const listener = {
      command: (verb: Verb, line: Buffer, chunk: Chunk | undefined, at: number) => this.#command(verb, line, chunk, at),
      saslResponse: (at: number) => this.#owe('AUTH', 'AUTH', at),
      endOfBody: (at: number) => this.#endOfBody(at),
      overflow: (at: number) => this.giveUp('overflow', at),
    }
    this.#framing = new Framing(listener, recordAddresses === 'full')
    this.#conversation = new Conversation(this.#framing)
    this.#effects = new ReplyEffects(emit, this.#conversation, (reason, at) => this.giveUp(reason, at))
  }

  /** What the session may ask. */
  get position(): Position {
    return this.#conversation
  }

  /** Transactions whose MAIL was accepted. */
  get messages(): number {
    return this.#effects.messages
  }

  /** Client bytes that were sent to the upstream at `at`. The buffer is not kept. */
  client(bytes: Buffer, at: number): void {
    if (this.#conversation.opaque) return
    if (!this.#framing.inLine) this.#quietMs = Math.max(0, at - this.#lastActivity)
    this.#framing.push(bytes, at)
    this.#lastActivity = at
  }

  /**
   * Client bytes that begin inside a body. Reads at most to its end and returns the number of bytes that belong to it. The
   * buffer is not kept.
   */
  clientBody(bytes: Buffer, at: number): number {
    this.#quietMs = Math.max(0, at - this.#lastActivity)
    this.#lastActivity = at
    return this.#framing.pushBody(bytes, at)
  }

  /** A complete reply of the upstream. Returns the command that it answers. */
  reply(reply: Reply, at: number): CommandName {
    const answered = this.#conversation.opaque ? this.#uninterpreted(reply, at) : this.#interpret(reply, at)
    this.#lastActivity = at
    this.#framing.release()
    return answered
  }

  /** The upstream's greeting; `since` is when the client connected. */
  greeting(reply: Reply, since: number, at: number): void {
    this.#lastActivity = at
    const facts = factsOf(reply, 'CONNECT', 0)
    if (facts.code === 421) this.#conversation.upstreamSent421 = true
    this.#emit({ type: 'greeting', at: since, end: at, reply: facts })
  }

  /**
   * The proxy itself answered `verb`, at once, or sent a reply in place of the greeting (`CONNECT`). `line` is the
   * command's.
   */
  localReply(verb: Verb | 'CONNECT', reply: ReplyFacts, since: number, at: number, line?: Buffer): void {
    if (verb === 'CONNECT') return this.#emit({ type: 'greeting', at: since, end: at, reply })
    this.#emit({ type: 'exchange', at: since, end: at, command: commandName(verb), reply })
    const address = line && this.#addressIn(verb, line)
    const { transaction } = this.#conversation
    if (verb === 'MAIL' && !transaction) this.#effects.toMail(reply, since, at, address)
    if (verb === 'RCPT') transaction?.recipient(reply, since, at, address)
  }

  /** The client connection entered TLS. */
  tls(protocol: string, cipher: string, at: number): void {
    this.#conversation.enterTls()
    this.#lastActivity = at
    this.#emit({ type: 'tls', at, protocol, cipher })
  }

  /**
   * The session is over; `by` ended it. A client that ends it abandons its message, unless a final reply was owed;
   * otherwise `error` says why the message failed. Ends an open transaction.
   */
  close(by: 'client' | 'upstream' | 'proxy', error: TransactionError, at: number): void {
    const { transaction: open, owed } = this.#conversation
    const unanswered = open ? -1 : owed.findIndex(({ verb }) => verb === 'MAIL')
    const lost = owed[unanswered]
    const transaction = open ?? (lost && this.#effects.begin(lost.at, at, lost.address))
    if (!transaction) return
    this.#countUnanswered(transaction, unanswered + 1)
    const awaitsFinalReply = this.#conversation.finalRepliesOwed > 0
    if (by === 'client' && !awaitsFinalReply) transaction.abandon(at)
    else transaction.lose(awaitsFinalReply, error, at, open && this.#firstUnanswered())
  }

  /** Stops understanding the session, for `reason`. Frees what was kept; an open transaction ends as aborted. */
  giveUp(reason: OpaqueReason, at: number): void {
    if (this.#conversation.opaque) return
    this.#conversation.giveUp(reason)
    this.#conversation.transaction?.abandon(at)
    this.#emit({ type: 'session-opaque', at, reason })
  }

  /** While a transaction is open, all owed replies belong to it, up to the next MAIL. */
  #firstUnanswered(): Unanswered | undefined {
    const [first] = this.#conversation.owed
    return first && first.verb !== 'MAIL' ? { command: first.command, at: first.at } : undefined
  }

  #command(verb: Verb, line: Buffer, chunk: Chunk | undefined, at: number): void {
    if (verb === 'QUIT') this.#conversation.quitSent = true
    if (verb !== 'BDAT') this.#conversation.refusedWhileSending = false
    if (verb === 'AUTH') this.#effects.mechanism = mechanismOf(line)
    this.#owe(commandName(verb), verb, at, this.#detailsOf(verb, line, chunk))
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

  /** The upstream owes a reply to this command. */
  #owe(command: CommandName, verb: Verb | 'END', at: number, details?: Details): void {
    this.#conversation.sent({ command, verb, at, quietMs: this.#quietMs, ...details })
  }

  #endOfBody(at: number): void {
    if (this.#effects.bodyEnded()) this.#owe('END-OF-MESSAGE', 'END', at)
  }

  /** Counts the bytes of a body, or of chunks, that no reply has counted yet; `from` is the message's first owed reply. */
  #countUnanswered(transaction: Transaction, from = 0): void {
    if (this.#framing.phase === 'body') transaction.size = this.#framing.bodySize
    const { owed } = this.#conversation
    for (const command of owed.slice(from)) {
      if (command.verb === 'MAIL') return // what follows belongs to the next message
      if (!command.chunk) continue
      transaction.body(command.at)
      transaction.headers ??= command.headers
      transaction.size += command.chunk.size
      if (command === owed.at(-1)) transaction.size -= this.#framing.chunkLeft
    }
  }

  #uninterpreted(reply: Reply, at: number): CommandName {
    const facts = factsOf(reply, 'OTHER', at - this.#lastActivity)
    if (facts.code === 421) this.#conversation.upstreamSent421 = true
    this.#emit({ type: 'exchange', at, end: at, command: 'OTHER', reply: facts })
    return 'OTHER'
  }

  #interpret(reply: Reply, at: number): CommandName {
    const answered = this.#conversation.answered()
    if (!answered) return this.#unsolicited(reply, at)
    const facts = factsOf(reply, answered.command, answered.quietMs)
    this.#emit({ type: 'exchange', at: answered.at, end: at, command: answered.command, reply: facts })
    this.#effects.apply(answered, facts, reply, at)
    if (facts.code === 421) this.#sent421(answered.command, facts, at)
    return answered.command
  }

  #sent421(command: CommandName, facts: ReplyFacts, at: number): void {
    this.#conversation.upstreamSent421 = true
    const { transaction } = this.#conversation
    if (!transaction) return
    this.#countUnanswered(transaction)
    transaction.refuse({ command, reply: facts }, at)
  }

  /** A reply while none is owed. */
  #unsolicited(reply: Reply, at: number): CommandName {
    if (this.#framing.phase === 'body' && reply.code !== 421 && !this.#effects.refusedEarly) {
      this.#effects.early(reply, at)
      return 'END-OF-MESSAGE'
    }
    const facts = factsOf(reply, 'UNSOLICITED', at - this.#lastActivity)
    this.#emit({ type: 'exchange', at, end: at, command: 'UNSOLICITED', reply: facts })
    if (facts.code === 421) this.#sent421('UNSOLICITED', facts, at)
    else if (++this.#surprises > 1) this.giveUp('reply_mismatch', at)
    return 'UNSOLICITED'
  }
}
