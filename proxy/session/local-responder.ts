/**
 * LOCAL REPLIES: the client commands that the proxy answers itself, and the order and pace of those replies.
 *
 * A client can pipeline such commands faster than it reads the replies, or faster than other sessions get their turn. So
 * the replies of one turn are few, they leave in one write, and the uplink stops reading while the client reads nothing.
 */
import type { ClientConnection } from '../connection/client-connection.ts'
import type { Dialogue } from '../dialogue/dialogue.ts'
import type { Verb } from '../smtp/command.ts'
import type { ClientSecurity } from '../smtp/ehlo.ts'
import { now } from '../upstream/dialer.ts'
import { type Screened, screen, taints } from './intercept.ts'
import type { OwnWord } from './local-replies.ts'
import * as words from './local-replies.ts'
import type { Endings } from './teardown.ts'

/** Local replies in one turn of the event loop: 100 cost less than a millisecond. */
const MAX_PER_TURN = 100

export interface LocalRepliesOptions {
  readonly client: ClientConnection
  readonly dialogue: Dialogue
  readonly endings: Endings
  /** True when the upstream refused the connection. */
  readonly refused: boolean
  /** A new turn began after `MAX_PER_TURN` replies: the session may go on. */
  readonly rested: () => void
}

export class LocalReplies {
  readonly #options: LocalRepliesOptions
  #tainted = false
  #draining = false
  #upgraded = false
  /** Replies that leave with the next `flush`. */
  #out: Buffer[] = []
  #inTurn = 0

  constructor(options: LocalRepliesOptions) {
    this.#options = options
  }

  /** From now on the next command between messages is answered 421. */
  drain(): void {
    this.#draining = true
  }

  /** True when the session is to be drained and no message is under way. */
  get mayDrain(): boolean {
    return this.#draining && this.#options.dialogue.betweenMails
  }

  /** True until the next turn, once this turn has had its share of replies. */
  get resting(): boolean {
    return this.#inTurn >= MAX_PER_TURN
  }

  /** True from the end of the client's handshake until an EHLO or HELO was accepted (RFC 3207 4.2). */
  get ehloOwed(): boolean {
    return this.#upgraded && !this.#options.dialogue.identified
  }

  /** What the proxy answers to this command line, after the replies that are owed; undefined: the line is relayed. */
  answerTo(line: Buffer, security: ClientSecurity): Screened {
    const { refused, dialogue } = this.#options
    const { ehloOwed, mayDrain } = this
    // a client that sends MAIL together with each final dot is never between messages
    const mayDrainLater = this.#draining && dialogue.pending > 0
    return screen(line, { security, refused, tainted: this.#tainted, ehloOwed, mayDrain, mayDrainLater })
  }

  /** `line` was relayed in plain text, where STARTTLS may follow. */
  relayedClear(line: Buffer): void {
    if (taints(line)) this.#tainted = true
  }

  /** The client's STARTTLS led to TLS. The upstream did not see it, so what it must forget is demanded again here. */
  upgraded(): void {
    this.#upgraded = true
  }

  /** Answers `verb`; the reply leaves with the next `flush`, at once when it ends the session. */
  give(verb: Verb, word: OwnWord, line?: Buffer): void {
    const at = now()
    this.#options.dialogue.own(verb, words.factsOf(word), at, at, line)
    if (word.closes) {
      this.flush()
      return this.#options.endings.closeWith(word, word === words.DRAINING ? 'drained' : 'error')
    }
    this.#out.push(word.bytes)
    if (this.#inTurn === 0) setImmediate(() => this.#rest())
    this.#inTurn += 1
  }

  /** Writes the replies that were given, in one piece. */
  flush(): void {
    const out = this.#out
    if (out.length === 0) return
    this.#out = []
    this.#options.client.write(out.length === 1 ? out[0]! : Buffer.concat(out))
  }

  #rest(): void {
    const { resting } = this
    this.#inTurn = 0
    if (resting) this.#options.rested()
  }
}
