/** What spans and log lines say of a mail, a session, a dial, in the words of the table. Both say the same. */
import type { Dial } from '../../proxy/events/dial.ts'
import type { ReplyFacts } from '../../proxy/events/reply.ts'
import type { RecipientCounts } from '../../proxy/events/transaction.ts'
import type { AttributeKey, DetailKey } from '../names/names.ts'
import type { Exchange, MailRecord, SessionFacts, SessionRecord } from './records.ts'

/** Attributes of a span, or the members of a log line: the keys are those of the table. */
export type Attributes = { [Key in AttributeKey | DetailKey]?: string | number | boolean | string[] }

/** Of a mail that is over. */
export function mailAttributes({ session, end, ...mail }: MailRecord): Attributes {
  return {
    ...who(session),
    ...upstream(session),
    'smtp.transaction.outcome': end.outcome,
    ...(end.error && { 'error.type': end.error }),
    ...(mail.stage && { 'smtp.transaction.stage': mail.stage }),
    ...(end.command && { 'smtp.command': end.command }),
    ...(end.reply && replyAttributes(end.reply)),
    ...(end.hasBody && { 'smtp.message.size': end.size }),
    ...recipientCounts(end.recipients),
    ...(mail.sender !== undefined && { 'smtp.sender': mail.sender }),
    ...(mail.recipients.length > 0 && { 'smtp.recipients': [...mail.recipients] }),
    ...(end.headers?.sandbox && { 'ahasend.sandbox': true }),
    ...(end.headers?.messageId !== undefined && { 'smtp.message.message_id': end.headers.messageId }),
  }
}

/** Of a session that is over. */
export function sessionAttributes({ session, close, refusal }: SessionRecord): Attributes {
  const { open, tls, tlsFailure, auth, capabilities, opaque, earlyTalker } = session
  return {
    ...who(session),
    ...upstream(session),
    'smtp.listener': open.listener,
    'smtp.session.close_reason': close.reason,
    ...(close.detail && { 'smtp.session.close_detail': close.detail }),
    'smtp.session.closed_by': close.by,
    'smtp.session.messages': close.messages,
    'network.io.transmit': close.transmit,
    'network.io.receive': close.receive,
    ...(refusal?.reply && { 'smtp.command': refusal.command, ...replyAttributes(refusal.reply) }),
    ...(tlsFailure && { 'error.type': tlsFailure.error }),
    ...(tlsFailure?.detail && { 'smtp.tls.detail': tlsFailure.detail }),
    ...(tls && { 'tls.protocol.version': tls.protocol, 'tls.cipher': tls.cipher }),
    ...(auth && { 'smtp.auth.mechanism': auth.mechanism, 'smtp.auth.code': auth.reply.code }),
    ...(capabilities && { 'smtp.ehlo.removed': [...capabilities.removed], 'smtp.ehlo.added': [...capabilities.added] }),
    ...(opaque && { 'smtp.opaque.reason': opaque }),
    ...(earlyTalker && { 'smtp.session.early_talker': true }),
    ...(session.dialCount > 0 && { 'smtp.dial.count': session.dialCount }),
    ...(session.dialledAhead && { 'smtp.dial.ahead': true }),
  }
}

/** Of an attempt to reach an upstream; TLS is that of the upstream's leg. */
export function dialAttributes(dial: Dial): Attributes {
  return {
    'server.address': dial.serverAddress,
    'server.port': dial.serverPort,
    ...(dial.peerAddress && { 'network.peer.address': dial.peerAddress }),
    ...(dial.error && { 'error.type': dial.error }),
    ...(dial.detail && { 'smtp.dial.detail': dial.detail }),
    ...(dial.replyCode && { 'smtp.reply.code': dial.replyCode }),
    ...(dial.tlsProtocol && { 'tls.protocol.version': dial.tlsProtocol }),
    ...(dial.tlsCipher && { 'tls.cipher': dial.tlsCipher }),
    'tls.resumed': dial.resumed,
  }
}

/** Of one command. */
export function exchangeAttributes({ command, reply, recipient }: Exchange): Attributes {
  return {
    'smtp.command': command,
    ...(reply && replyAttributes(reply)),
    ...(recipient !== undefined && { 'smtp.recipient': recipient }),
  }
}

function who({ open, clientAddress }: SessionFacts): Attributes {
  return {
    'smtp.session.id': open.sessionId,
    'smtp.client.name': open.clientName,
    ...(clientAddress !== undefined && { 'client.address': clientAddress }),
  }
}

function upstream({ server, upstream }: SessionFacts): Attributes {
  return {
    'server.address': server,
    ...(upstream && { 'server.port': upstream.serverPort }),
    ...(upstream?.peerAddress && { 'network.peer.address': upstream.peerAddress }),
  }
}

function replyAttributes(reply: ReplyFacts): Attributes {
  return {
    'smtp.reply.code': reply.code,
    ...(reply.enhancedCode && { 'smtp.reply.enhanced_code': reply.enhancedCode }),
    'smtp.reply.cause': reply.cause,
    'smtp.reply.origin': reply.origin,
    ...(reply.ids && { 'smtp.message.ids': [...reply.ids] }),
  }
}

function recipientCounts({ accepted, tempfail, permfail }: RecipientCounts): Attributes {
  return {
    'smtp.message.recipient_count': accepted + tempfail + permfail,
    'smtp.recipient.accepted': accepted,
    'smtp.recipient.tempfail': tempfail,
    'smtp.recipient.permfail': permfail,
  }
}
