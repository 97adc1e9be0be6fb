/**
 * Colours of label values. A value has the same colour on every dashboard. A new value of a closed set does not compile until
 * it has a colour here.
 */
import type { AttributesOf, appTlsErrors, dialErrors, lookupErrors, telemetryLosses } from '../../otel/names/names.ts'

type Replies = AttributesOf<'replies'>
type Outcome = AttributesOf<'transactions'>['smtp.transaction.outcome']
type Verdict = AttributesOf<'recipients'>['smtp.recipient.verdict']
type CloseReason = AttributesOf<'sessionDuration'>['smtp.session.close_reason']

/** For values that are not a problem. */
const NEUTRAL = '#8e8e8e'

/** `away` and `drained` are the last words of two more series of "Messages by outcome". */
export const outcomeColors = {
  accepted: 'green',
  tempfail: 'orange',
  permfail: 'red',
  in_doubt: 'purple',
  aborted: NEUTRAL,
  away: 'dark-orange',
  drained: NEUTRAL,
} as const satisfies Readonly<Record<Outcome | 'away' | 'drained', string>>

export const verdictColors = {
  accepted: 'green',
  tempfail: 'orange',
  permfail: 'red',
} as const satisfies Readonly<Record<Verdict, string>>

export const causeColors = {
  idle_timeout: NEUTRAL,
  draining: NEUTRAL,
  none: '#b0b0b0',
  load_shedding: 'orange',
  internal_error: 'red',
  connection_limit: 'yellow',
  shutting_down: 'light-blue',
  account_disabled: 'dark-red',
  domain_not_configured: 'dark-orange',
  invalid_credentials: 'dark-yellow',
  message_format: 'light-purple',
  message_too_big: 'purple',
  too_many_recipients: 'dark-purple',
  recipient_rejected: 'blue',
  partially_queued: 'dark-blue',
  unsubscribe_link: 'light-orange',
  upstream_unreachable: 'semi-dark-purple',
  upstream_lost: 'semi-dark-orange',
  session_limit: 'dark-green',
  not_allowed: 'light-green',
  local_resources_exhausted: 'semi-dark-red',
} as const satisfies Readonly<Record<Replies['smtp.reply.cause'], string>>

export const commandColors = {
  CONNECT: 'orange',
  AUTH: 'dark-yellow',
  MAIL: 'dark-red',
  RCPT: 'blue',
  DATA: 'light-purple',
  'END-OF-MESSAGE': 'purple',
  UNSOLICITED: 'red',
} as const satisfies Readonly<Partial<Record<Replies['smtp.command'], string>>>

export const closeColors = {
  quit: 'green',
  client_closed: 'dark-green',
  client_reset: 'yellow',
  idle: NEUTRAL,
  drained: NEUTRAL,
  upstream_421: 'orange',
  upstream_closed: 'red',
  upstream_reset: 'dark-red',
  dial_failed: 'purple',
  session_limit: 'dark-yellow',
  not_allowed: 'light-green',
  proxy_header: 'light-red',
  tls_failed: 'light-purple',
  error: 'dark-red',
} as const satisfies Readonly<Record<CloseReason, string>>

export const appTlsColors = {
  app_tls_certificate_rejected: 'red',
  app_tls_abandoned: 'light-red',
  app_tls_version: 'orange',
  app_tls_no_shared_cipher: 'dark-orange',
  app_tls_plaintext: 'purple',
  app_tls_on_plain_listener: 'light-purple',
  app_tls_alpn: 'blue',
  app_tls_timeout: 'yellow',
  app_tls_closed: NEUTRAL,
  app_tls_failed: 'dark-red',
} as const satisfies Readonly<Record<(typeof appTlsErrors)[number], string>>

export const dialColors = {
  greeting_refused: 'orange',
  greeting_timeout: 'dark-orange',
  resolve_failed: 'purple',
  connect_refused: 'red',
  connect_timeout: 'dark-red',
  connect_reset: 'light-red',
  starttls_not_offered: 'light-blue',
  starttls_refused: 'blue',
  starttls_injection: 'dark-blue',
  tls_untrusted: 'dark-purple',
  tls_failed: 'light-purple',
  local_resources_exhausted: 'yellow',
} as const satisfies Readonly<Record<(typeof dialErrors)[number], string>>

export const lookupColors = {
  name_not_found: 'purple',
  resolver_failed: 'red',
  resolver_timeout: 'orange',
} as const satisfies Readonly<Record<(typeof lookupErrors)[number], string>>

export const lossColors = {
  queue_full: 'orange',
  export_failed: 'red',
  stdout_full: 'dark-orange',
  rate_limited: NEUTRAL,
  observer: 'dark-red',
} as const satisfies Readonly<Record<(typeof telemetryLosses)[number] | 'observer', string>>
