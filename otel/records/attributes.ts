/** The attributes of messages, sessions and dials. Spans and log lines have the same attributes. */
import type { Dial } from '../../proxy/events/dial.ts'
import type { ReplyFacts } from '../../proxy/events/reply.ts'
import type { RecipientCounts } from '../../proxy/events/transaction.ts'
import type { AttributeKey, DetailKey } from '../names/names.ts'
import type { Exchange, MessageRecord, SessionFacts, SessionRecord } from './records.ts'

/** The attributes of a span, or the fields of a log line. The keys are those of the table. */
export type Attributes = { [Key in AttributeKey | DetailKey]?: string | number | boolean | string[] }

/** The attributes of a finished message. */
export function messageAttributes({ session, end, ...message }: MessageRecord): Attributes {
  return {
    ...clientAttributes(session),
    ...upstreamAttributes(session),
    'smtp.transaction.outcome': end.outcome,
    ...(end.error && { 'error.type': end.error }),
    ...(message.stage && { 'smtp.transaction.stage': message.stage }),
    ...(end.command && { 'smtp.command': end.command }),
    ...(end.reply && replyAttributes(end.reply)),
    ...(end.hasBody && { 'smtp.message.size': end.size }),
    ...recipientCounts(end.recipients),
    ...(message.sender !== undefined && { 'smtp.sender': message.sender }),
    ...(message.recipients.length > 0 && { 'smtp.recipients': [...message.recipients] }),
    ...(end.headers?.sandbox && { 'ahasend.sandbox': true }),
    ...(end.headers?.messageId !== undefined && { 'smtp.message.message_id': end.headers.messageId }),
  }
}

/** The attributes of a finished session. */
export function sessionAttributes({ session, close, refusal }: SessionRecord): Attributes {
  const { open, tls, tlsFailure, auth, capabilities, opaque, earlyTalker } = session
  return {
    ...clientAttributes(session),
    ...upstreamAttributes(session),
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
    ...(session.preconnected && { 'smtp.dial.ahead': true }),
  }
}

/** The attributes of an attempt to connect to an upstream. The TLS attributes are those of the upstream connection. */
export function dialAttributes(dial: Dial): Attributes {
  return {
    'server.address': dial.serverAddress,
    'server.port': dial.serverPort,
    ...(dial.peerAddress && { 'network.peer.address': dial.peerAddress }),
    ...(dial.error && { 'error.type': dial.error }),
    ...(dial.detail && { 'smtp.dial.detail': dial.detail }),
    ...(dial.answerAgeMs !== undefined && { 'smtp.dial.answer_age': Math.round(dial.answerAgeMs / 1000) }),
    ...(dial.replyCode && { 'smtp.reply.code': dial.replyCode }),
    ...(dial.tlsProtocol && { 'tls.protocol.version': dial.tlsProtocol }),
    ...(dial.tlsCipher && { 'tls.cipher': dial.tlsCipher }),
    'tls.resumed': dial.resumed,
  }
}

/** The attributes of one command. */
export function exchangeAttributes({ command, reply, recipient }: Exchange): Attributes {
  return {
    'smtp.command': command,
    ...(reply && replyAttributes(reply)),
    ...(recipient !== undefined && { 'smtp.recipient': recipient }),
  }
}

function clientAttributes({ open, clientAddress }: SessionFacts): Attributes {
  return {
    'smtp.session.id': open.sessionId,
    'smtp.client.name': open.clientName,
    ...(clientAddress !== undefined && { 'client.address': clientAddress }),
  }
}

function upstreamAttributes({ server, upstream }: SessionFacts): Attributes {
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
