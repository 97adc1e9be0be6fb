/** Random dialogues. Their order of commands is one for which the proxy's guarantees are exact. */
import type { CloseReason, CommandName } from '../../proxy/events/closed-sets.ts'
import * as localReplies from '../../proxy/session/local-replies.ts'
import type { SeededRandom } from '../support/traffic/seeded-random.ts'
import { Author } from './author.ts'
import { MessageWriter } from './message.ts'
import type { ClientMode, Exchange, Group, Plan, Reply } from './plan.ts'

export type Dialogue = Pick<Plan, 'greeting' | 'groups' | 'endsFirst' | 'reason' | 'mayBeOpaque' | 'sizeByTiming'>

const BLOCKED = ['XCLIENT ADDR=192.0.2.1', 'xforward NAME=x', 'TURN', 'ATRN example.org', 'BURL imap://x 1 LAST']

/** Verbs unknown to the proxy: bytes that follow one before its reply may be its payload. */
const UNKNOWN = ['XYZZY', 'FOO bar', 'HELO.', '\xe9t\xe9', 'DATA\x00', ' NOOP', 'QUIT\rNOOP', 'GETX / HTTP/1.1']

/** Commands that change no state, and the name under which their replies are counted. */
const HARMLESS: readonly (readonly [CommandName, string, readonly number[]])[] = [
  ['NOOP', 'NOOP', [250]],
  ['NOOP', 'noop hello', [250]],
  ['NOOP', `NOOP ${'x'.repeat(3000)}`, [250, 500]],
  ['RSET', 'RSET', [250]],
  ['VRFY', 'VRFY somebody', [252, 502]],
  ['OTHER', 'HELP', [214, 502]],
  ['OTHER', 'EXPN list', [502]],
  ['OTHER', '', [500]],
]

/** Commands that the proxy refuses inside TLS until the client has sent EHLO there. */
const EHLO_NEEDED: readonly (readonly [CommandName, string])[] = [
  ['AUTH', 'AUTH PLAIN AGFwcABzZWNyZXQ='],
  ['MAIL', 'MAIL FROM:<app@example.com>'],
  ['DATA', 'DATA'],
]

/** A session from the greeting to its end, without faults. */
export function dialogueOf(random: SeededRandom, number: number, mode: ClientMode): Dialogue {
  return new Generator(new Author(random, number, mode), mode).write()
}

class Generator {
  readonly #author: Author
  readonly #random: SeededRandom
  readonly #mode: ClientMode
  readonly #groups: Group[] = []
  #chunking = false
  /** Before TLS: true once a relayed command makes STARTTLS impossible. */
  #tainted = false
  #mayBeOpaque = false
  #sizeByTiming = false

  constructor(author: Author, mode: ClientMode) {
    this.#author = author
    this.#random = author.random
    this.#mode = mode
  }

  write(): Dialogue {
    if (this.#random.chance(0.03)) return this.#refusedGreeting()
    const greeting = this.#author.reply('CONNECT', 220)
    this.#hello()
    if (this.#mode === 'starttls') this.#startTls()
    if (this.#random.chance(0.6)) this.#login()
    for (let left = this.#random.below(5); left > 0; left -= 1) this.#item()
    return this.#end(greeting)
  }

  /** A greeting of 4yz or 5yz: the proxy relays only QUIT, and answers everything else with 421. */
  #refusedGreeting(): Dialogue {
    const greeting = this.#author.reply('CONNECT', this.#random.one([554, 521, 451]))
    const quits = this.#mode === 'starttls' || this.#random.chance(0.6)
    if (quits) this.#add(this.#author.exchange('QUIT', 'QUIT', 221))
    else this.#add(this.#author.local('EHLO', 'EHLO app.example', localReplies.REFUSED))
    return this.#done(greeting, quits ? 'upstream' : 'proxy', quits ? 'quit' : 'error')
  }

  #hello(): void {
    const refused = this.#random.chance(0.05)
    if (refused) this.#add(this.#author.exchange('EHLO', 'EHLO app.example', this.#random.one([502, 550])))
    if (refused || this.#random.chance(0.07)) return this.#add(this.#author.exchange('HELO', 'HELO app.example', 250))
    this.#chunking = this.#random.chance(0.4)
    this.#add(this.#author.ehlo(this.#chunking))
  }

  #startTls(): void {
    while (this.#random.chance(0.3)) this.#add(this.#author.exchange('NOOP', this.#random.one(['NOOP', 'noop x']), 250))
    if (this.#random.chance(0.2))
      this.#add(this.#author.local('STARTTLS', 'STARTTLS now', localReplies.STARTTLS_ARGUMENT))
    this.#add({ ...this.#author.local('STARTTLS', 'STARTTLS', localReplies.READY_FOR_TLS), upgrade: true })
    this.#author.secure = true
    // RFC 3207 4.2: TLS resets the session, and the client must send EHLO again
    if (this.#random.chance(0.2)) {
      const [command, line] = this.#random.one(EHLO_NEEDED)
      this.#add(this.#author.local(command, line, localReplies.EHLO_FIRST))
    }
    this.#chunking = this.#random.chance(0.4)
    this.#add(this.#author.ehlo(this.#chunking))
  }

  #login(): void {
    const exchange = this.#author.exchange.bind(this.#author)
    const secret = this.#random.one(['AGFwcABzZWNyZXQ=', 'STARTTLS', 'QUIT', 'DATA', '='])
    const verdict = this.#random.one([235, 235, 235, 535, 500, 454])
    this.#tainted = true
    switch (this.#random.below(5)) {
      case 0:
      case 1:
        return this.#add(exchange('AUTH', `AUTH PLAIN ${secret}`, verdict))
      case 2:
        this.#add(exchange('AUTH', 'AUTH PLAIN', 334))
        return this.#add(exchange('AUTH', secret, verdict))
      case 3:
        this.#add(exchange('AUTH', 'auth login', 334))
        this.#add(exchange('AUTH', 'UVVJVA==', 334))
        return this.#add(exchange('AUTH', secret, verdict))
      default:
        this.#add(exchange('AUTH', 'AUTH PLAIN', 334))
        return this.#add(exchange('AUTH', '*', 501))
    }
  }

  #item(): void {
    const kind = this.#random.below(20)
    if (kind < 12) return this.#message()
    if (kind < 15) return this.#harmless()
    if (kind < 17) return this.#local()
    if (kind < 19) return this.#unknown()
    // an opaque session relays EHLO replies unchanged
    if (!this.#mayBeOpaque) this.#add(this.#author.ehlo(this.#chunking))
  }

  #message(): void {
    this.#tainted = true
    const writer = new MessageWriter(this.#author, {
      chunking: this.#chunking,
      ...(!this.#mayBeOpaque && { local: () => this.#blocked() }),
    })
    this.#groups.push(...writer.message())
    this.#sizeByTiming ||= writer.sizeByTiming
  }

  /** One command, or a group of them in one segment. */
  #harmless(): void {
    const count = this.#random.chance(0.3) ? 1 + this.#random.below(6) : 1
    const some = Array.from({ length: count }, () => {
      const [command, line, codes] = this.#random.one(HARMLESS)
      return this.#author.exchange(command, line, this.#random.one(codes))
    })
    if (some.some(({ bytes }) => /^(EXPN|\r?\n)/.test(bytes.toString('latin1')))) this.#tainted = true
    this.#add(...some)
  }

  /** Where the proxy may no longer recognize commands, it sends no local replies. */
  #local(): void {
    if (this.#mayBeOpaque) return
    const some = [this.#blocked()]
    if (this.#random.chance(0.4)) some.push(this.#author.exchange('NOOP', 'NOOP', 250))
    if (this.#random.chance(0.4)) some.unshift(this.#author.exchange('NOOP', 'NOOP', 250))
    this.#add(...some)
  }

  #blocked(): Exchange {
    const { random } = this.#author
    if (!random.chance(0.3) || this.#mode === 'plain')
      return this.#author.local('OTHER', random.one(BLOCKED), localReplies.BLOCKED)
    if (this.#author.secure) return this.#author.local('STARTTLS', 'STARTTLS', localReplies.STARTTLS_REFUSED)
    return this.#tainted && random.chance(0.5)
      ? this.#author.local('STARTTLS', 'STARTTLS', localReplies.STARTTLS_REFUSED)
      : this.#author.local('STARTTLS', 'STARTTLS now', localReplies.STARTTLS_ARGUMENT)
  }

  #unknown(): void {
    this.#tainted = true
    const unknown = this.#author.exchange('OTHER', this.#random.one(UNKNOWN), this.#random.one([500, 502]))
    if (this.#random.chance(0.85)) return this.#add(unknown)
    this.#mayBeOpaque = true
    this.#add(unknown, this.#author.exchange('NOOP', 'NOOP', 250))
  }

  #end(greeting: Reply): Dialogue {
    const exchange = this.#author.exchange.bind(this.#author)
    switch (this.#random.below(8)) {
      case 0:
        return this.#done(greeting, 'client', 'client_closed')
      case 1:
        // the client sends QUIT and its FIN together, and still reads
        this.#add(exchange('QUIT', 'QUIT', 221))
        return this.#done(greeting, 'client', 'quit')
      case 2:
        if (this.#mayBeOpaque) return this.#done(greeting, 'client', 'client_closed')
        this.#add(this.#author.local('OTHER', 'GET / HTTP/1.1', localReplies.HTTP))
        return this.#done(greeting, 'proxy', 'error')
      case 3:
        // a local reply at the end would race with the upstream, which does not know about it
        if (this.#groups.at(-1)?.at(-1)?.local) this.#add(exchange('NOOP', 'NOOP', 250))
        return this.#done(greeting, 'upstream', 'upstream_closed')
      case 4:
        this.#quitWithLastMessage()
        return this.#done(greeting, 'upstream', 'quit')
      default:
        this.#add(exchange('QUIT', 'quit', this.#random.one([221, 221, 250])))
        return this.#done(greeting, 'upstream', 'quit')
    }
  }

  /** Sends QUIT in one segment with the previous exchange, for example a final dot. */
  #quitWithLastMessage(): void {
    const quit = this.#author.exchange('QUIT', 'QUIT', 221)
    const last = this.#groups.at(-1)
    if (!last?.at(-1)?.payload) return this.#add(quit)
    this.#groups[this.#groups.length - 1] = [...last, quit]
  }

  #done(greeting: Reply, endsFirst: Dialogue['endsFirst'], reason: CloseReason): Dialogue {
    const [groups, mayBeOpaque, sizeByTiming] = [this.#groups, this.#mayBeOpaque, this.#sizeByTiming]
    return { greeting, groups, endsFirst, reason, mayBeOpaque, sizeByTiming }
  }

  #add(...group: Group): void {
    this.#groups.push(group)
  }
}
