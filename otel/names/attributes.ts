/** Part of the table in names.ts: the attributes of metrics, those of log lines and spans only, and the names of spans. */
import {
  appTlsErrors,
  closeReasons,
  commands,
  dialErrors,
  dialPhases,
  eventLoopStates,
  lookupErrors,
  opaqueReasons,
  preconnectionEnds,
  probeErrors,
  probeSteps,
  recipientVerdicts,
  refusedCuts,
  refusedSessions,
  replyCauses,
  replyLosses,
  replyOrigins,
  telemetryLosses,
  telemetrySignals,
  transactionErrors,
  transactionOutcomes,
} from './values.ts'

/** The values of `error.type` other than reply codes. What each one means: `value-meanings.ts`. */
export const errorNames = [
  ...new Set([
    ...transactionErrors,
    ...dialErrors,
    ...refusedSessions,
    ...appTlsErrors,
    ...lookupErrors,
    ...probeErrors,
  ]),
]

/** The meaning of an attribute, and either all its values or a description of their range. */
export type AttributeDefinition =
  | { readonly help: string; readonly values: readonly (string | boolean)[] }
  | { readonly help: string; readonly range: string }

/**
 * The attributes of metrics. Values come from a closed set or from the configuration, never from a peer. What each value
 * means: `value-meanings.ts`.
 */
export const attributes = {
  'smtp.command': {
    help: 'The command that a reply answers.',
    values: commands,
  },
  'smtp.reply.code': { help: 'The reply code.', range: 'an integer from 200 to 599; 0 for anything else' },
  'smtp.reply.cause': { help: 'Why a reply was sent, as far as the proxy can determine it.', values: replyCauses },
  'smtp.reply.origin': { help: 'Who sent a reply.', values: replyOrigins },
  'smtp.reply.loss': {
    help: 'Why the client may not have received a reply.',
    values: replyLosses,
  },
  'smtp.transaction.outcome': {
    help: 'How a message ended.',
    values: transactionOutcomes,
  },
  'error.type': {
    help: 'Why something failed. Absent on success.',
    range: `the deciding reply code as text, ${errorNames.join(', ')}`,
  },
  'smtp.recipient.verdict': { help: 'How the upstream answered a recipient.', values: recipientVerdicts },
  'smtp.session.close_reason': { help: 'Why a session ended.', values: closeReasons },
  'smtp.refused.cut': {
    help: 'Why the proxy closed a refused connection before its client did.',
    values: refusedCuts,
  },
  'smtp.opaque.reason': { help: 'Why the proxy could no longer follow a session.', values: opaqueReasons },
  'smtp.dial.phase': { help: 'A phase of an attempt to connect to an upstream.', values: dialPhases },
  'smtp.preconnection.end': {
    help: 'How the wait of a preconnected connection ended.',
    values: preconnectionEnds,
  },
  'smtp.client.name': {
    help: "The configured name of the client's network or of its listener.",
    range: 'the names in PROXY_CLIENTS and of listeners in PROXY_LISTEN, and `other`. `probe` is the name of the probe',
  },
  'smtp.probe.step': {
    help: 'A step of the probe.',
    values: probeSteps,
  },
  'smtp.listener': { help: 'The URL of the listener.', range: 'the URLs in PROXY_LISTEN' },
  'server.address': { help: 'The host of the upstream.', range: 'the hosts in PROXY_UPSTREAM' },
  'tls.resumed': { help: 'Whether the dial resumed a TLS session.', values: [true, false] },
  'tls.side': { help: 'Whose certificate it is.', values: ['listener', 'upstream'] },
  'network.io.direction': {
    help: 'The direction of bytes.',
    values: ['transmit', 'receive'],
  },
  'smtp.loop': {
    help: 'The number of an event loop that relays mail.',
    range: 'an integer from 0 to PROXY_WORKERS - 1',
  },
  'nodejs.eventloop.state': { help: 'Whether an event loop was busy or waited for events.', values: eventLoopStates },
  'telemetry.signal': { help: 'The kind of telemetry.', values: telemetrySignals },
  'telemetry.loss': {
    help: 'Why telemetry was lost.',
    values: telemetryLosses,
  },
} as const satisfies Record<string, AttributeDefinition>

/** The key of an attribute of metrics. */
export type AttributeKey = keyof typeof attributes

/** More attributes of log lines and spans. Their values are unbounded, so they are never labels of metrics. */
export const details = {
  'smtp.session.id': 'A random id of the session.',
  'smtp.session.closed_by': 'Who closed the session: client, upstream or proxy.',
  'smtp.session.close_detail': 'More about the close reason. For proxy_header: what was wrong with the header.',
  'smtp.session.early_talker': 'True if the client sent bytes before it received the greeting.',
  'smtp.session.messages': 'Number of messages in the session whose MAIL was accepted.',
  'smtp.reply.enhanced_code': 'The enhanced status code (RFC 3463).',
  'smtp.message.size': 'Size of the message on the wire, in bytes.',
  'smtp.message.recipient_count': 'Number of recipients that the upstream answered.',
  'smtp.message.ids': 'The ids that AhaSend returned in its final 250.',
  'smtp.message.message_id': "The message's Message-ID. Only with PROXY_RECORD_ADDRESSES=full.",
  'smtp.sender': 'The envelope sender, or its domain. Only with PROXY_RECORD_ADDRESSES.',
  'smtp.recipient': 'The recipient of a RCPT, or its domain. Only with PROXY_RECORD_ADDRESSES. Spans only.',
  'smtp.recipients': 'The recipients, or their domains. Only with PROXY_RECORD_ADDRESSES.',
  'ahasend.sandbox': "True if the message's header asked AhaSend to simulate the delivery.",
  'ahasend.tags': "The tags in the message's header. Spans only.",
  'smtp.recipient.accepted': 'Number of accepted recipients.',
  'smtp.recipient.tempfail': 'Number of temporarily refused recipients.',
  'smtp.recipient.permfail': 'Number of permanently refused recipients.',
  'smtp.transaction.stage': 'The stage of the message when a connection ended: envelope, body or final-reply.',
  'smtp.auth.mechanism': 'The SASL mechanism, or OTHER.',
  'smtp.auth.code': 'The code of the reply to AUTH.',
  'smtp.dial.detail': 'The name that Node, the resolver or OpenSSL gives to the failure, such as CERT_HAS_EXPIRED.',
  'smtp.dial.answer_age':
    "Age of the resolver's last good answer, in seconds. Only while lookups of the upstream's name fail.",
  'smtp.tls.detail': 'The name that OpenSSL gives to the failure of the TLS handshake with the app.',
  'smtp.dial.count': 'Number of attempts to connect to an upstream.',
  'smtp.dial.ahead': 'True if the proxy had preconnected the upstream connection.',
  'smtp.ehlo.removed': 'Extensions that the proxy removed from the EHLO reply.',
  'smtp.ehlo.added': 'Extensions that the proxy added to the EHLO reply.',
  'smtp.exchanges.omitted': 'Number of commands without a span of their own, because there were too many.',
  'server.port': "The upstream's port.",
  'network.peer.address': "The upstream's IP address.",
  'network.io.transmit': 'Bytes relayed from client to upstream.',
  'network.io.receive': 'Bytes relayed from upstream to client.',
  'tls.protocol.version': 'The TLS version.',
  'tls.cipher': 'The cipher suite.',
  'client.address': "The client's IP address. Only with PROXY_RECORD_ADDRESSES.",
  advice: 'What happened, and what to check or to raise. Log lines only.',
  duration_ms: 'Duration in milliseconds. Log lines only: spans have start and end times.',
  trace_id: 'The trace of the message or session. Log lines only. The name is that of OpenTelemetry for JSON.',
  span_id: 'The span of the message or session. Absent if the span was not kept. Log lines only.',
  trace_flags: '01 if the span was kept, otherwise 00. Log lines only.',
} as const satisfies Record<string, string>

/** The key of an attribute of log lines and spans only. */
export type DetailKey = keyof typeof details

/**
 * The names of spans. The children of a transaction are named after the command (`smtp.command`), those of a dial after the
 * phase (`smtp.dial.phase`).
 */
export const spans = {
  transaction: 'smtp.transaction',
  session: 'smtp.session',
  dial: 'smtp.dial',
} as const
