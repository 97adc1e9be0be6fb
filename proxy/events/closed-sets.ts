/**
 * The closed sets of values that events use. Telemetry labels use exactly these values, so a new member is a new label
 * value: document it with the label as well.
 */

/**
 * The command that a reply answers. `CONNECT` is the greeting, `DATA` the 354, `END-OF-MESSAGE` the reply to the final
 * dot.
 */
export const commands = [
  'CONNECT',
  'EHLO',
  'HELO',
  'STARTTLS',
  'AUTH',
  'MAIL',
  'RCPT',
  'DATA',
  'BDAT',
  'END-OF-MESSAGE',
  'RSET',
  'NOOP',
  'VRFY',
  'QUIT',
  'OTHER',
  'UNSOLICITED',
] as const

export type CommandName = (typeof commands)[number]

/** Who wrote a reply. */
export const replyOrigins = ['upstream', 'proxy'] as const

export type ReplyOrigin = (typeof replyOrigins)[number]

/** The cause of a reply, derived from its code, its command, the state of the session and known phrases. */
export const replyCauses = [
  'none',
  'idle_timeout',
  'load_shedding',
  'connection_limit',
  'shutting_down',
  'internal_error',
  'account_disabled',
  'invalid_credentials',
  'message_format',
  'message_too_big',
  'recipient_rejected',
  'domain_not_configured',
  'too_many_recipients',
  'partially_queued',
  'unsubscribe_link',
  'upstream_unreachable',
  'upstream_lost',
  'session_limit',
  'not_allowed',
  'draining',
  'local_resources_exhausted',
] as const

export type ReplyCause = (typeof replyCauses)[number]

/** Why a dial failed, and how far it got. A value, never thrown. */
export const dialErrors = [
  'resolve_failed',
  'connect_refused',
  'connect_timeout',
  'connect_reset',
  'greeting_timeout',
  'greeting_refused',
  'starttls_not_offered',
  'starttls_refused',
  'starttls_injection',
  'tls_untrusted',
  'tls_failed',
  'local_resources_exhausted',
] as const

export type DialError = (typeof dialErrors)[number]

/**
 * Why a lookup of an upstream's name found nothing. `name_not_found`: the resolver says that there is no such name.
 * `resolver_failed`: it reported another error. `resolver_timeout`: it took longer than two seconds, and may answer later.
 */
export const lookupErrors = ['name_not_found', 'resolver_failed', 'resolver_timeout'] as const

export type LookupError = (typeof lookupErrors)[number]

/**
 * How the wait of a preconnected connection ended. `used`: a session got it. `expired`: it waited too long, or the proxy
 * stopped. `lost`: the upstream closed it or sent something on it.
 */
export const preconnectionEnds = ['used', 'expired', 'lost'] as const

export type PreconnectionEnd = (typeof preconnectionEnds)[number]

/**
 * Why an app did not enter TLS. A value, never thrown.
 *
 * - `app_tls_certificate_rejected`: it answered the proxy's certificate with an alert.
 * - `app_tls_abandoned`: it closed the connection after it had received the certificate, without an alert. Node.js does
 *   this when it does not trust the certificate.
 * - `app_tls_version`: it offers only TLS 1.1 or older.
 * - `app_tls_no_shared_cipher`: it has no cipher suite, key exchange group or signature algorithm in common with the proxy.
 * - `app_tls_plaintext`: it sent plain text instead of TLS.
 * - `app_tls_alpn`: it requires an application protocol that is not SMTP.
 * - `app_tls_timeout`: it sent nothing, or not all of its handshake.
 * - `app_tls_closed`: it closed or reset the connection before it had received the certificate.
 * - `app_tls_on_plain_listener`: it began TLS, without STARTTLS, on an smtp:// listener.
 * - `app_tls_failed`: any other error; the detail names it.
 */
export const appTlsErrors = [
  'app_tls_certificate_rejected',
  'app_tls_abandoned',
  'app_tls_version',
  'app_tls_no_shared_cipher',
  'app_tls_plaintext',
  'app_tls_alpn',
  'app_tls_timeout',
  'app_tls_closed',
  'app_tls_on_plain_listener',
  'app_tls_failed',
] as const

export type AppTlsError = (typeof appTlsErrors)[number]

/** The phases of a dial, in order. `total` lasts from the start until the connection is ready or has failed. */
export const dialPhases = ['resolve', 'connect', 'greeting', 'starttls', 'total'] as const

export type DialPhase = (typeof dialPhases)[number]

export const transactionOutcomes = ['accepted', 'tempfail', 'permfail', 'aborted', 'in_doubt'] as const

export type TransactionOutcome = (typeof transactionOutcomes)[number]

/**
 * Why no reply of the upstream decided a transaction. `drained`: the proxy stopped, and refused the MAIL or cut the
 * message at the drain timeout. `unsubscribe_link`: a 451 that concerns the message and not AhaSend as a whole.
 */
export const transactionErrors = [
  'upstream_lost',
  'final_reply_timeout',
  'drained',
  'idle_timeout',
  'unsubscribe_link',
] as const

/** The deciding reply's code as text, or why no reply of the upstream decided. */
export type TransactionError = `${number}` | (typeof transactionErrors)[number]

export const recipientVerdicts = ['accepted', 'tempfail', 'permfail'] as const

export type RecipientVerdict = (typeof recipientVerdicts)[number]

/** Why the proxy no longer parses a session that it still relays. */
export const opaqueReasons = [
  'reply_mismatch',
  'early_data_reply',
  'unknown_payload',
  'sasl_security_layer',
  'lmtp',
  'overflow',
  'observer_failure',
] as const

export type OpaqueReason = (typeof opaqueReasons)[number]

/**
 * Why the client did not get a reply. `incomplete`: the upstream closed in the middle of the reply, so it was dropped.
 * `undelivered`: the reply was complete, but the client connection was closed. `after_fin`: the reply accepts a message,
 * and was written to a client that had closed its sending side without QUIT; most such clients no longer read.
 */
export const replyLosses = ['incomplete', 'undelivered', 'after_fin'] as const

export type ReplyLoss = (typeof replyLosses)[number]

export const closeReasons = [
  'quit',
  'client_closed',
  'client_reset',
  'upstream_closed',
  'upstream_reset',
  'upstream_421',
  'idle',
  'drained',
  'dial_failed',
  'not_allowed',
  'session_limit',
  'proxy_header',
  'tls_failed',
  'error',
] as const

export type CloseReason = (typeof closeReasons)[number]

/**
 * Why the proxy closed a refused connection before the client closed it. `time`: it was open too long. `bytes`: the client
 * sent too much. `limit`: too many refused connections were open.
 */
export const refusedCuts = ['time', 'bytes', 'limit'] as const

export type RefusedCut = (typeof refusedCuts)[number]

/**
 * Why the PROXY protocol header of a connection from PROXY_TRUST_PROXY_PROTOCOL was refused. `timeout`: it did not arrive
 * in time. `incomplete`: the connection was closed in the middle of it. `no_header`: the first bytes are not a header.
 * The other values: see ProxyHeaderError in proxy-protocol.ts.
 */
export const proxyHeaderFaults = [
  'timeout',
  'incomplete',
  'no_header',
  'header_too_long',
  'malformed',
  'unsupported',
  'bad_checksum',
] as const

export type ProxyHeaderFault = (typeof proxyHeaderFaults)[number]

/**
 * The values of `error.type` for sessions that the proxy refused without a reply: the reason of their close. For a refusal
 * with a reply, the value is the reply's code.
 */
export const refusedSessions = [
  'not_allowed',
  'session_limit',
  'proxy_header',
] as const satisfies readonly CloseReason[]
