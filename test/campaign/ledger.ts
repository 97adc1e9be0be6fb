/**
 * The ledger of a scripted upstream: the outcomes of the messages, derived from its replies without the proxy's code.
 */
import type { CommandName } from '../../proxy/events/closed-sets.ts'
import { type Book, classOf, newBook } from '../support/books/book.ts'
import { isUnreachable } from './compare.ts'
import { type Exchange, goesUp, isEnd, isLastChunk, type Plan, type Reply } from './plan.ts'
import type { Run } from './play.ts'
import { stampOf } from './reply-bytes.ts'

/** The upstream's ledger: the replies that it sent, and the outcomes of the messages. */
export function bookOfLedger(plan: Plan, run: Run): Book {
  const book = newBook()
  const ready = !isUnreachable(plan) && plan.greeting.code === 220
  book.dials.add({ ready: ready ? 'yes' : 'no' })
  book.bytes.add({ direction: 'transmit' }, run.up.length)
  book.bytes.add({ direction: 'receive' }, isUnreachable(plan) ? 0 : run.sentBytes)
  if (isUnreachable(plan)) {
    book.replies.add({ command: 'CONNECT', code: 421, origin: 'proxy' })
    book.sessions.add({ reason: 'dial_failed' })
    return book
  }
  new Ledger(plan, run, book).write()
  return book
}

/** A message in progress: from an accepted MAIL to its end (RFC 5321 3.3). */
interface Open {
  accepted: number
  refused: number | undefined
  size: number | undefined
}

class Ledger {
  readonly #plan: Plan
  readonly #run: Run
  readonly #book: Book
  readonly #sent: ReadonlySet<Reply>
  #open: Open | undefined
  #messages = 0
  #said421 = false

  constructor(plan: Plan, run: Run, book: Book) {
    this.#plan = plan
    this.#run = run
    this.#book = book
    this.#sent = new Set(run.sent)
  }

  write(): void {
    const { greeting, groups } = this.#plan
    if (this.#sent.has(greeting)) this.#count(greeting)
    let at = 0
    let locals = this.#localsRead()
    for (const exchange of groups.flat()) {
      if (!goesUp(exchange, 'proxied')) {
        locals -= 1
        if (locals >= 0) this.#countLocal(exchange.command, exchange.local!.code)
        continue
      }
      const received = Math.min(exchange.bytes.length, this.#run.up.length - at)
      at += exchange.bytes.length
      const replies = exchange.replies.filter((reply) => this.#sent.has(reply))
      for (const reply of replies) this.#take(reply, sizeOf(exchange, received))
      if (replies.length === 0 && received > 0) this.#unanswered(exchange, received)
    }
    this.#close()
  }

  /** Local replies that the client read. */
  #localsRead(): number {
    const text = this.#run.down.toString('latin1')
    return text.split('ahasend-smtp-proxy:').length - 1
  }

  #countLocal(command: CommandName, code: number): void {
    this.#book.replies.add({ command, code, origin: 'proxy' })
    if (command === 'MAIL') this.#mail(code)
  }

  #count({ command, code }: Reply): void {
    this.#book.replies.add({ command, code, origin: 'upstream' })
    if (code === 421) this.#said421 = true
  }

  #take(reply: Reply, size: number): void {
    this.#count(reply)
    this.#interpret(reply, size)
    if (reply.code === 421 && this.#open) this.#end('tempfail', 421)
  }

  #interpret(reply: Reply, size: number): void {
    const { command, code } = reply
    switch (command) {
      case 'MAIL':
        return this.#mail(code)
      case 'RCPT':
        return this.#recipient(code)
      case 'DATA':
        return code < 400 ? this.#body(0) : this.#decide(code)
      case 'BDAT':
        return this.#chunk(reply, size)
      case 'END-OF-MESSAGE':
        this.#body(size)
        return this.#decide(code)
      case 'RSET':
      case 'QUIT':
      case 'EHLO':
      case 'HELO':
        return code < 300 ? this.#abandon() : undefined
      default:
    }
  }

  #mail(code: number): void {
    if (code < 300) {
      this.#abandon()
      this.#messages += 1
      this.#open = { accepted: 0, refused: undefined, size: undefined }
    } else if (!this.#open) this.#end(classOf(code), code)
  }

  #recipient(code: number): void {
    if (!this.#open) return
    this.#book.recipients.add({ verdict: classOf(code) })
    if (code < 300) this.#open.accepted += 1
    else this.#open.refused = code
  }

  #body(size: number): void {
    if (this.#open) this.#open.size = (this.#open.size ?? 0) + size
  }

  #chunk(reply: Reply, size: number): void {
    this.#body(size)
    const exchange = this.#plan.groups.flat().find(({ replies }) => replies.includes(reply))!
    if (reply.code >= 400 || isLastChunk(exchange)) this.#decide(reply.code)
  }

  /** Where no recipient was accepted, the refusal of the last one decides. */
  #decide(code: number): void {
    if (!this.#open) return
    const decisive = code >= 400 && code !== 421 && this.#open.accepted === 0 ? (this.#open.refused ?? code) : code
    this.#end(classOf(decisive), decisive < 300 ? undefined : decisive)
  }

  #abandon(): void {
    if (!this.#open) return
    const { accepted, refused } = this.#open
    if (accepted === 0 && refused !== undefined) this.#end(classOf(refused), refused)
    else this.#end('aborted')
  }

  #end(outcome: string, error?: number | string): void {
    const { transactions, bodies, bytesOfBodies } = this.#book
    transactions.add({ outcome, error })
    if (this.#open?.size !== undefined) {
      bodies.add({ outcome })
      bytesOfBodies.add({ outcome }, this.#open.size)
    }
    this.#open = undefined
  }

  // ---------------------------------------------------------------------------------------- unanswered exchanges

  #awaitsVerdict = false
  #mailUnanswered = false

  #unanswered(exchange: Exchange, received: number): void {
    // a client that does not wait for the 354: without it, what follows DATA is no message
    if (exchange.command === 'END-OF-MESSAGE' && this.#open?.size === undefined) return
    const whole = received === exchange.bytes.length
    const last = isEnd(exchange)
    if (exchange.payload && received >= exchange.payload.from) this.#body(sizeOf(exchange, received))
    if (exchange.payload && last && whole && this.#open) this.#awaitsVerdict = true
    if (exchange.command === 'MAIL' && whole && !this.#open) this.#mailUnanswered = true
  }

  /** Records the end of the connections. */
  #close(): void {
    const { fault } = this.#plan
    const byClient = fault?.side === 'client' || (fault === undefined && this.#plan.endsFirst === 'client')
    if (this.#mailUnanswered && !this.#open) this.#open = { accepted: 0, refused: undefined, size: undefined }
    if (this.#open && this.#awaitsVerdict) this.#end('in_doubt', 'upstream_lost')
    else if (this.#open && byClient) this.#abandon()
    else if (this.#open) this.#lost()
    this.#book.mails.add({}, this.#messages)
    this.#book.sessions.add({ reason: this.#reason() })
    this.#lostReplies()
  }

  #lost(): void {
    const { accepted, refused } = this.#open!
    if (accepted === 0 && refused !== undefined) this.#end(classOf(refused), refused)
    else this.#end('tempfail', 'upstream_lost')
  }

  /** Complete or incomplete replies of the upstream that did not reach the client. */
  #lostReplies(): void {
    const { fault } = this.#plan
    if (fault?.side === 'upstream' && fault.when === 'within') {
      this.#book.repliesLost.add({ loss: 'incomplete' })
    }
    this.#acceptedAfterFin()
    // after a reset, the proxy still reads replies only while a final reply is due
    if (fault?.side !== 'client' || fault.how !== 'reset' || !this.#plan.groups[fault.group]?.some(isEnd)) return
    const read = this.#run.down.toString('latin1')
    for (const { bytes } of this.#run.sent) {
      const stamp = stampOf(bytes)!
      if (!read.includes(stamp)) this.#book.repliesLost.add({ loss: 'undelivered' })
    }
  }

  /** An acceptance that is written to a client that had closed its sending side without QUIT. */
  #acceptedAfterFin(): void {
    const { fault, groups } = this.#plan
    if (fault?.side !== 'client' || fault.how === 'reset' || !fault.unanswered || this.#quitArrived()) return
    const verdicts = groups[fault.group]!.flatMap((exchange) => (isEnd(exchange) ? exchange.replies : []))
    const accepted = verdicts.filter((reply) => reply.code < 300 && this.#sent.has(reply))
    this.#book.repliesLost.add({ loss: 'after_fin' }, accepted.length)
  }

  #reason(): string {
    const { fault, reason, endsFirst } = this.#plan
    if (fault === undefined && endsFirst === 'proxy') return reason
    if (isSilentInTls(this.#plan)) return 'tls_failed'
    if (this.#said421) return 'upstream_421'
    if (this.#quitArrived()) return 'quit'
    if (fault === undefined) return reason
    const reset = fault.how === 'reset' ? 'reset' : 'closed'
    return `${fault.side}_${reset}`
  }

  #quitArrived(): boolean {
    let at = 0
    for (const exchange of this.#plan.groups.flat()) {
      if (goesUp(exchange, 'proxied')) at += exchange.bytes.length
      if (exchange.command === 'QUIT') return this.#run.up.length >= at
    }
    return false
  }
}

/**
 * After STARTTLS, a client that closes without a byte inside TLS counts as a client that did not trust the certificate.
 */
function isSilentInTls({ fault, groups }: Plan): boolean {
  if (fault?.side !== 'client' || fault.bytes > 0) return false
  return groups[fault.group - 1]?.some((exchange) => exchange.upgrade) ?? false
}

/** Bytes that count as the size of a message, when `received` bytes of its exchange have arrived. */
function sizeOf({ bytes, payload }: Pick<Exchange, 'bytes' | 'payload'>, received: number): number {
  if (!payload) return 0
  return Math.max(0, (received === bytes.length ? payload.to : received) - payload.from)
}
