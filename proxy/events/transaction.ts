/** The facts about a message in events: the header fields that telemetry uses, its recipients and its end. */
import type { CommandName, RecipientVerdict, TransactionError, TransactionOutcome } from './closed-sets.ts'
import type { ReplyFacts } from './reply.ts'

/** The number of recipients of one transaction per verdict. */
export type RecipientCounts = Readonly<Record<RecipientVerdict, number>>

/** The header fields of a message (RFC 5322 2.2) that telemetry uses. A malformed or too long field is absent. */
export interface MessageHeaders {
  /** The W3C trace context of the request that the message belongs to, well-formed, in lower case. */
  readonly traceparent?: string
  /** Printable ASCII, at most 512 bytes. */
  readonly tracestate?: string
  /** True if `AhaSend-Sandbox` asks AhaSend to simulate the delivery. */
  readonly sandbox?: boolean
  /** The values of `ahasend-tags`: at most 10, of at most 64 characters. */
  readonly tags?: readonly string[]
  /** Only with PROXY_RECORD_ADDRESSES=full: AhaSend's webhooks contain it. At most 998 bytes. */
  readonly messageId?: string
}

/** The facts that every end of a transaction has. */
export interface TransactionEnd {
  readonly at: number
  readonly outcome: TransactionOutcome
  /** Absent if accepted or aborted. */
  readonly error?: TransactionError
  /** The command whose reply decided the outcome; absent if no reply did. */
  readonly command?: CommandName
  readonly reply?: ReplyFacts
  /** Bytes after the 354 or in BDAT chunks, including dot-stuffing, without the line of the final dot. */
  readonly size: number
  /** True if a 354 or a BDAT chunk began a body. */
  readonly hasBody: boolean
  readonly recipients: RecipientCounts
  /** Absent if the header section has none of these fields, or was not parsed. */
  readonly headers?: MessageHeaders
}

/** A command of the message without a reply, and when it was sent. For END-OF-MESSAGE that is the time of the final dot. */
export interface Unanswered {
  readonly command: CommandName
  readonly at: number
}
