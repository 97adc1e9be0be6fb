/** The records of finished messages and sessions: plain data from which the log and the traces are made. */
import type { CommandName, OpaqueReason, TransactionError } from '../../proxy/events/closed-sets.ts'
import type { Dial } from '../../proxy/events/dial.ts'
import type { ReplyFacts } from '../../proxy/events/reply.ts'
import type { SessionEvent, SessionOpen } from '../../proxy/events/session-event.ts'
import type { TransactionEnd } from '../../proxy/events/transaction.ts'

/** A command and its reply. `reply` is absent if none came. */
export interface Exchange {
  readonly command: CommandName
  readonly at: number
  readonly end: number
  readonly reply?: ReplyFacts
  /** Why no reply came. Absent if the client did not wait for it. */
  readonly error?: TransactionError
  /** The recipient of a RCPT, as far as PROXY_RECORD_ADDRESSES allows. */
  readonly recipient?: string
}

/** The facts about a session. They grow until the session ends. */
export interface SessionFacts {
  readonly open: SessionOpen
  /** The client's IP address, if PROXY_RECORD_ADDRESSES allows it. */
  readonly clientAddress?: string
  /** The configured host of the session's upstream. Without one, the preferred host. */
  readonly server: string
  /** The dial that opened the upstream connection. */
  readonly upstream?: Dial
  /** True if that connection was preconnected. */
  readonly preconnected: boolean
  /** The first dials for this session. */
  readonly dials: readonly Dial[]
  /** The number of dials, including those beyond `dials`. */
  readonly dialCount: number
  readonly tls?: { readonly protocol: string; readonly cipher: string }
  readonly tlsFailure?: Extract<SessionEvent, { type: 'tls-failed' }>
  readonly auth?: { readonly mechanism: string; readonly reply: ReplyFacts }
  readonly capabilities?: { readonly removed: readonly string[]; readonly added: readonly string[] }
  readonly opaque?: OpaqueReason
  /** True if the client sent bytes before it received the greeting. */
  readonly earlyTalker?: true
}

/** A finished message. */
export interface MessageRecord {
  readonly session: SessionFacts
  /** When MAIL was sent, or when the body began if there was no MAIL. */
  readonly at: number
  readonly end: TransactionEnd
  /** The stage of the message when a connection ended. */
  readonly stage?: 'envelope' | 'body' | 'final-reply'
  readonly sender?: string
  readonly recipients: readonly string[]
  readonly exchanges: readonly Exchange[]
  /** The number of commands that are not in `exchanges`. */
  readonly omitted: number
}

/** A finished session. */
export interface SessionRecord {
  readonly session: SessionFacts
  readonly close: Extract<SessionEvent, { type: 'session-close' }>
  /** The commands outside messages. `refusal` is one of them. */
  readonly exchanges: readonly Exchange[]
  readonly omitted: number
  /** The last command outside messages whose refusal kept the client from sending mail or ended the session. */
  readonly refusal?: Exchange
}
