/**
 * The vocabulary of an observed SMTP session: plain data, no sockets, no handles. It follows the report events of
 * OpenSMTPD (smtpd-filters(7)): a report informs and never decides. From these events alone a listener can rebuild
 * what happened in the session.
 *
 * Nothing that a client or an upstream wrote is in here, except values from closed sets, counts, the hexadecimal
 * message ids of a 250, the header fields in `MessageHeaders` and, only where PROXY_RECORD_ADDRESSES asks for them,
 * addresses: secrets end in the parser.
 *
 * Every `at` and `end` is in milliseconds since the Unix epoch, taken from the monotonic clock, with fractions.
 */
import type { AppTlsError, CloseReason, CommandName, OpaqueReason, RecipientVerdict, ReplyLoss } from './closed-sets.ts'
import type { Dial, Handover } from './dial.ts'
import type { ReplyFacts } from './reply.ts'
import type { TransactionEnd, Unanswered } from './transaction.ts'

/** The first event of each session. */
export interface SessionOpen {
  readonly type: 'session-open'
  readonly at: number
  /** Random, unique; for spans and log lines, never a label. */
  readonly sessionId: string
  /** The configured name of the client's network, else `other`. */
  readonly clientName: string
  readonly clientAddress: string
  readonly clientPort: number
  /** The listener's URL as configured. */
  readonly listener: string
  /** The preferred upstream's configured host. */
  readonly serverAddress: string
}

export type SessionEvent =
  | SessionOpen
  | Dial
  /** The client sent its first bytes before the upstream's greeting could be passed on. At most once a session. */
  | { readonly type: 'early-talk'; readonly at: number }
  /** `at` is when the client connected. */
  | { readonly type: 'greeting'; readonly at: number; readonly end: number; readonly reply: ReplyFacts }
  /** The client named itself and was answered 2yz. */
  | { readonly type: 'identify'; readonly at: number; readonly command: 'EHLO' | 'HELO' }
  /** The proxy changed the EHLO reply; both lists hold names from the proxy's own policy table. */
  | {
      readonly type: 'capabilities'
      readonly at: number
      readonly removed: readonly string[]
      readonly added: readonly string[]
    }
  /** The client's leg is now inside TLS. */
  | { readonly type: 'tls'; readonly at: number; readonly protocol: string; readonly cipher: string }
  /**
   * The application failed to enter TLS, or left it before it said anything. At most once, right before `session-close`.
   * `detail` is OpenSSL's name of the error.
   */
  | { readonly type: 'tls-failed'; readonly at: number; readonly error: AppTlsError; readonly detail?: string }
  /** An AUTH exchange ended. `mechanism` is a registered name or `OTHER`. */
  | { readonly type: 'auth'; readonly at: number; readonly mechanism: string; readonly reply: ReplyFacts }
  /** One command and one reply to it (DATA, BDAT and AUTH have several). */
  | {
      readonly type: 'exchange'
      readonly at: number
      readonly end: number
      readonly command: CommandName
      readonly reply: ReplyFacts
    }
  | Handover
  /**
   * A MAIL command was sent at `at`. `reply` is absent when the connection ended before an answer came. `sender` is what
   * PROXY_RECORD_ADDRESSES allows of the reverse-path: the domain or all; empty for the null path.
   */
  | {
      readonly type: 'tx-begin'
      readonly at: number
      readonly end: number
      readonly reply?: ReplyFacts
      readonly sender?: string
    }
  | {
      readonly type: 'tx-rcpt'
      readonly at: number
      readonly end: number
      readonly verdict: RecipientVerdict
      readonly reply: ReplyFacts
      /** What PROXY_RECORD_ADDRESSES allows of the forward-path. */
      readonly recipient?: string
    }
  /** A body may begin: the 354, or the first BDAT. */
  | { readonly type: 'tx-data'; readonly at: number }
  /** The upstream took responsibility (2yz to the end of the message). */
  | ({ readonly type: 'tx-commit' } & TransactionEnd)
  /** The upstream refused (4yz or 5yz). */
  | ({ readonly type: 'tx-rollback' } & TransactionEnd)
  /** The client gave up: RSET, EHLO, QUIT or a close before the end of the message. */
  | ({ readonly type: 'tx-reset' } & TransactionEnd)
  /** No verdict ever came, because a connection ended. At `final-reply` the outcome is in doubt. */
  | ({
      readonly type: 'tx-lost'
      readonly stage: 'envelope' | 'body' | 'final-reply'
      readonly unanswered?: Unanswered
    } & TransactionEnd)
  | {
      readonly type: 'reply-lost'
      readonly at: number
      readonly loss: ReplyLoss
      readonly command: CommandName
    }
  | { readonly type: 'session-opaque'; readonly at: number; readonly reason: OpaqueReason }
  | {
      readonly type: 'session-close'
      readonly at: number
      readonly by: 'client' | 'upstream' | 'proxy'
      readonly reason: CloseReason
      /** What exactly happened, never in a peer's words: for `proxy_header` a ProxyHeaderFault. */
      readonly detail?: string
      /** Application octets relayed from client to upstream. */
      readonly transmit: number
      /** Application octets that came from the upstream: with what the proxy took out of an EHLO reply or dropped. */
      readonly receive: number
      /** Transactions whose MAIL was accepted. */
      readonly messages: number
    }
