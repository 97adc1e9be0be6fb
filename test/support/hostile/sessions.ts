/**
 * Sessions in which both sides attack the metrics: they send any text in every place that could become a label. A
 * session is a list of units, and the client sends each unit in one write. Each unit contains the replies that it
 * expects, as tokens (`=>hex;`). So the upstream needs no script, and a session can also be played without sockets.
 */
import type { SeededRandom } from '../traffic/seeded-random.ts'
import type { SecretText } from './secret-text.ts'

/** The number of first sessions that use, in order, every code at every kind of command. Later sessions are random. */
export const SYSTEMATIC = 1000
/** The number of those with valid reply codes: each code twice, for clients of two names. */
export const VISITS = 800

/** Which side ends a session, and how. The upstream does it on a special token. */
const LEAVES = ['client fin', 'client reset', 'client stays', 'upstream fin', 'upstream reset'] as const

export interface HostileSession {
  readonly number: number
  readonly units: readonly Buffer[]
  readonly leaves: (typeof LEAVES)[number]
}

/** Tokens that are not replies, but actions of the upstream. */
export const FIN = ''
export const RESET = '\xff'

/** Generates sessions, the same ones for the same seed. */
export class HostileSessions {
  readonly #secretText: SecretText
  readonly #random: SeededRandom

  constructor(random: SeededRandom, secretText: SecretText) {
    this.#random = random
    this.#secretText = secretText
  }

  /** Session `number`, from 0. */
  session(number: number): HostileSession {
    const leaves = LEAVES[number % LEAVES.length]!
    const units = number < SYSTEMATIC ? this.#visit(codeOf(number)) : this.#anything()
    if (!leaves.startsWith('upstream')) return { number, units, leaves }
    const end = Buffer.from(token(leaves === 'upstream fin' ? FIN : RESET))
    return { number, units: [...units.slice(0, -1), Buffer.concat([...units.slice(-1), end])], leaves }
  }

  /** Every kind of command with the reply `code`, and messages that end with it at each stage. */
  #visit(code: number): Buffer[] {
    const mail = [this.#line('MAIL FROM:<', 250), this.#line('RCPT TO:<', 250)]
    const reset = this.#line('RSET', 250)
    const data = this.#line('DATA', 354)
    const verbs = ['HELO', 'EHLO', 'AUTH PLAIN', 'RSET', 'STARTTLS', 'VRFY', 'NOOP', 'QUIT', this.#word()]
    return [
      this.#hello(),
      ...[...mail, data, this.#body(code), reset],
      ...[this.#line('MAIL FROM:<', code), reset],
      ...[mail[0]!, this.#line('RCPT TO:<', code), reset],
      ...[...mail, this.#chunk(code), reset],
      ...[...mail, this.#line('DATA', code), ...(code >= 300 && code < 400 ? [this.#body(250)] : []), reset],
      ...verbs.map((verb) => this.#line(verb, code)),
      ...[...mail, data, Buffer.from(this.#word())],
    ]
  }

  #anything(): Buffer[] {
    const kinds = [
      () => this.#hello(),
      () => this.#line(this.#random.one(VERBS)),
      () => this.#line(this.#word()),
      () => this.#line(`AUTH ${this.#random.one(MECHANISMS) || this.#word()}`),
      () => this.#mail(),
      () => this.#recipients(),
      () => this.#body(),
      () => this.#chunk(),
      () => this.#line('NOOP', undefined, 2),
      () => this.#garbage(),
    ]
    return Array.from({ length: this.#random.below(12) }, () => this.#random.one(kinds)())
  }

  #hello(): Buffer {
    const lines = ['PIPELINING', 'CHUNKING', `AUTH PLAIN ${this.#word()}-PLUS`, this.#word(), `SIZE ${this.#word()}`]
    const reply = [`250-${this.#word()} ${this.#word()}`, ...lines.map((line) => `250-${line}`), '250 8BITMIME']
    return Buffer.from(`EHLO ${this.#word()} ${token(`${reply.join('\r\n')}\r\n`)}\r\n`)
  }

  /** A complete message in one segment. */
  #mail(): Buffer {
    const envelope = [this.#line('MAIL FROM:<', 250), this.#line('RCPT TO:<'), this.#line('DATA', 354)]
    return Buffer.concat([...envelope, this.#body()])
  }

  #recipients(): Buffer {
    const many = Array.from({ length: 1 + this.#random.below(100) }, () => this.#line('RCPT TO:<'))
    return Buffer.concat([this.#line('MAIL FROM:<', 250), ...many])
  }

  #line(start: string, code?: number, replies = 1): Buffer {
    const ends = start.endsWith('<') ? `${this.#word()}@${this.#word()}.example> ${this.#word()}=` : ' '
    const wants = Array.from({ length: replies }, () => token(this.#reply(code)))
    return Buffer.from(`${start}${ends}${this.#word()} ${wants.join('')}\r\n`)
  }

  #body(code?: number): Buffer {
    const trace = this.#random.chance(0.5) ? hex(this.#random, 32) : this.#word()
    const fields = [`Traceparent: 00-${trace}-${hex(this.#random, 16)}-01`, `${this.#word()}: ${this.#word()}`]
    const large = this.#random.chance(0.002) ? `${this.#word()}\r\n`.repeat(20_000) : ''
    const text = [...fields, '', `..${this.#word()}`, large + token(this.#reply(code)), '.', ''].join('\r\n')
    return Buffer.from(text)
  }

  #chunk(code?: number): Buffer {
    const payload = `Subject: ${this.#word()}\r\n\r\n${token(this.#reply(code))}`
    const last = code !== undefined || this.#random.chance(0.5) ? ' LAST' : ''
    return Buffer.from(`BDAT ${payload.length}${last}\r\n${payload}`)
  }

  /** Random bytes, with or without a line end. */
  #garbage(): Buffer {
    return Buffer.concat([this.#random.bytes(1 + this.#random.below(60)), Buffer.from(token(this.#reply()))])
  }

  #reply(code = this.#random.below(1000)): string {
    const digits = String(code).padStart(3, '0')
    const text = this.#random.chance(0.2) ? this.#random.one(PHRASES) : this.#word()
    const digit = (limit: number) => this.#random.below(limit)
    switch (digit(8)) {
      case 0:
        return `${digits}-${this.#word()}\r\n${digits} ${text}\r\n`
      case 1:
        return `${digits} ${digit(10)}.${digit(1000)}.${digit(1000)} ${text}\r\n`
      case 2:
        return `${digits} ${digits[0]}.${this.#word()}.1 ${text}\r\n`
      case 3:
        return `${digits}\r\n`
      case 4:
        return `${digits} OK ids=${hex(this.#random, 32)} ${this.#word()}\n`
      default:
        return `${digits} ${text}\r\n`
    }
  }

  #word(): string {
    return this.#secretText.word(this.#random)
  }
}

/** Valid reply codes come first, then some other numbers. */
function codeOf(number: number): number {
  if (number < VISITS) return 200 + (number >> 1)
  const other = (number - VISITS) * 3
  return other < 200 ? other : 400 + other
}

const VERBS = [
  'EHLO',
  'HELO',
  'LHLO',
  'MAIL FROM:<',
  'RCPT TO:<',
  'DATA',
  'BDAT',
  'RSET',
  'NOOP',
  'VRFY',
  'EXPN',
].concat(['HELP', 'QUIT', 'ETRN', 'TURN', 'STARTTLS', 'SEND', 'XCLIENT', 'GET /', 'noop', ' NOOP', ''])
const MECHANISMS = ['PLAIN', 'LOGIN', 'CRAM-MD5', 'XOAUTH2', 'GSSAPI', 'DIGEST-MD5', '', '', '']
/** Texts that refine the cause of a reply. */
const PHRASES = [
  '4.4.2 idle too long',
  'load shedding',
  'shutting down',
  'too many connections',
  'too many recipients',
].concat(['too many recipients on this connection', 'technical difficulties', 'OK PARTIAL ids=', 'message too big'])

function hex(random: SeededRandom, digits: number): string {
  return Array.from({ length: digits }, () => random.below(16).toString(16)).join('')
}

function token(reply: string): string {
  return `=>${Buffer.from(reply, 'latin1').toString('hex')};`
}

/** Finds the tokens in a client's bytes, wherever these are split, and returns the replies. */
export class Tokens {
  #rest = ''

  push(bytes: Buffer): Buffer[] {
    const text = this.#rest + bytes.toString('latin1')
    const replies: Buffer[] = []
    let end = 0
    for (const match of text.matchAll(/=>([0-9a-f]*);/g)) {
      replies.push(Buffer.from(match[1]!, 'hex'))
      end = match.index + match[0].length
    }
    const start = text.lastIndexOf('=>')
    this.#rest = text.slice(Math.max(end, start >= end ? start : text.length - 1))
    return replies
  }
}
