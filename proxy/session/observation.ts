/**
 * What is observed of one session: the dialogue, which gets a copy of the bytes, and the events.
 *
 * The rules:
 * 1. Observation changes no byte. The session decides by the `position`; the two methods that return something say only
 *    where a body ends and which command a reply answers.
 * 2. Observation cannot hurt. If the dialogue throws, which is a bug, the failure is counted and the session becomes
 *    opaque: relaying continues.
 */
import type { TLSSocket } from 'node:tls'
import { Dialogue } from '../dialogue/dialogue.ts'
import type { Position } from '../dialogue/position.ts'
import type { CommandName, ReplyLoss, TransactionError } from '../events/closed-sets.ts'
import type { Observer } from '../events/observer.ts'
import type { SessionEvent } from '../events/session-event.ts'
import type { Verb } from '../smtp/command.ts'
import type { AddressScope } from '../smtp/path.ts'
import type { Reply } from '../smtp/reply.ts'
import { now } from '../upstream/dialer.ts'
import { factsOf, type LocalReply } from './local-replies.ts'

export class Observation {
  readonly #dialogue: Dialogue
  readonly #failed: (error: unknown) => void
  #observer: Observer

  /** `observer` must not throw. `failed` is called when the dialogue throws. */
  constructor(observer: Observer, recordAddresses: AddressScope, failed: (error: unknown) => void) {
    this.#observer = observer
    this.#failed = failed
    this.#dialogue = new Dialogue((event) => this.#observer(event), recordAddresses)
  }

  /** Where the session is in its conversation. */
  get position(): Position {
    return this.#dialogue.position
  }

  /** Transactions whose MAIL was accepted. */
  get messages(): number {
    return this.#dialogue.messages
  }

  /** Reports an event that is not about the conversation. */
  report(event: SessionEvent): void {
    this.#observer(event)
  }

  /** Reports the last event. Whatever is reported after it is dropped. */
  end(last: SessionEvent): void {
    this.#observer(last)
    this.#observer = () => {}
  }

  /** A copy of client bytes that went up. */
  fromClient(bytes: Buffer, at: number): void {
    try {
      this.#dialogue.client(bytes, at)
    } catch (error) {
      this.#giveUp(error, at)
    }
  }

  /** A copy of client bytes that begin inside a body and go up. Returns the number of bytes that belong to the body. */
  bodyFromClient(bytes: Buffer, at: number): number {
    try {
      return this.#dialogue.clientBody(bytes, at)
    } catch (error) {
      this.#giveUp(error, at)
      return bytes.length
    }
  }

  /** A complete reply of the upstream. Returns the command that it answers. */
  fromUpstream(reply: Reply, at: number): CommandName {
    try {
      return this.#dialogue.reply(reply, at)
    } catch (error) {
      this.#giveUp(error, at)
      return 'OTHER'
    }
  }

  /** The upstream's greeting goes to a client that connected at `since`. */
  greeting(reply: Reply, since: number): void {
    this.#dialogue.greeting(reply, since, now())
  }

  /** The proxy sent a reply in place of a greeting to a client that connected at `since`, or to bytes that are no SMTP. */
  refusal(verb: 'CONNECT' | 'UNKNOWN', reply: LocalReply, since: number): void {
    this.#dialogue.localReply(verb, factsOf(reply), since, now())
  }

  /** The proxy answered `verb` itself. `line` is the command's, if there is one to look at. */
  localReply(verb: Verb, reply: LocalReply, line?: Buffer): void {
    const at = now()
    this.#dialogue.localReply(verb, factsOf(reply), at, at, line)
  }

  /** The proxy sent a reply that answers no command. */
  unsolicited(reply: LocalReply): void {
    const at = now()
    this.#observer({ type: 'exchange', at, end: at, command: 'UNSOLICITED', reply: factsOf(reply) })
  }

  /** The reply to `command` did not reach the client, or may not have reached it. */
  replyLost(loss: ReplyLoss, command: CommandName): void {
    this.#observer({ type: 'reply-lost', at: now(), loss, command })
  }

  /** The client connection entered TLS. */
  tls(socket: TLSSocket): void {
    this.#dialogue.tls(socket.getProtocol() ?? 'unknown', socket.getCipher().standardName, now())
  }

  /** The conversation is over. Decides what an open transaction lacks. */
  close(by: 'client' | 'upstream' | 'proxy', error: TransactionError): void {
    this.#dialogue.close(by, error, now())
  }

  #giveUp(error: unknown, at: number): void {
    this.#failed(error)
    this.#dialogue.giveUp('observer_failure', at)
  }
}
