/**
 * LINK: the two connections of a session, and the state that its relay, its path to the upstream and its teardown share.
 * Each fact is held here once. Where a session is in its SMTP conversation is a question for `position`.
 *
 *   relaying --> over                                 the proxy or the upstream ends the session, or the client leaves
 *   relaying --> awaiting the final reply             the client leaves after the end of a message
 */
import type { SecureContext } from 'node:tls'
import type { ClientConnection, Linger } from '../connection/client-connection.ts'
import { UpstreamConnection } from '../connection/upstream-connection.ts'
import type { Position } from '../dialogue/position.ts'
import { type ClientSecurity, offersStarttls } from '../smtp/ehlo.ts'
import { type DialledUpstream, now } from '../upstream/dialer.ts'
import type { Observation } from './observation.ts'

/** Times and sizes that are no settings. Tests shorten them. */
export interface Limits {
  readonly linger: Linger
  readonly handshakeMs: number
  /** RFC 5321 4.5.3.2.6: how long the final reply to a message may take. */
  readonly finalReplyMs: number
  /** How long a session must be quiet before a drain ends it: a 421 glued to a 250 fails a message in Go's client. */
  readonly drainQuietMs: number
}

/** What a link is made of. */
export interface LinkParts {
  readonly client: ClientConnection
  readonly upstream: DialledUpstream
  readonly observation: Observation
  /** `starttls-…` only if there is a certificate. */
  readonly security: ClientSecurity
  readonly limits: Limits
  /** Returns the listener's current certificate. */
  readonly secureContext: () => SecureContext | undefined
}

export class Link {
  readonly client: ClientConnection
  readonly upstream: UpstreamConnection
  /** True if the upstream's greeting was a refusal: nothing but QUIT may go there. */
  readonly upstreamRefused: boolean
  readonly observation: Observation
  readonly position: Position
  readonly limits: Limits
  readonly secureContext: () => SecureContext | undefined
  #phase: 'relaying' | 'awaiting-final-reply' | 'over' = 'relaying'
  #clientEndRelayed = false
  #upstreamEnded = false
  #upstreamClosed = false
  #security: ClientSecurity
  #handshake: 'none' | 'in-progress' | 'done' = 'none'
  #drainFrom = Number.POSITIVE_INFINITY
  #lastMove = now()

  constructor(parts: LinkParts) {
    this.client = parts.client
    this.upstream = new UpstreamConnection(parts.upstream)
    this.upstreamRefused = parts.upstream.refused
    this.observation = parts.observation
    this.position = parts.observation.position
    this.limits = parts.limits
    this.secureContext = parts.secureContext
    this.#security = parts.security
  }

  /** True once nothing more is relayed: the session is being closed, or one connection is lost. */
  get over(): boolean {
    return this.#phase !== 'relaying'
  }

  /** True once the client has gone while a final reply was owed. That reply is still read. */
  get awaitsFinalReply(): boolean {
    return this.#phase === 'awaiting-final-reply'
  }

  /**
   * True until the session is over or its upstream has ended, and while a final reply is awaited whose client has gone: a
   * cut would end what they are doing.
   */
  get unfinished(): boolean {
    return (!this.over && !this.#upstreamEnded) || this.awaitsFinalReply
  }

  /** Nothing more is relayed. A final reply that is awaited still is. */
  stop(): void {
    if (this.#phase === 'relaying') this.#phase = 'over'
  }

  /** The client has gone. Nothing more is relayed, and the final reply is still read. */
  awaitFinalReply(): void {
    this.#phase = 'awaiting-final-reply'
  }

  /** True once the client's FIN was read. Bytes that it sent before may still wait. */
  get clientEnded(): boolean {
    return this.client.ended
  }

  /** True once the client's FIN was passed on, after everything that it sent. */
  get clientEndRelayed(): boolean {
    return this.#clientEndRelayed
  }

  /** True once the upstream's FIN was read: it will send no more. Not if its connection failed before. */
  get upstreamEnded(): boolean {
    return this.#upstreamEnded
  }

  /** True once the upstream connection is gone. */
  get upstreamClosed(): boolean {
    return this.#upstreamClosed
  }

  /** Passes the client's FIN on. */
  relayClientEnd(): void {
    this.#clientEndRelayed = true
    this.upstream.finish()
  }

  /** The upstream's FIN was read. */
  upstreamEnds(): void {
    this.#upstreamEnded = true
  }

  /** The upstream connection is gone. */
  upstreamCloses(): void {
    this.#upstreamClosed = true
  }

  /** How the client connection is secured now. */
  get security(): ClientSecurity {
    return this.#security
  }

  /** True while the client may begin TLS by STARTTLS. */
  get offersStarttls(): boolean {
    return offersStarttls(this.#security)
  }

  /** True from the client's STARTTLS to the end of its handshake. */
  get inHandshake(): boolean {
    return this.#handshake === 'in-progress'
  }

  /** True from the end of the client's handshake until an EHLO or HELO is accepted (RFC 3207 4.2). */
  get ehloOwed(): boolean {
    return this.#handshake === 'done' && !this.position.ehloAccepted
  }

  /** The client sent STARTTLS, and the proxy accepts it. */
  beginHandshake(): void {
    this.#handshake = 'in-progress'
  }

  /**
   * The client's handshake succeeded. The upstream did not see its STARTTLS and forgets nothing, so the proxy requires EHLO
   * again.
   */
  endHandshake(): void {
    this.#handshake = 'done'
    this.#security = 'tls'
  }

  /** From now on the next command between messages is answered 421, and from `from` on so is silence. */
  drain(from: number): void {
    this.#drainFrom = from
  }

  /** True if the proxy is stopping. */
  get draining(): boolean {
    return this.#drainFrom !== Number.POSITIVE_INFINITY
  }

  /** True if the proxy is stopping and no message is in flight. */
  get mayDrain(): boolean {
    return this.draining && this.position.betweenMessages
  }

  /** True if a session that has been quiet for `quietMs` may be ended for a drain at `at`. */
  mayEndForDrain(at: number, quietMs: number): boolean {
    return at >= this.#drainFrom && quietMs >= this.limits.drainQuietMs && this.mayDrain
  }

  /** Bytes were read, or the client's handshake ended. */
  moved(): void {
    this.#lastMove = now()
  }

  /** Milliseconds, at `at`, since anything moved. */
  quietMs(at: number): number {
    return at - this.#lastMove
  }
}
