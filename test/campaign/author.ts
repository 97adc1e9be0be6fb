/** Writes the parts of a plan: exchanges with stamped replies. The dialogue decides their order. */
import type { CommandName } from '../../proxy/events/closed-sets.ts'
import type { LocalReply } from '../../proxy/session/local-replies.ts'
import type { SeededRandom } from '../support/traffic/seeded-random.ts'
import type { ClientMode, Exchange, Reply } from './plan.ts'

/** A keyword line of the upstream's EHLO reply. `shown` is absent when the proxy must hide the line from clients. */
interface Offer {
  readonly line: string
  readonly shown: (secure: boolean) => string | undefined
}

const OFFERS: readonly Offer[] = [
  ...['PIPELINING', 'SIZE 20971520', '8BITMIME', 'ENHANCEDSTATUSCODES', 'SMTPUTF8', 'DSN', 'X-FUTURE a=b', 'help'].map(
    (line): Offer => ({ line, shown: () => line }),
  ),
  ...['XCLIENT NAME ADDR', 'XFORWARD NAME', 'ETRN', 'STARTTLS', 'starttls', 'BURL imap'].map(
    (line): Offer => ({ line, shown: () => undefined }),
  ),
  { line: 'REQUIRETLS', shown: (secure) => (secure ? 'REQUIRETLS' : undefined) },
  { line: 'AUTH PLAIN LOGIN', shown: () => 'AUTH PLAIN LOGIN' },
  { line: 'AUTH GSSAPI PLAIN SCRAM-SHA-256-PLUS', shown: () => 'AUTH PLAIN' },
  { line: 'AUTH EXTERNAL', shown: () => undefined },
]

const CHUNKING: Offer = { line: 'CHUNKING', shown: () => 'CHUNKING' }

const ENHANCED: Readonly<Record<number, string>> = { 2: '2.0.0 ', 4: '4.3.0 ', 5: '5.1.1 ' }

/** Creates exchanges, and numbers the stamps of their replies. */
export class Author {
  readonly random: SeededRandom
  readonly #number: number
  readonly #mode: ClientMode
  #ids = 0
  /** True once the client's connection to the proxy is inside TLS. */
  secure: boolean

  constructor(random: SeededRandom, number: number, mode: ClientMode) {
    this.random = random
    this.#number = number
    this.#mode = mode
    this.secure = mode === 'smtps'
  }

  /** One reply. Some replies have several lines, no enhanced code, or lines that end in LF alone. */
  reply(command: CommandName, code: number, after?: number): Reply {
    const { random } = this
    const { id, stamp } = this.#stamp()
    const enhanced = code === 421 || random.chance(0.3) ? '' : (ENHANCED[Math.floor(code / 100)] ?? '')
    const end = random.chance(0.03) ? '\n' : '\r\n'
    const lines = Array.from(
      { length: random.chance(0.1) ? 1 + random.below(4) : 0 },
      () => `${code}-${stamp} and${end}`,
    )
    const bytes = Buffer.from(`${lines.join('')}${code} ${enhanced}${stamp} ${random.one(['ok', 'done', ''])}${end}`)
    return { id, command, code, bytes, ...(after !== undefined && { after }) }
  }

  /** An exchange with one reply for each code, all due when the last byte has arrived. */
  exchange(command: CommandName, line: string | Buffer, ...codes: readonly number[]): Exchange {
    const bytes = typeof line === 'string' ? Buffer.from(`${line}${this.#lineEnd()}`, 'latin1') : line
    return { command, bytes, replies: codes.map((code) => this.reply(command, code)) }
  }

  /** An exchange that the proxy answers with a local reply. On the direct path, the upstream refuses it. */
  local(command: CommandName, line: string, word: LocalReply): Exchange {
    return { ...this.exchange(command, line, 502), local: word }
  }

  /** An accepted EHLO. */
  ehlo(chunking: boolean): Exchange {
    const { random } = this
    const { id, stamp } = this.#stamp()
    const offers = [...OFFERS.filter(() => random.chance(0.4)), ...(chunking ? [CHUNKING] : [])]
    const mixed = offers.map((offer) => [random.below(1000), offer] as const).sort(([a], [b]) => a - b)
    const lines = mixed.map(([, { line }]) => line)
    const kept = mixed.flatMap(([, { shown }]) => shown(this.secure) ?? [])
    if (!this.secure && this.#mode !== 'plain') kept.splice(Math.max(0, kept.length - 1), 0, 'STARTTLS')
    const first = `mail.example ${stamp}`
    const reply = { id, command: 'EHLO', code: 250, bytes: listOf([first, ...lines]), shown: listOf([first, ...kept]) }
    return { command: 'EHLO', bytes: Buffer.from(`EHLO app.example${this.#lineEnd()}`), replies: [reply as Reply] }
  }

  #stamp(): { readonly id: number; readonly stamp: string } {
    const id = this.#ids
    this.#ids += 1
    return { id, stamp: `r-${this.#number}-${id};` }
  }

  #lineEnd(): string {
    return this.random.chance(0.02) ? '\n' : '\r\n'
  }
}

/** A 250 reply with these lines. */
function listOf(lines: readonly string[]): Buffer {
  return Buffer.from(lines.map((line, index) => `250${index < lines.length - 1 ? '-' : ' '}${line}\r\n`).join(''))
}
