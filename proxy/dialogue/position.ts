/**
 * Where a session is in its SMTP conversation. The session asks this before it relays, answers or closes anything. What
 * is reported about the session is the other half: see dialogue.ts.
 *
 * The rules:
 * 1. The session only reads a `Position`. Only the dialogue moves it (`Conversation`).
 * 2. A reply decides what the client's next bytes are (354 makes them a body, 334 a SASL response). Until it comes, the
 *    next byte belongs neither to a command line nor to a body.
 * 3. Every question has an answer at any time. Once the dialogue has given up or failed (`opaque`), no reply is owed and
 *    the next byte is of no known kind, so the session relays everything as it is and intercepts nothing. Each question
 *    whose answer is not simply false or 0 then says so.
 */
import type { CommandName, OpaqueReason } from '../events/closed-sets.ts'
import type { Chunk, Verb } from '../smtp/command.ts'
import type { HeaderScanner } from '../smtp/header.ts'
import { type Framing, MAX_HELD_BYTES } from './framing.ts'
import type { Transaction } from './transaction.ts'

/** Commands without a reply, above which the reader of client bytes should pause. Arbitrary; clients send a few. */
const MAX_OWED_REPLIES = 1000

/** The questions that a session may ask. */
export interface Position {
  /** True once the dialogue no longer understands the session. It never does again. */
  readonly opaque: boolean
  /** True inside a SASL security layer, where bytes that look like SMTP may be anything. Only in opaque sessions. */
  readonly inSaslLayer: boolean
  /** True if the next client byte certainly begins or continues a command line. */
  readonly inCommand: boolean
  /** True if part of a command line is known and its end is not. */
  readonly inLine: boolean
  /** True if the next client byte belongs to a body or to a BDAT chunk. */
  readonly inBody: boolean
  /** Commands that were sent and not yet answered. */
  readonly repliesOwed: number
  /** Messages that were sent completely and have no final reply yet. Only the upstream may end the wait for one. */
  readonly finalRepliesOwed: number
  /** The command whose reply comes next; `UNSOLICITED` if no reply is owed, `OTHER` in an opaque session. */
  readonly awaitedCommand: CommandName
  /** True if the reader of client bytes should pause until a reply comes. */
  readonly full: boolean
  /** True if no message is in flight and no reply is owed: the moment at which a session may be closed politely. */
  readonly betweenMessages: boolean
  /**
   * True from the refusal of a message before its end (a BDAT chunk included) to the client's next command. Stays as it
   * was in an opaque session.
   */
  readonly refusedWhileSending: boolean
  /** True once EHLO or HELO was accepted, after the client's last TLS handshake. Stays as it was in an opaque session. */
  readonly ehloAccepted: boolean
  /** True once the client sent QUIT. Stays as it was in an opaque session. */
  readonly quitSent: boolean
  /** True once the upstream sent 421, in an opaque session, too. */
  readonly upstreamSent421: boolean
}

/** A command that was sent and not yet answered. What is only reported about it is kept with it. */
export interface OwedReply {
  readonly command: CommandName
  /** `END` is the final dot. */
  readonly verb: Verb | 'END'
  readonly at: number
  /** Milliseconds without bytes in either direction before the command was sent. */
  readonly quietMs: number
  readonly chunk?: Chunk
  /** Filled by the bytes of the chunk's message. */
  readonly headers?: HeaderScanner
  /** What may be recorded of the path of MAIL or RCPT. */
  readonly address?: string
}

/** The position of one session, with the moves that the dialogue makes. */
export class Conversation implements Position {
  readonly framing: Framing
  /** In the order in which the replies will come. */
  readonly owed: OwedReply[] = []
  #opaque = false
  #inSaslLayer = false
  #transaction: Transaction | undefined
  refusedWhileSending = false
  ehloAccepted = false
  quitSent = false
  upstreamSent421 = false

  constructor(framing: Framing) {
    this.framing = framing
  }

  get opaque(): boolean {
    return this.#opaque
  }

  get inSaslLayer(): boolean {
    return this.#inSaslLayer
  }

  get inCommand(): boolean {
    return !this.#opaque && this.framing.inCommand
  }

  get inLine(): boolean {
    return this.framing.inLine
  }

  get inBody(): boolean {
    const { phase, heldBytes } = this.framing
    return (phase === 'body' || phase === 'chunk') && heldBytes === 0 && !this.#opaque
  }

  get repliesOwed(): number {
    return this.owed.length
  }

  get finalRepliesOwed(): number {
    const unfinished = this.framing.phase === 'chunk' ? this.owed.at(-1) : undefined
    let count = 0
    for (const owed of this.owed) {
      if (owed.verb === 'END' || (owed.chunk?.last && owed !== unfinished)) count += 1
    }
    return count
  }

  get awaitedCommand(): CommandName {
    if (this.#opaque) return 'OTHER'
    return this.owed[0]?.command ?? 'UNSOLICITED'
  }

  get full(): boolean {
    return this.owed.length >= MAX_OWED_REPLIES || this.framing.heldBytes >= MAX_HELD_BYTES
  }

  get betweenMessages(): boolean {
    return this.inCommand && this.owed.length === 0 && !this.inLine && !this.transaction
  }

  /** The transaction in progress. */
  get transaction(): Transaction | undefined {
    return this.#transaction?.ended === false ? this.#transaction : undefined
  }

  /** A transaction begins. One that was in progress must have ended. */
  begin(transaction: Transaction): void {
    this.#transaction = transaction
  }

  /** A command was sent. */
  sent(owed: OwedReply): void {
    this.owed.push(owed)
    this.#pace()
  }

  /** A reply came. Returns the command that it answers, unless no reply was owed. */
  answered(): OwedReply | undefined {
    const owed = this.owed.shift()
    this.#pace()
    return owed
  }

  /** The client connection entered TLS: RFC 3207 4.2 forgets everything that was sent before. */
  enterTls(): void {
    this.framing.clear()
    this.framing.chunking = false
    this.ehloAccepted = false
  }

  /** The session is opaque from now on. Frees what was kept. */
  giveUp(reason: OpaqueReason): void {
    this.#opaque = true
    this.#inSaslLayer = reason === 'sasl_security_layer'
    this.owed.length = 0
    this.framing.clear()
  }

  #pace(): void {
    this.framing.block(this.owed.length >= MAX_OWED_REPLIES)
  }
}
