import type { CommandName, RecipientVerdict, TransactionError, TransactionOutcome } from '../events/closed-sets.ts'
import type { ReplyFacts } from '../events/reply.ts'
import type { SessionEvent } from '../events/session-event.ts'
import type { TransactionEnd, Unanswered } from '../events/transaction.ts'
import type { HeaderScanner } from '../smtp/header.ts'

/** A refusal that decides a transaction: the reply, and the command that it answered. */
interface Refusal {
  readonly command: CommandName
  readonly reply: ReplyFacts
}

/** What the class of a code says about a recipient or a message; undefined if it says nothing final. */
export function verdictOf(code: number): RecipientVerdict | undefined {
  if (code >= 200 && code < 300) return 'accepted'
  if (code >= 400 && code < 500) return 'tempfail'
  return code >= 500 ? 'permfail' : undefined
}

/**
 * The reply's code, except where an alert on that code would be wrong: a refusal by a proxy that stops is no failure of
 * AhaSend, and a missing unsubscribe link concerns one marketing message.
 */
function errorOf({ code, cause }: ReplyFacts): TransactionError {
  if (cause === 'draining') return 'drained'
  return cause === 'unsubscribe_link' ? cause : `${code}`
}

/**
 * One mail transaction, from the reply to MAIL to its end (RFC 5321 3.3). It ends exactly once, in one event with an
 * outcome. Later calls find it ended and do nothing.
 */
export class Transaction {
  readonly #emit: (event: SessionEvent) => void
  readonly #recipients: Record<RecipientVerdict, number> = { accepted: 0, tempfail: 0, permfail: 0 }
  #refusal: Refusal | undefined
  #hasBody = false
  /** Bytes of the body so far; set by the code that scans it. */
  size = 0
  /** The scanner of the message's header section, once bytes of it may come. */
  headers: HeaderScanner | undefined
  ended = false

  constructor(emit: (event: SessionEvent) => void) {
    this.#emit = emit
  }

  /** A recipient was answered. `at` is when RCPT was sent, `end` when its reply came; `recipient` may be recorded. */
  recipient(reply: ReplyFacts, at: number, end: number, recipient?: string): void {
    const verdict = verdictOf(reply.code)
    if (!verdict) return
    this.#recipients[verdict] += 1
    if (verdict !== 'accepted') this.#refusal = { command: 'RCPT', reply }
    this.#emit({ type: 'tx-rcpt', at, end, verdict, reply, ...(recipient !== undefined && { recipient }) })
  }

  /** A 354, or the first chunk of BDAT: a body begins. */
  body(at: number): void {
    if (this.#hasBody) return
    this.#hasBody = true
    this.#emit({ type: 'tx-data', at })
  }

  /** A reply to `command` that ends the transaction if it is final: 2yz accepts, 4yz and 5yz refuse. */
  decide(command: CommandName, reply: ReplyFacts, at: number): void {
    const verdict = verdictOf(reply.code)
    if (!verdict) this.#lose('final-reply', 'in_doubt', `${reply.code}`, at)
    else if (verdict === 'accepted') this.#end({ type: 'tx-commit', outcome: 'accepted', command, reply }, at)
    else this.refuse({ command, reply }, at)
  }

  /**
   * The message was refused. If no recipient was accepted, the refusal of the last recipient decides, because what follows
   * (554 no valid recipients) only repeats it. A 421 always decides by itself.
   */
  refuse(refusal: Refusal, at: number): void {
    const first = this.#onlyRefused() && refusal.reply.code !== 421 ? (this.#refusal ?? refusal) : refusal
    const outcome = first.reply.code < 500 ? 'tempfail' : 'permfail'
    this.#end(
      { type: 'tx-rollback', outcome, error: errorOf(first.reply), command: first.command, reply: first.reply },
      at,
    )
  }

  /** The client gave up. If no recipient was accepted, that is because of their refusal. */
  abandon(at: number): void {
    if (this.#onlyRefused() && this.#refusal) this.refuse(this.#refusal, at)
    else this.#end({ type: 'tx-reset', outcome: 'aborted' }, at)
  }

  /**
   * A connection ended before a final reply. After the final dot the outcome is in doubt; before it the message failed.
   * `unanswered` is the transaction's first command without a reply.
   */
  lose(awaitsFinalReply: boolean, error: TransactionError, at: number, unanswered?: Unanswered): void {
    if (awaitsFinalReply) this.#lose('final-reply', 'in_doubt', error, at, unanswered)
    else if (this.#onlyRefused() && this.#refusal) this.refuse(this.#refusal, at)
    else this.#lose(this.#hasBody ? 'body' : 'envelope', 'tempfail', error, at, unanswered)
  }

  #onlyRefused(): boolean {
    return this.#recipients.accepted === 0 && this.#refusal !== undefined
  }

  #lose(
    stage: 'envelope' | 'body' | 'final-reply',
    outcome: TransactionOutcome,
    error: TransactionError,
    at: number,
    unanswered?: Unanswered,
  ): void {
    this.#end({ type: 'tx-lost', stage, outcome, error, ...(unanswered && { unanswered }) }, at)
  }

  #end(how: Ending, at: number): void {
    if (this.ended) return
    this.ended = true
    const headers = this.headers?.finish()
    const { size } = this
    this.#emit({ ...how, at, size, hasBody: this.#hasBody, recipients: this.#recipients, ...(headers && { headers }) })
  }
}

type Summed = 'at' | 'size' | 'hasBody' | 'recipients' | 'headers'
type Ending =
  | ({ readonly type: 'tx-commit' } & Omit<TransactionEnd, Summed>)
  | ({ readonly type: 'tx-rollback' } & Omit<TransactionEnd, Summed>)
  | ({ readonly type: 'tx-reset' } & Omit<TransactionEnd, Summed>)
  | Omit<Extract<SessionEvent, { type: 'tx-lost' }>, Summed>
