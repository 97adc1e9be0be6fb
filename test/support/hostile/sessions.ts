/**
 * Sessions whose both sides mean harm to the metrics: they say what they like in every place that could become a label.
 * A session is a list of units, each written by the client at once. The replies that a unit wants are in the unit itself,
 * as tokens (`=>hex;`): the upstream of a test needs no script, and the same session can be played without sockets.
 */
import type { Dice } from '../traffic/seeded-random.ts'
import type { Noise } from './secret-text.ts'

/** Sessions that visit, in order, every code at every kind of command. Random ones come after them. */
export const SYSTEMATIC = 1000
/** Of those, the ones that visit what is a reply code: each twice, for clients of two names. */
export const VISITS = 800

/** Who ends a session, and how. An upstream does it by a token of its own. */
const LEAVES = ['client fin', 'client reset', 'client stays', 'upstream fin', 'upstream reset'] as const

export interface HostileSession {
  readonly number: number
  readonly units: readonly Buffer[]
  readonly leaves: (typeof LEAVES)[number]
}

/** Replies that are none: what the upstream is to do. */
export const FIN = ''
export const RESET = '\xff'

/** Makes sessions from dice and noise: the same ones for the same seed. */
export class Hostility {
  readonly #noise: Noise
  readonly #dice: Dice

  constructor(dice: Dice, noise: Noise) {
    this.#dice = dice
    this.#noise = noise
  }

  /** Session `number`, from 0. */
  session(number: number): HostileSession {
    const leaves = LEAVES[number % LEAVES.length]!
    const units = number < SYSTEMATIC ? this.#visit(codeOf(number)) : this.#anything()
    if (!leaves.startsWith('upstream')) return { number, units, leaves }
    const end = Buffer.from(token(leaves === 'upstream fin' ? FIN : RESET))
    return { number, units: [...units.slice(0, -1), Buffer.concat([...units.slice(-1), end])], leaves }
  }

  /** Every kind of command answered with `code`, and a mail that ends by it at each of its stages. */
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
      () => this.#line(this.#dice.one(VERBS)),
      () => this.#line(this.#word()),
      () => this.#line(`AUTH ${this.#dice.one(MECHANISMS) || this.#word()}`),
      () => this.#mail(),
      () => this.#recipients(),
      () => this.#body(),
      () => this.#chunk(),
      () => this.#line('NOOP', undefined, 2),
      () => this.#garbage(),
    ]
    return Array.from({ length: this.#dice.below(12) }, () => this.#dice.one(kinds)())
  }

  #hello(): Buffer {
    const lines = ['PIPELINING', 'CHUNKING', `AUTH PLAIN ${this.#word()}-PLUS`, this.#word(), `SIZE ${this.#word()}`]
    const reply = [`250-${this.#word()} ${this.#word()}`, ...lines.map((line) => `250-${line}`), '250 8BITMIME']
    return Buffer.from(`EHLO ${this.#word()} ${token(`${reply.join('\r\n')}\r\n`)}\r\n`)
  }

  /** A whole mail in one segment. */
  #mail(): Buffer {
    const envelope = [this.#line('MAIL FROM:<', 250), this.#line('RCPT TO:<'), this.#line('DATA', 354)]
    return Buffer.concat([...envelope, this.#body()])
  }

  #recipients(): Buffer {
    const many = Array.from({ length: 1 + this.#dice.below(100) }, () => this.#line('RCPT TO:<'))
    return Buffer.concat([this.#line('MAIL FROM:<', 250), ...many])
  }

  #line(start: string, code?: number, replies = 1): Buffer {
    const ends = start.endsWith('<') ? `${this.#word()}@${this.#word()}.example> ${this.#word()}=` : ' '
    const wants = Array.from({ length: replies }, () => token(this.#reply(code)))
    return Buffer.from(`${start}${ends}${this.#word()} ${wants.join('')}\r\n`)
  }

  #body(code?: number): Buffer {
    const trace = this.#dice.chance(0.5) ? hex(this.#dice, 32) : this.#word()
    const fields = [`Traceparent: 00-${trace}-${hex(this.#dice, 16)}-01`, `${this.#word()}: ${this.#word()}`]
    const large = this.#dice.chance(0.002) ? `${this.#word()}\r\n`.repeat(20_000) : ''
    const text = [...fields, '', `..${this.#word()}`, large + token(this.#reply(code)), '.', ''].join('\r\n')
    return Buffer.from(text)
  }

  #chunk(code?: number): Buffer {
    const payload = `Subject: ${this.#word()}\r\n\r\n${token(this.#reply(code))}`
    const last = code !== undefined || this.#dice.chance(0.5) ? ' LAST' : ''
    return Buffer.from(`BDAT ${payload.length}${last}\r\n${payload}`)
  }

  /** Octets of any kind, with or without a line's end. */
  #garbage(): Buffer {
    return Buffer.concat([this.#dice.octets(1 + this.#dice.below(60)), Buffer.from(token(this.#reply()))])
  }

  #reply(code = this.#dice.below(1000)): string {
    const digits = String(code).padStart(3, '0')
    const text = this.#dice.chance(0.2) ? this.#dice.one(PHRASES) : this.#word()
    const digit = (limit: number) => this.#dice.below(limit)
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
        return `${digits} OK ids=${hex(this.#dice, 32)} ${this.#word()}\n`
      default:
        return `${digits} ${text}\r\n`
    }
  }

  #word(): string {
    return this.#noise.word(this.#dice)
  }
}

/** The codes that are reply codes come first, then some of the others. */
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
/** What refines a cause. */
const PHRASES = [
  '4.4.2 idle too long',
  'load shedding',
  'shutting down',
  'too many connections',
  'too many recipients',
].concat(['too many recipients on this connection', 'technical difficulties', 'OK PARTIAL ids=', 'message too big'])

function hex(dice: Dice, digits: number): string {
  return Array.from({ length: digits }, () => dice.below(16).toString(16)).join('')
}

function token(reply: string): string {
  return `=>${Buffer.from(reply, 'latin1').toString('hex')};`
}

/** Finds the tokens in what a client sends, wherever it is cut, and gives the replies that they want. */
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
