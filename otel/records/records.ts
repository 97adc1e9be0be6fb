/** What is reported about a message and a session that are over: plain data, read by the log and the traces. */
import type { CommandName, OpaqueReason, TransactionError } from '../../proxy/events/closed-sets.ts'
import type { Dial } from '../../proxy/events/dial.ts'
import type { ReplyFacts } from '../../proxy/events/reply.ts'
import type { SessionEvent, SessionOpen } from '../../proxy/events/session-event.ts'
import type { TransactionEnd } from '../../proxy/events/transaction.ts'

/** A command and its reply, which is absent when none came. */
export interface Exchange {
  readonly command: CommandName
  readonly at: number
  readonly end: number
  readonly reply?: ReplyFacts
  /** Why none came; absent when the client did not wait for it. */
  readonly error?: TransactionError
  /** Of a RCPT, as far as PROXY_RECORD_ADDRESSES allows. */
  readonly recipient?: string
}

/** What is known of a session; it grows until the session ends. */
export interface SessionFacts {
  readonly open: SessionOpen
  /** The client's IP address, where PROXY_RECORD_ADDRESSES allows it to be told. */
  readonly clientAddress?: string
  /** The configured host that the session talks to, or would have. */
  readonly server: string
  /** The dial that brought the upstream connection. */
  readonly upstream?: Dial
  /** True when that dial was made before the client came. */
  readonly dialledAhead: boolean
  /** Dials made for this session. */
  readonly dials: readonly Dial[]
  readonly dialCount: number
  readonly tls?: { readonly protocol: string; readonly cipher: string }
  readonly tlsFailure?: Extract<SessionEvent, { type: 'tls-failed' }>
  readonly auth?: { readonly mechanism: string; readonly reply: ReplyFacts }
  readonly capabilities?: { readonly removed: readonly string[]; readonly added: readonly string[] }
  readonly opaque?: OpaqueReason
  /** True when the client sent bytes before it was greeted. */
  readonly earlyTalker?: true
}

/** A mail that is over. */
export interface MailRecord {
  readonly session: SessionFacts
  /** When MAIL was sent, or the body began where no MAIL was seen. */
  readonly at: number
  readonly end: TransactionEnd
  /** Where the mail was when a connection ended. */
  readonly stage?: 'envelope' | 'body' | 'final-reply'
  readonly sender?: string
  readonly recipients: readonly string[]
  readonly exchanges: readonly Exchange[]
  /** Commands beyond those in `exchanges`. */
  readonly omitted: number
}

/** A session that is over. */
export interface SessionRecord {
  readonly session: SessionFacts
  readonly close: Extract<SessionEvent, { type: 'session-close' }>
  /** Commands outside its mails; `refusal` is one of them. */
  readonly exchanges: readonly Exchange[]
  readonly omitted: number
  /** The last reply outside a mail that kept the client from sending mail, or told that the session was over. */
  readonly refusal?: Exchange
}
