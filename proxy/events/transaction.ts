/** What events say about a message: its header fields that telemetry uses, its recipients and its end. */
import type { CommandName, RecipientVerdict, TransactionError, TransactionOutcome } from './closed-sets.ts'
import type { ReplyFacts } from './reply.ts'

/** How often each verdict was given to the recipients of one transaction. */
export type RecipientCounts = Readonly<Record<RecipientVerdict, number>>

/** What a mail's header section says to telemetry (RFC 5322 2.2). A field that was malformed or too long is absent. */
export interface MessageHeaders {
  /** The W3C trace context of the request that this mail belongs to, well-formed, in lower case. */
  readonly traceparent?: string
  /** Printable ASCII, at most 512 octets. */
  readonly tracestate?: string
  /** True when `AhaSend-Sandbox` says that AhaSend is to simulate the delivery. */
  readonly sandbox?: boolean
  /** The values of `ahasend-tags`: at most 10, of at most 64 characters. */
  readonly tags?: readonly string[]
  /** Only with PROXY_RECORD_ADDRESSES=full: AhaSend's webhooks name it. At most 998 octets. */
  readonly messageId?: string
}

/** What every end of a transaction says. */
export interface TransactionEnd {
  readonly at: number
  readonly outcome: TransactionOutcome
  /** Absent when accepted or aborted. */
  readonly error?: TransactionError
  /** The command whose reply decided; absent when no reply did. */
  readonly command?: CommandName
  readonly reply?: ReplyFacts
  /** Octets after the 354 (or in BDAT chunks), dot-stuffing included, the final dot's line not. */
  readonly size: number
  /** True once a 354 or a BDAT chunk made a body begin. */
  readonly hasBody: boolean
  readonly recipients: RecipientCounts
  /** Absent when the header section held nothing of interest, or was not seen. */
  readonly headers?: MessageHeaders
}

/** A command of the mail whose reply never came, and when it was sent: the dot, for END-OF-MESSAGE. */
export interface Unanswered {
  readonly command: CommandName
  readonly at: number
}
