/**
 * What each reply means once the dialogue has paired it with its command: for the framing (what the client's next bytes
 * are) and for the transaction in progress. Pure, like the dialogue.
 */
import type { OpaqueReason } from '../events/closed-sets.ts'
import type { ReplyFacts } from '../events/reply.ts'
import type { SessionEvent } from '../events/session-event.ts'
import { offers } from '../smtp/ehlo.ts'
import type { Reply } from '../smtp/reply.ts'
import type { Framing } from './framing.ts'
import type { Conversation, OwedReply } from './position.ts'
import { factsOf } from './reply-facts.ts'
import { Transaction, verdictOf } from './transaction.ts'

/** Mechanisms after which the bytes may be wrapped in a security layer (RFC 4422 3.7). */
const SECURITY_LAYERS: ReadonlySet<string> = new Set(['GSSAPI', 'DIGEST-MD5'])

/** What the replies of one session mean. Make a new one for each session. */
export class ReplyEffects {
  readonly #emit: (event: SessionEvent) => void
  readonly #conversation: Conversation
  readonly #framing: Framing
  readonly #giveUp: (reason: OpaqueReason, at: number) => void
  #refusedEarly = false
  /** Transactions whose MAIL was accepted. */
  messages = 0
  /** The SASL mechanism of the last AUTH. */
  mechanism = 'OTHER'

  /** `giveUp` is called when a reply shows that the bytes are no SMTP that anyone could follow. */
  constructor(
    emit: (event: SessionEvent) => void,
    conversation: Conversation,
    giveUp: (reason: OpaqueReason, at: number) => void,
  ) {
    this.#emit = emit
    this.#conversation = conversation
    this.#framing = conversation.framing
    this.#giveUp = giveUp
  }

  /** True if the upstream refused the body before its end: it will not answer the final dot. */
  get refusedEarly(): boolean {
    return this.#refusedEarly
  }

  get #transaction(): Transaction | undefined {
    return this.#conversation.transaction
  }

  /** The final dot was sent. Returns true if a reply to it is owed. */
  bodyEnded(): boolean {
    const transaction = this.#transaction
    if (transaction) transaction.size = this.#framing.bodySize
    const owed = !this.#refusedEarly
    this.#refusedEarly = false
    return owed
  }

  /** The reply to `answered`. */
  apply(answered: OwedReply, facts: ReplyFacts, reply: Reply, at: number): void {
    const accepted = classOf(facts.code) === 2
    switch (answered.verb) {
      case 'EHLO':
      case 'HELO':
        return accepted ? this.#identified(answered.verb, reply, at) : undefined
      case 'AUTH':
        return this.#authReply(facts, at)
      case 'MAIL':
        return this.toMail(facts, answered.at, at, answered.address)
      case 'RCPT':
        return this.#transaction?.recipient(facts, answered.at, at, answered.address)
      case 'DATA':
        return this.#dataReply(facts, at)
      case 'END':
        return this.#transaction?.decide('END-OF-MESSAGE', facts, at)
      case 'BDAT':
        return this.#bdatReply(answered, facts, at)
      case 'RSET':
      case 'QUIT':
        if (accepted) this.#transaction?.abandon(at)
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

  /** The final reply before the end of the body. A refusal ends the transaction, and the dot will not be answered again. */
  early(reply: Reply, at: number): void {
    const facts = factsOf(reply, 'END-OF-MESSAGE', 0)
    this.#emit({ type: 'exchange', at, end: at, command: 'END-OF-MESSAGE', reply: facts })
    const transaction = this.#transaction
    if (transaction) transaction.size = this.#framing.bodySize
    transaction?.decide('END-OF-MESSAGE', facts, at)
    this.#refusedEarly = true
    if (facts.code < 400) this.#giveUp('early_data_reply', at)
    else this.#conversation.refusedWhileSending = true
  }

  /**
   * The reply to a MAIL that was sent at `sent`: a transaction begins. A refused MAIL inside a transaction (503, RFC 5321
   * 3.3) leaves that transaction as it is.
   */
  toMail(facts: ReplyFacts, sent: number, at: number, sender: string | undefined): void {
    const verdict = verdictOf(facts.code)
    if (!verdict || (this.#transaction && verdict !== 'accepted')) return
    this.#transaction?.abandon(at)
    const transaction = this.begin(sent, at, sender, facts)
    if (verdict === 'accepted') this.messages += 1
    else transaction.decide('MAIL', facts, at)
  }

  /** A transaction begins: its MAIL was sent at `at` and answered at `end`, or never. `sender` may be recorded. */
  begin(at: number, end: number, sender?: string, reply?: ReplyFacts): Transaction {
    this.#emit({ type: 'tx-begin', at, end, ...(reply && { reply }), ...(sender !== undefined && { sender }) })
    const transaction = new Transaction(this.#emit)
    this.#conversation.begin(transaction)
    return transaction
  }

  #identified(verb: 'EHLO' | 'HELO', reply: Reply, at: number): void {
    this.#conversation.ehloAccepted = true
    this.#transaction?.abandon(at)
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
      if (facts.code >= 400) this.#transaction?.decide('DATA', facts, at)
      return
    }
    this.#framing.next('body')
    this.#refusedEarly = false
    const transaction = this.#transaction ?? this.begin(at, at)
    transaction.body(at)
    transaction.headers = this.#framing.headers
  }

  #bdatReply(answered: OwedReply, facts: ReplyFacts, at: number): void {
    const { chunk } = answered
    if (!chunk) return this.#otherReply(facts, at)
    const later = this.#conversation.owed
    // a command after the chunks shows that the client has sent its message completely
    if (facts.code >= 400 && later.every(({ chunk }) => chunk)) this.#conversation.refusedWhileSending = true
    const transaction = this.#transaction
    if (!transaction) return
    transaction.body(answered.at)
    transaction.headers ??= answered.headers
    transaction.size += chunk.size
    if (!later.some((other) => other.chunk)) transaction.size -= this.#framing.chunkLeft
    if (chunk.last || facts.code >= 400) transaction.decide('BDAT', facts, at)
  }

  /** After an unknown verb: what came before its reply may have been its payload. */
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
