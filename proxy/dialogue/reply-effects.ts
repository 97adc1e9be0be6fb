/**
 * What each reply means, once the dialogue has paired it with its command: for the framing (what the client's next bytes
 * are) and for the mail under way. Pure, like the dialogue.
 */
import type { CommandName, OpaqueReason } from '../events/closed-sets.ts'
import type { ReplyFacts } from '../events/reply.ts'
import type { SessionEvent } from '../events/session-event.ts'
import type { Chunk, Verb } from '../smtp/command.ts'
import { offers } from '../smtp/ehlo.ts'
import type { HeaderScanner } from '../smtp/header.ts'
import type { Reply } from '../smtp/reply.ts'
import type { Framing } from './framing.ts'
import { factsOf } from './reply-facts.ts'
import { Transaction, verdictOf } from './transaction.ts'

/** Mechanisms after which the bytes may be wrapped in a security layer (RFC 4422 3.7). */
const SECURITY_LAYERS: ReadonlySet<string> = new Set(['GSSAPI', 'DIGEST-MD5'])

/** A command that was sent and not yet answered. */
export interface Pending {
  readonly command: CommandName
  readonly verb: Verb | 'END'
  readonly at: number
  /** Milliseconds in which nothing moved before it was sent. */
  readonly quietMs: number
  readonly chunk?: Chunk
  /** Filled by the octets of the chunk's message. */
  readonly headers?: HeaderScanner
  /** What may be recorded of the path of MAIL or RCPT. */
  readonly address?: string
}

/** What the replies of one session mean. Make a new one for each. */
export class Answers {
  readonly #emit: (event: SessionEvent) => void
  readonly #framing: Framing
  readonly #giveUp: (reason: OpaqueReason, at: number) => void
  #transaction: Transaction | undefined
  #refusedEarly = false
  /** True from the refusal of a message before its end (a BDAT chunk included) to the client's next command. */
  refusedWhileSending = false
  /** Transactions whose MAIL was accepted. */
  messages = 0
  /** True once EHLO or HELO was accepted. */
  identified = false
  /** What the last AUTH named. */
  mechanism = 'OTHER'

  /** `giveUp` is called when a reply says that the bytes are no SMTP that anybody could follow. */
  constructor(
    emit: (event: SessionEvent) => void,
    framing: Framing,
    giveUp: (reason: OpaqueReason, at: number) => void,
  ) {
    this.#emit = emit
    this.#framing = framing
    this.#giveUp = giveUp
  }

  /** The mail under way. */
  get mail(): Transaction | undefined {
    return this.#transaction?.ended === false ? this.#transaction : undefined
  }

  /** The upstream refused the body before its end: the final dot will not be answered. */
  get refusedEarly(): boolean {
    return this.#refusedEarly
  }

  /** The final dot was sent. Returns true when a reply to it is owed. */
  bodyEnded(): boolean {
    const transaction = this.mail
    if (transaction) transaction.size = this.#framing.bodySize
    const owed = !this.#refusedEarly
    this.#refusedEarly = false
    return owed
  }

  /** The reply to `pending`. `later` are the commands behind it that wait for theirs. */
  take(pending: Pending, facts: ReplyFacts, reply: Reply, at: number, later: readonly Pending[]): void {
    const accepted = classOf(facts.code) === 2
    switch (pending.verb) {
      case 'EHLO':
      case 'HELO':
        return accepted ? this.#identified(pending.verb, reply, at) : undefined
      case 'AUTH':
        return this.#authReply(facts, at)
      case 'MAIL':
        return this.toMail(facts, pending.at, at, pending.address)
      case 'RCPT':
        return this.mail?.recipient(facts, pending.at, at, pending.address)
      case 'DATA':
        return this.#dataReply(facts, at)
      case 'END':
        return this.mail?.decide('END-OF-MESSAGE', facts, at)
      case 'BDAT':
        return this.#bdatReply(pending, facts, at, later)
      case 'RSET':
      case 'QUIT':
        if (accepted) this.mail?.abandon(at)
        return
      case 'STARTTLS':
        return this.#framing.next('command')
      case 'LHLO':
        if (accepted) this.#giveUp('lmtp', at)
        return
      default:
        return this.#otherReply(facts, at)
    }
  }

  /** The verdict before the end of the body. A refusal ends the mail, and the dot will not be answered again. */
  early(reply: Reply, at: number): void {
    const facts = factsOf(reply, 'END-OF-MESSAGE', 0)
    this.#emit({ type: 'exchange', at, end: at, command: 'END-OF-MESSAGE', reply: facts })
    const transaction = this.mail
    if (transaction) transaction.size = this.#framing.bodySize
    transaction?.decide('END-OF-MESSAGE', facts, at)
    this.#refusedEarly = true
    if (facts.code < 400) this.#giveUp('early_data_reply', at)
    else this.refusedWhileSending = true
  }

  /**
   * The reply to a MAIL that was sent at `sent`: a mail begins. A refused one inside a transaction (503, RFC 5321 3.3) leaves that
   * transaction as it is.
   */
  toMail(facts: ReplyFacts, sent: number, at: number, sender: string | undefined): void {
    const verdict = verdictOf(facts.code)
    if (!verdict || (this.mail && verdict !== 'accepted')) return
    this.mail?.abandon(at)
    const transaction = this.begin(sent, at, sender, facts)
    if (verdict === 'accepted') this.messages += 1
    else transaction.decide('MAIL', facts, at)
  }

  /** A mail begins: its MAIL was sent at `at` and answered at `end`, or never. `sender` may be recorded. */
  begin(at: number, end: number, sender?: string, reply?: ReplyFacts): Transaction {
    this.#emit({ type: 'tx-begin', at, end, ...(reply && { reply }), ...(sender !== undefined && { sender }) })
    this.#transaction = new Transaction(this.#emit)
    return this.#transaction
  }

  #identified(verb: 'EHLO' | 'HELO', reply: Reply, at: number): void {
    this.identified = true
    this.mail?.abandon(at)
    this.#framing.chunking = verb === 'EHLO' && offers(reply.bytes, 'CHUNKING')
    this.#emit({ type: 'identify', at, command: verb })
  }

  #authReply(facts: ReplyFacts, at: number): void {
    if (classOf(facts.code) === 3) {
      this.#framing.next('sasl')
      return
    }
    this.#framing.next('command')
    this.#emit({ type: 'auth', at, mechanism: this.mechanism, reply: facts })
    if (facts.code === 235 && SECURITY_LAYERS.has(this.mechanism)) this.#giveUp('sasl_security_layer', at)
  }

  /** Any 3yz begins the body, as clients take it. */
  #dataReply(facts: ReplyFacts, at: number): void {
    if (classOf(facts.code) !== 3) {
      this.#framing.next('command')
      if (facts.code >= 400) this.mail?.decide('DATA', facts, at)
      return
    }
    this.#framing.next('body')
    this.#refusedEarly = false
    const transaction = this.mail ?? this.begin(at, at)
    transaction.body(at)
    transaction.headers = this.#framing.headers
  }

  #bdatReply(pending: Pending, facts: ReplyFacts, at: number, later: readonly Pending[]): void {
    const { chunk } = pending
    if (!chunk) return this.#otherReply(facts, at)
    // a command after the chunks shows that the client has sent its message whole
    if (facts.code >= 400 && later.every(({ chunk }) => chunk)) this.refusedWhileSending = true
    const transaction = this.mail
    if (!transaction) return
    transaction.body(pending.at)
    transaction.headers ??= pending.headers
    transaction.size += chunk.size
    if (!later.some((other) => other.chunk)) transaction.size -= this.#framing.chunkLeft
    if (chunk.last || facts.code >= 400) transaction.decide('BDAT', facts, at)
  }

  /** Behind a verb that nobody knows: what came before its reply may have been its payload. */
  #otherReply(facts: ReplyFacts, at: number): void {
    if (classOf(facts.code) === 3) return this.#giveUp('unknown_payload', at)
    if (this.#framing.phase !== 'unknown') return
    if (this.#framing.sawUnknownBytes) this.#giveUp('unknown_payload', at)
    else this.#framing.next('command')
  }
}

/** The first digit of a code; 0 for what is no code. */
function classOf(code: number): number {
  return Math.floor(code / 100)
}
