/**
 * The attributes of messages, sessions and dials, and the spans that have them. The log lines about them (`log-lines.ts`)
 * have the same attributes. A span or a line has only those that apply: an accepted message has no `error.type`.
 */
import type { AttributeKey, DetailKey } from './attributes.ts'

/** The key of an attribute of spans and log lines. */
export type RecordKey = AttributeKey | DetailKey

const CLIENT = ['smtp.session.id', 'smtp.client.name', 'client.address'] as const satisfies readonly RecordKey[]
const UPSTREAM = ['server.address', 'server.port', 'network.peer.address'] as const satisfies readonly RecordKey[]
const REPLY = [
  'smtp.reply.code',
  'smtp.reply.enhanced_code',
  'smtp.reply.cause',
  'smtp.reply.origin',
  'smtp.message.ids',
] as const satisfies readonly RecordKey[]
/** The attributes of a message. */
export const MESSAGE = [
  ...CLIENT,
  ...UPSTREAM,
  'smtp.transaction.outcome',
  'error.type',
  'smtp.transaction.stage',
  'smtp.command',
  ...REPLY,
  'smtp.message.size',
  'smtp.message.recipient_count',
  'smtp.recipient.accepted',
  'smtp.recipient.tempfail',
  'smtp.recipient.permfail',
  'smtp.sender',
  'smtp.recipients',
  'ahasend.sandbox',
  'smtp.message.message_id',
] as const satisfies readonly RecordKey[]

/** The attributes of a session. */
export const SESSION = [
  ...CLIENT,
  ...UPSTREAM,
  'smtp.listener',
  'smtp.session.close_reason',
  'smtp.session.close_detail',
  'smtp.session.closed_by',
  'smtp.session.messages',
  'network.io.transmit',
  'network.io.receive',
  'error.type',
  'smtp.command',
  ...REPLY,
  'smtp.tls.detail',
  'tls.protocol.version',
  'tls.cipher',
  'smtp.auth.mechanism',
  'smtp.auth.code',
  'smtp.ehlo.removed',
  'smtp.ehlo.added',
  'smtp.opaque.reason',
  'smtp.session.early_talker',
  'smtp.dial.count',
  'smtp.dial.ahead',
] as const satisfies readonly RecordKey[]

/** The attributes of an attempt to connect to an upstream. */
export const DIAL = [
  ...UPSTREAM,
  'smtp.reply.code',
  'tls.protocol.version',
  'tls.cipher',
  'tls.resumed',
  'smtp.dial.answer_age',
] as const satisfies readonly RecordKey[]

/** More attributes of an attempt that failed. */
export const DIAL_FAILURE = ['error.type', 'smtp.dial.detail'] as const satisfies readonly RecordKey[]

/** A kind of span. */
export interface SpanDefinition {
  /** For people: the name, or what it is made from. */
  readonly name: string
  readonly kind: 'SERVER' | 'CLIENT' | 'INTERNAL'
  readonly parent: string
  readonly help: string
  readonly attributes: readonly RecordKey[]
}

/** The spans, the parents first. */
export const spanDefinitions = {
  transaction: {
    name: 'smtp.transaction',
    kind: 'SERVER',
    parent: 'the span that `traceparent` in the message names, or none',
    help: 'A message, from MAIL to its end. It links to its session.',
    attributes: [...MESSAGE, 'ahasend.tags', 'smtp.exchanges.omitted'],
  },
  session: {
    name: 'smtp.session',
    kind: 'SERVER',
    parent: 'none',
    help: 'A connection of an app, from its start to its end. It links to its messages, at most 128.',
    attributes: [...SESSION, 'smtp.exchanges.omitted'],
  },
  command: {
    name: 'the command',
    kind: 'CLIENT',
    parent: '`smtp.transaction`, or `smtp.session` for commands outside messages',
    help: 'A command and its reply, such as `RCPT`: at most 128 in a message, and 32 outside the messages of a session.',
    attributes: ['smtp.command', ...REPLY, 'smtp.recipient', 'error.type'],
  },
  dial: {
    name: 'smtp.dial',
    kind: 'CLIENT',
    parent: '`smtp.session`; none for a preconnection',
    help: 'An attempt to connect to an upstream.',
    attributes: [...DIAL, ...DIAL_FAILURE],
  },
  phase: {
    name: 'the phase',
    kind: 'INTERNAL',
    parent: '`smtp.dial`',
    help: 'A phase of the attempt: `resolve`, `connect`, `greeting` or `starttls`.',
    attributes: ['smtp.dial.phase'],
  },
} as const satisfies Readonly<Record<string, SpanDefinition>>
