/** Random messages with their envelopes, sent with DATA or BDAT. */
import type { SeededRandom } from '../support/traffic/seeded-random.ts'
import type { Author } from './author.ts'
import { bodyOf, chunkOf } from './body.ts'
import type { Exchange, Group } from './plan.ts'

export interface Circumstances {
  /** True when CHUNKING is offered (RFC 3030). */
  readonly chunking: boolean
  /** Creates an exchange with a local reply; absent where the proxy may no longer interpret the session. */
  readonly local?: () => Exchange
}

/** Final replies to the end of a message, and refusals of it. */
const FINAL = [250, 250, 250, 250, 250, 250, 451, 552, 554, 556]

/** Creates the exchanges of random messages. */
export class MessageWriter {
  readonly #author: Author
  readonly #random: SeededRandom
  readonly #circumstances: Circumstances
  /** True when a reply is sent in the middle of the body. */
  sizeByTiming = false

  constructor(author: Author, circumstances: Circumstances) {
    this.#author = author
    this.#random = author.random
    this.#circumstances = circumstances
  }

  /** The groups of one message, which may be refused or aborted. */
  message(): Group[] {
    const refused = this.#random.chance(0.06)
    const mail = this.#mail(refused)
    if (refused) return [[mail]]
    const recipients = this.#recipients()
    const accepted = recipients.some(({ replies }) => replies[0]!.code < 300)
    const envelope = [mail, ...this.#between(), ...recipients]
    if (this.#random.chance(0.08)) return [...this.#grouped(envelope), [this.#author.exchange('RSET', 'RSET', 250)]]
    if (this.#circumstances.chunking && accepted && this.#random.chance(0.6)) {
      return [...this.#grouped(envelope), ...this.#chunks()]
    }
    return this.#byData(envelope, accepted)
  }

  #mail(refused: boolean): Exchange {
    const from = this.#random.one([
      '<app@example.com>',
      '<>',
      ' <app@example.com> BODY=8BITMIME',
      '<a@example.com> SIZE=10',
    ])
    return this.#author.exchange('MAIL', `MAIL FROM:${from}`, refused ? this.#random.one([451, 521, 550, 556]) : 250)
  }

  #recipients(): Exchange[] {
    const count = this.#random.chance(0.1) ? 5 + this.#random.below(20) : 1 + this.#random.below(3)
    return Array.from({ length: count }, (_, index) => {
      const code = this.#random.one([250, 250, 250, 250, 251, 450, 553])
      return this.#author.exchange('RCPT', `RCPT TO:<reader-${index}@example.net>`, code)
    })
  }

  #between(): Exchange[] {
    const { local } = this.#circumstances
    if (local && this.#random.chance(0.05)) return [local()]
    if (this.#random.chance(0.05)) return [this.#author.exchange('NOOP', 'NOOP', 250)]
    // a second MAIL is refused, and the message continues (RFC 5321 3.3)
    if (this.#random.chance(0.03)) return [this.#author.exchange('MAIL', 'MAIL FROM:<again@example.com>', 503)]
    return []
  }

  /** Sends the exchanges in one segment, or each in its own. */
  #grouped(exchanges: readonly Exchange[]): Group[] {
    return this.#random.chance(0.5) ? [exchanges] : exchanges.map((exchange) => [exchange])
  }

  #byData(envelope: readonly Exchange[], accepted: boolean): Group[] {
    const code = accepted ? this.#random.one([354, 354, 354, 354, 354, 354, 354, 354, 451, 554]) : 554
    const data = this.#author.exchange('DATA', 'DATA', code)
    const groups = this.#grouped([...envelope, data])
    if (code !== 354)
      return this.#random.chance(0.5) ? groups : [...groups, [this.#author.exchange('RSET', 'RSET', 250)]]
    const body = this.#body()
    // a client that does not wait for the 354
    if (body.bytes.length < 5000 && body.replies[0]!.after === undefined && this.#random.chance(0.04)) {
      return [...groups.slice(0, -1), [...groups.at(-1)!, body]]
    }
    return [...groups, [body]]
  }

  #body(): Exchange {
    const random = this.#random
    const text = bodyOf(random)
    const bytes = Buffer.concat([text, Buffer.from('.\r\n')])
    const early = text.length > 0 && random.chance(0.05)
    if (early) this.sizeByTiming = true
    const reply = early
      ? this.#author.reply('END-OF-MESSAGE', random.one([451, 552, 554]), 1 + random.below(text.length))
      : this.#author.reply('END-OF-MESSAGE', random.one(FINAL))
    return { command: 'END-OF-MESSAGE', bytes, replies: [reply], payload: { from: 0, to: text.length } }
  }

  /**
   * Chunks, all at once or one after the other. A refused chunk ends the message, and later chunks are refused, too.
   */
  #chunks(): Group[] {
    const count = 1 + this.#random.below(4)
    const refusedAt = this.#random.chance(0.15) ? this.#random.below(count) : -1
    const pipelined = this.#random.chance(0.5)
    const wanted = refusedAt >= 0 && !pipelined ? refusedAt + 1 : count
    const chunks = Array.from({ length: wanted }, (_, index) => {
      const last = index === count - 1
      const code =
        refusedAt >= 0 && index > refusedAt ? 503 : index === refusedAt ? 552 : last ? this.#random.one(FINAL) : 250
      return this.#chunk(last, code)
    })
    const groups = pipelined ? [chunks] : chunks.map((chunk) => [chunk])
    return refusedAt >= 0 ? [...groups, [this.#author.exchange('RSET', 'RSET', 250)]] : groups
  }

  #chunk(last: boolean, code: number): Exchange {
    const payload = chunkOf(this.#random)
    const head = Buffer.from(`${this.#random.one(['BDAT', 'bdat'])} ${payload.length}${last ? ' LAST' : ''}\r\n`)
    const bytes = Buffer.concat([head, payload])
    return {
      command: 'BDAT',
      bytes,
      replies: [this.#author.reply('BDAT', code)],
      payload: { from: head.length, to: bytes.length },
    }
  }
}
