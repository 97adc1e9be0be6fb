/**
 * The events of an SMTP session: plain data, no sockets, no handles. They follow the report events of OpenSMTPD
 * (smtpd-filters(7)): a report informs and never decides. A listener can reconstruct the session from these events alone.
 *
 * Events contain nothing that a client or an upstream wrote, except values from closed sets, counts, the hexadecimal
 * message ids of a 250, the header fields in `MessageHeaders` and, only if PROXY_RECORD_ADDRESSES enables them,
 * addresses. Secrets never leave the parser.
 *
 * Every `at` and `end` is in milliseconds since the Unix epoch, from the monotonic clock, with fractions.
 */
import type { AppTlsError, CloseReason, CommandName, OpaqueReason, RecipientVerdict, ReplyLoss } from './closed-sets.ts'
import type { Dial, Handover } from './dial.ts'
import type { ReplyFacts } from './reply.ts'
import type { TransactionEnd, Unanswered } from './transaction.ts'

/** The first event of each session. */
export interface SessionOpen {
  readonly type: 'session-open'
  readonly at: number
  /** Random and unique; for spans and log lines, never for a label. */
  readonly sessionId: string
  /** The configured name of the client's network, or `other`. */
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
  /** The client sent its first bytes before the upstream's greeting was relayed. At most once per session. */
  | { readonly type: 'early-talk'; readonly at: number }
  /** `at` is the time at which the client connected. */
  | { readonly type: 'greeting'; readonly at: number; readonly end: number; readonly reply: ReplyFacts }
  /** The client identified itself, and the reply was 2yz. */
  | { readonly type: 'identify'; readonly at: number; readonly command: 'EHLO' | 'HELO' }
  /** The proxy changed the EHLO reply. Both lists hold names from the policy tables in proxy/smtp/ehlo.ts. */
  | {
      readonly type: 'capabilities'
      readonly at: number
      readonly removed: readonly string[]
      readonly added: readonly string[]
    }
  /** The client connection is now inside TLS. */
  | { readonly type: 'tls'; readonly at: number; readonly protocol: string; readonly cipher: string }
  /**
   * The app failed to enter TLS, or left TLS before its first command. At most once, directly before
   * `session-close`. `detail` is OpenSSL's name of the error.
   */
  | { readonly type: 'tls-failed'; readonly at: number; readonly error: AppTlsError; readonly detail?: string }
  /** An AUTH exchange ended. `mechanism` is a registered name or `OTHER`. */
  | { readonly type: 'auth'; readonly at: number; readonly mechanism: string; readonly reply: ReplyFacts }
  /** One command and one reply to it. DATA, BDAT and AUTH have several. */
  | {
      readonly type: 'exchange'
      readonly at: number
      readonly end: number
      readonly command: CommandName
      readonly reply: ReplyFacts
    }
  | Handover
  /**
   * A MAIL command was sent at `at`. `reply` is absent if the connection ended before the reply. `sender` is the part of
   * the reverse-path that PROXY_RECORD_ADDRESSES allows: the domain or the whole address; empty for the null path.
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
      /** The part of the forward-path that PROXY_RECORD_ADDRESSES allows. */
      readonly recipient?: string
    }
  /** The body may begin: after the 354, or with the first BDAT. */
  | { readonly type: 'tx-data'; readonly at: number }
  /** The upstream accepted the message: 2yz to its end. */
  | ({ readonly type: 'tx-commit' } & TransactionEnd)
  /** The upstream refused the message: 4yz or 5yz. */
  | ({ readonly type: 'tx-rollback' } & TransactionEnd)
  /** The client aborted the message: RSET, EHLO, QUIT or a close before its end. */
  | ({ readonly type: 'tx-reset' } & TransactionEnd)
  /** A connection ended before a verdict. At `final-reply` the outcome is in doubt. */
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
      /** More about the reason, never text from a peer: for `proxy_header` a ProxyHeaderFault. */
      readonly detail?: string
      /** Application bytes relayed from client to upstream. */
      readonly transmit: number
      /**
       * Application bytes received from the upstream, including those that the proxy removed from an EHLO reply or
       * dropped.
       */
      readonly receive: number
      /** Transactions whose MAIL was accepted. */
      readonly messages: number
    }
