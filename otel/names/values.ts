/**
 * The closed sets that attributes take their values from: the unions of proxy/events/events.ts as lists, which a reader of the
 * table can walk. A list that lacks a member of its union, or has one too many, does not compile.
 */
import type {
  AppTlsError,
  CloseReason,
  CommandName,
  DialError,
  DialPhase,
  OpaqueReason,
  RecipientVerdict,
  RefusedCut,
  ReplyCause,
  ReplyLoss,
  ReplyOrigin,
  TransactionError,
  TransactionOutcome,
} from '../../proxy/events/events.ts'

/** The words of a transaction error: all that is not a reply code. */
type TransactionErrorWord = Exclude<TransactionError, `${number}`>

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
] as const satisfies readonly CommandName[]

export const replyOrigins = ['upstream', 'proxy'] as const satisfies readonly ReplyOrigin[]

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
] as const satisfies readonly ReplyCause[]

export const replyLosses = ['incomplete', 'undelivered', 'after_fin'] as const satisfies readonly ReplyLoss[]

export const transactionOutcomes = [
  'accepted',
  'tempfail',
  'permfail',
  'aborted',
  'in_doubt',
] as const satisfies readonly TransactionOutcome[]

export const transactionErrors = [
  'upstream_lost',
  'final_reply_timeout',
  'drained',
  'idle_timeout',
  'unsubscribe_link',
] as const satisfies readonly TransactionErrorWord[]

export const recipientVerdicts = ['accepted', 'tempfail', 'permfail'] as const satisfies readonly RecipientVerdict[]

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
] as const satisfies readonly DialError[]

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
] as const satisfies readonly AppTlsError[]

export const dialPhases = [
  'resolve',
  'connect',
  'greeting',
  'starttls',
  'total',
] as const satisfies readonly DialPhase[]

export const opaqueReasons = [
  'reply_mismatch',
  'early_data_reply',
  'unknown_payload',
  'sasl_security_layer',
  'lmtp',
  'overflow',
  'observer_failure',
] as const satisfies readonly OpaqueReason[]

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
] as const satisfies readonly CloseReason[]

/**
 * Values of `error.type` of sessions that the proxy refused without a reply: the reason of their close says why. A refusal
 * with a reply has the reply's code.
 */
export const refusedSessions = [
  'not_allowed',
  'session_limit',
  'proxy_header',
] as const satisfies readonly CloseReason[]

export const refusedCuts = ['time', 'bytes', 'limit'] as const satisfies readonly RefusedCut[]

/** The kinds of telemetry. */
export const telemetrySignals = ['traces', 'metrics', 'logs'] as const

export type TelemetrySignal = (typeof telemetrySignals)[number]

/**
 * How telemetry is lost. queue_full: more came than was taken away. export_failed: the receiver did not take it.
 * rate_limited: held back on purpose, because too much of one kind came. stdout_full: nobody read the log.
 */
export const telemetryLosses = ['queue_full', 'export_failed', 'rate_limited', 'stdout_full'] as const

export type TelemetryLoss = (typeof telemetryLosses)[number]

/** Members of the unions in proxy/events/events.ts that a list above forgot. */
type Forgotten =
  | Exclude<CommandName, (typeof commands)[number]>
  | Exclude<ReplyOrigin, (typeof replyOrigins)[number]>
  | Exclude<ReplyCause, (typeof replyCauses)[number]>
  | Exclude<ReplyLoss, (typeof replyLosses)[number]>
  | Exclude<TransactionOutcome, (typeof transactionOutcomes)[number]>
  | Exclude<TransactionErrorWord, (typeof transactionErrors)[number]>
  | Exclude<RecipientVerdict, (typeof recipientVerdicts)[number]>
  | Exclude<DialError, (typeof dialErrors)[number]>
  | Exclude<AppTlsError, (typeof appTlsErrors)[number]>
  | Exclude<DialPhase, (typeof dialPhases)[number]>
  | Exclude<OpaqueReason, (typeof opaqueReasons)[number]>
  | Exclude<CloseReason, (typeof closeReasons)[number]>
  | Exclude<RefusedCut, (typeof refusedCuts)[number]>

/** Does not compile while a list above is incomplete; the error names the forgotten members. */
export const nothingForgotten: [Forgotten] extends [never] ? true : Forgotten = true
