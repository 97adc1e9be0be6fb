/**
 * LOCAL RESPONDER: answers the client commands that the proxy intercepts, and decides the order and pace of these replies.
 *
 * A client can pipeline such commands faster than it reads the replies, or faster than other sessions get their turn. So
 * the replies of one turn of the event loop are few and leave in one write, and the client is not read while it does not
 * read.
 */
import type { Verb } from '../smtp/command.ts'
import { type Intercepted, intercept, taints } from './intercept.ts'
import type { Link } from './link.ts'
import type { LocalReply } from './local-replies.ts'
import * as localReplies from './local-replies.ts'
import type { Teardown } from './teardown.ts'

/** Local replies in one turn of the event loop: 100 cost less than a millisecond. */
const MAX_PER_TURN = 100

export class LocalResponder {
  readonly #link: Link
  readonly #teardown: Teardown
  readonly #rested: () => void
  #tainted = false
  /** Replies that leave with the next `flush`. */
  #out: Buffer[] = []
  #inTurn = 0

  /** `rested` is called when a new turn begins after `MAX_PER_TURN` replies: the session may continue. */
  constructor(link: Link, teardown: Teardown, rested: () => void) {
    this.#link = link
    this.#teardown = teardown
    this.#rested = rested
  }

  /** True until the next turn, once this turn had its share of replies. */
  get resting(): boolean {
    return this.#inTurn >= MAX_PER_TURN
  }

  /** What the proxy answers to this command line, after the replies that are owed; undefined: the line is relayed. */
  intercept(line: Buffer): Intercepted {
    const { security, upstreamRefused, ehloOwed, mayDrain, draining, position } = this.#link
    // a client that sends MAIL together with each final dot is never between messages
    const mayDrainLater = draining && position.repliesOwed > 0
    return intercept(line, { security, upstreamRefused, tainted: this.#tainted, ehloOwed, mayDrain, mayDrainLater })
  }

  /** `line` was relayed unencrypted, where STARTTLS may follow. */
  relayedUnencrypted(line: Buffer): void {
    if (taints(line)) this.#tainted = true
  }

  /** Answers `verb`. The reply leaves with the next `flush`, or at once if it ends the session. */
  answer(verb: Verb, reply: LocalReply, line?: Buffer): void {
    this.#link.observation.localReply(verb, reply, line)
    if (reply.closes) {
      this.flush()
      return this.#teardown.closeWith(reply, reply === localReplies.DRAINING ? 'drained' : 'error')
    }
    this.#out.push(reply.bytes)
    if (this.#inTurn === 0) setImmediate(() => this.#rest())
    this.#inTurn += 1
  }

  /** Writes the replies that were given, in one piece. */
  flush(): void {
    const out = this.#out
    if (out.length === 0) return
    this.#out = []
    this.#link.client.write(out.length === 1 ? out[0]! : Buffer.concat(out))
  }

  #rest(): void {
    const { resting } = this
    this.#inTurn = 0
    if (resting) this.#rested()
  }
}
