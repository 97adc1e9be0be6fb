/** Part of the table of names.ts: the attributes of metrics, and what log lines and spans say besides. */
import { eventLoopStates } from './runtime.ts'
import {
  appTlsErrors,
  closeReasons,
  commands,
  dialErrors,
  dialPhases,
  opaqueReasons,
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

/** The values of `error.type` that are no reply code. */
const errorWords = [...transactionErrors, ...dialErrors, ...refusedSessions, ...appTlsErrors]

/** An attribute key: what it means, and either every value it may have or, in words, where its values come from. */
export type AttributeDefinition =
  | { readonly help: string; readonly values: readonly (string | boolean)[] }
  | { readonly help: string; readonly range: string }

/** The attributes of metrics. Each value is of a closed set or configured: nothing that a peer wrote is a label. */
export const attributes = {
  'smtp.command': {
    help: 'What a reply answers: CONNECT is the greeting, DATA the 354, END-OF-MESSAGE the reply to the last dot.',
    values: commands,
  },
  'smtp.reply.code': { help: 'The reply code.', range: 'an integer from 200 to 599; 0 for anything else' },
  'smtp.reply.cause': { help: 'Why a reply was given, as far as it can be told.', values: replyCauses },
  'smtp.reply.origin': { help: 'Who wrote a reply.', values: replyOrigins },
  'smtp.reply.loss': {
    help:
      'Why the client may lack a reply. incomplete: the upstream closed in the middle of the reply. undelivered: the client ' +
      'was gone. after_fin: the client had closed its sending side without QUIT before its message was accepted.',
    values: replyLosses,
  },
  'smtp.transaction.outcome': {
    help: 'How a mail ended. aborted: the client gave up. in_doubt: the last dot was sent, no answer came.',
    values: transactionOutcomes,
  },
  'error.type': {
    help: 'Why something failed; absent otherwise.',
    range: `the deciding reply code as text, ${errorWords.join(', ')}`,
  },
  'smtp.recipient.verdict': { help: 'What the upstream said of a recipient.', values: recipientVerdicts },
  'smtp.session.close_reason': { help: 'Why a session ended.', values: closeReasons },
  'smtp.refused.cut': {
    help: 'Why the proxy closed a refused connection. time: it was open too long. bytes: its client sent too much. limit: too many were open.',
    values: refusedCuts,
  },
  'smtp.opaque.reason': { help: 'Why the proxy no longer understands a session.', values: opaqueReasons },
  'smtp.dial.phase': { help: 'A part of the way to the upstream.', values: dialPhases },
  'smtp.client.name': { help: "The name of the client's network.", range: 'the names in PROXY_CLIENTS, and other' },
  'smtp.listener': { help: 'The listener, by its URL.', range: 'the URLs in PROXY_LISTEN' },
  'server.address': { help: 'The upstream.', range: 'the hosts in PROXY_UPSTREAM' },
  'tls.resumed': { help: 'Whether the TLS session was resumed.', values: [true, false] },
  'tls.side': { help: 'Whose certificate.', values: ['listener', 'upstream'] },
  'network.io.direction': {
    help: 'transmit: from client to upstream. receive: from upstream to client.',
    values: ['transmit', 'receive'],
  },
  'smtp.loop': {
    help: 'An event loop that relays mail.',
    range: 'an integer from 0 to 63, below PROXY_WORKERS',
  },
  'nodejs.eventloop.state': { help: 'Whether an event loop worked or waited.', values: eventLoopStates },
  'telemetry.signal': { help: 'A kind of telemetry.', values: telemetrySignals },
  'telemetry.loss': {
    help: 'How telemetry was lost. queue_full: more came than was taken away. export_failed: its receiver did not take it.',
    values: telemetryLosses,
  },
} as const satisfies Record<string, AttributeDefinition>

export type AttributeKey = keyof typeof attributes

/** What log lines and spans say besides: values without bound, so never the label of a metric. */
export const details = {
  'smtp.session.id': 'A random id of the session.',
  'smtp.session.closed_by': 'client, upstream or proxy.',
  'smtp.session.close_detail': 'What exactly happened; for proxy_header, what was wrong with the header.',
  'smtp.session.early_talker': 'True when the client sent bytes before it was greeted.',
  'smtp.session.messages': 'Mails whose MAIL was accepted in the session.',
  'smtp.reply.enhanced_code': 'The enhanced status code (RFC 3463).',
  'smtp.message.size': 'Octets of the mail on the wire.',
  'smtp.message.recipient_count': 'Recipients that the client named.',
  'smtp.message.ids': 'The ids that AhaSend returned in its final 250.',
  'smtp.message.message_id': "The mail's Message-ID. Only with PROXY_RECORD_ADDRESSES=full.",
  'smtp.sender': 'The envelope sender, or its domain. Only with PROXY_RECORD_ADDRESSES.',
  'smtp.recipient': 'The recipient that a RCPT named, or its domain. Only with PROXY_RECORD_ADDRESSES; spans only.',
  'smtp.recipients': 'The recipients, or their domains. Only with PROXY_RECORD_ADDRESSES.',
  'ahasend.sandbox': "True when the mail's header asked AhaSend to simulate the delivery.",
  'ahasend.tags': "The tags in the mail's header. Spans only.",
  'smtp.recipient.accepted': 'Recipients of the mail that were accepted.',
  'smtp.recipient.tempfail': 'Recipients of the mail that were refused for now.',
  'smtp.recipient.permfail': 'Recipients of the mail that were refused for good.',
  'smtp.transaction.stage': 'Where a mail was when a connection ended: envelope, body or final-reply.',
  'smtp.auth.mechanism': 'The SASL mechanism, or OTHER.',
  'smtp.auth.code': 'The code that answered AUTH.',
  'smtp.dial.detail': 'What Node, the resolver or OpenSSL calls the failure, such as CERT_HAS_EXPIRED.',
  'smtp.tls.detail': "OpenSSL's name of the error that kept an application out of TLS.",
  'smtp.dial.count': 'Attempts to reach an upstream.',
  'smtp.dial.ahead': 'True when the upstream connection had been dialled before the client came.',
  'smtp.ehlo.removed': 'Extensions that the proxy took out of the EHLO reply.',
  'smtp.ehlo.added': 'Extensions that the proxy put into the EHLO reply.',
  'smtp.exchanges.omitted': 'Commands that have no span of their own, because there were too many.',
  'server.port': "The upstream's port.",
  'network.peer.address': "The upstream's IP address.",
  'network.io.transmit': 'Octets relayed from client to upstream.',
  'network.io.receive': 'Octets relayed from upstream to client.',
  'tls.protocol.version': 'The TLS version.',
  'tls.cipher': 'The cipher suite.',
  'client.address': "The client's IP address. Only with PROXY_RECORD_ADDRESSES.",
  advice: 'What happened in words, and what to check or to raise. Log lines only.',
  duration_ms: 'Milliseconds from beginning to end. Log lines only: a span has its times.',
  trace_id: 'The trace that the mail or session belongs to. Log lines only, as OpenTelemetry names it in JSON.',
  span_id: 'The span of the mail or session; absent when none was kept.',
  trace_flags: '01 when the span was kept.',
} as const satisfies Record<string, string>

export type DetailKey = keyof typeof details

/**
 * Every span there is. The children of a mail are named after the command (`smtp.command`), those of a dial after its
 * phase (`smtp.dial.phase`).
 */
export const spans = {
  transaction: 'smtp.transaction',
  session: 'smtp.session',
  dial: 'smtp.dial',
} as const
