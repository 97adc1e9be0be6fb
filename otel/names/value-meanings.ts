/**
 * What each value of an attribute means, for the reference in docs/telemetry.md. The compiler demands a sentence for every
 * value of a closed set. Values of `smtp.reply.cause`: `meanings.ts`.
 */
import type { DialError, LookupError } from '../../proxy/events/closed-sets.ts'
import { dialExplanations, lookupExplanations } from '../../proxy/events/dial-explanations.ts'
import type { AttributeKey, attributes } from './attributes.ts'
import type { RuntimeAttributeKey, runtimeAttributes } from './runtime.ts'
import type { ProbeError, proxyHeaderFaults, refusedSessions, transactionErrors } from './values.ts'

type Definitions = typeof attributes & typeof runtimeAttributes

/** The values of an attribute, as text; never if they are not a closed set. */
type ValuesOf<Key extends AttributeKey | RuntimeAttributeKey> = Definitions[Key] extends {
  readonly values: readonly (infer Value extends string | boolean)[]
}
  ? `${Value}`
  : never

/** The attributes whose values are a closed set and are explained here. */
type ExplainedKey = {
  [Key in keyof Definitions]: [ValuesOf<Key>] extends [never] ? never : Key
}[keyof Definitions]

type Explanations = {
  readonly [Key in Exclude<ExplainedKey, 'smtp.reply.cause'>]: Readonly<Record<ValuesOf<Key>, string>>
}

/** A sentence for each value. */
export const valueMeanings: Explanations = {
  'smtp.command': {
    CONNECT: 'The connection of the app: its reply is the greeting.',
    EHLO: 'The app identifies itself and asks for the extensions of the server.',
    HELO: 'The older form of EHLO, without extensions.',
    STARTTLS: 'The app begins TLS.',
    AUTH: 'A login. Each step of the exchange has a reply of its own: 334, then 235 or a refusal.',
    MAIL: 'The start of a message, with its sender.',
    RCPT: 'A recipient of the message.',
    DATA: 'The request to send the body: its reply is the 354.',
    BDAT: 'A chunk of the body (CHUNKING). The reply to the last chunk is the final reply.',
    'END-OF-MESSAGE': 'The dot that ends the body: its reply is the final reply.',
    RSET: 'The app abandons the message.',
    NOOP: 'A command without effect, for example to keep the connection open.',
    VRFY: 'A request to verify an address.',
    QUIT: 'The end of the session.',
    OTHER: 'Any other command, or a reply in a session that the proxy cannot follow.',
    UNSOLICITED: 'No command: the server sent a reply on its own, for example the 421 after 60 s without data.',
  },
  'smtp.reply.origin': {
    upstream: 'AhaSend sent the reply.',
    proxy: 'The proxy sent the reply itself.',
  },
  'smtp.reply.loss': {
    incomplete: 'The upstream closed the connection in the middle of the reply.',
    undelivered: 'The reply was complete, but the client had disconnected.',
    after_fin:
      'The reply accepts a message, but the client had closed its sending side without QUIT. Most such clients no longer ' +
      'read.',
  },
  'smtp.transaction.outcome': {
    accepted: 'AhaSend accepted the message.',
    tempfail: 'A 4xx refused the message, or the connection ended before its final dot. The app can send it again.',
    permfail: 'A 5xx refused the message. Sending it again unchanged does not help.',
    aborted: 'The client gave up before the end of the message.',
    in_doubt: 'The whole message was sent, but no final reply came. AhaSend may have accepted it.',
  },
  'smtp.recipient.verdict': {
    accepted: 'A 2xx to RCPT.',
    tempfail: 'A 4xx to RCPT.',
    permfail: 'A 5xx to RCPT.',
  },
  'smtp.session.close_reason': {
    quit: 'The client sent QUIT.',
    client_closed: 'The client closed the connection without QUIT.',
    client_reset: 'The client reset the connection.',
    upstream_closed: 'AhaSend closed the connection without a 421.',
    upstream_reset: 'AhaSend, or a device on the network path, reset the connection.',
    upstream_421: 'AhaSend ended the session with 421.',
    idle: 'No data moved for PROXY_IDLE_TIMEOUT, or the final reply did not come in time.',
    drained: 'The proxy was stopped.',
    dial_failed: 'No upstream could be reached.',
    not_allowed: "The client's address is not in PROXY_ALLOW.",
    session_limit: 'PROXY_MAX_SESSIONS or PROXY_MAX_SESSIONS_PER_CLIENT was reached.',
    proxy_header: 'A connection from PROXY_TRUST_PROXY_PROTOCOL did not begin with a valid PROXY header.',
    tls_failed: 'The app failed to establish TLS with the proxy.',
    error: 'The client or AhaSend broke the protocol, for example with an HTTP request or an endless reply.',
  },
  'smtp.refused.cut': {
    time: 'The connection was open for 1 s.',
    bytes: 'The client sent more than 64 KiB.',
    limit: 'More than 256 refused connections were open.',
  },
  'smtp.preconnection.end': {
    used: 'A session got the connection.',
    expired: 'The proxy closed it unused, because it had waited too long or the proxy stopped.',
    lost: 'AhaSend closed it, or sent something on it.',
  },
  'smtp.probe.step': {
    connect: 'Resolving the name of the proxy, and connecting by TCP.',
    tls: 'The TLS handshake with an `smtps://` listener.',
    greeting: "Waiting for the greeting, which is AhaSend's own.",
    ehlo: 'EHLO, including the second one after STARTTLS.',
    starttls: 'STARTTLS and the TLS handshake with the proxy.',
    auth: 'The login.',
    mail: 'MAIL.',
    rcpt: 'RCPT.',
    rset: 'RSET, which abandons the message.',
    quit: 'QUIT.',
  },
  'smtp.opaque.reason': {
    reply_mismatch: 'AhaSend sent more replies than commands.',
    early_data_reply: 'AhaSend accepted a message before its end.',
    unknown_payload: 'An unknown command was followed by bytes that may not be commands.',
    sasl_security_layer: 'The login added a security layer, so the bytes after it are encrypted.',
    lmtp: 'The client speaks LMTP, where each recipient has a final reply.',
    overflow: 'The session exceeded the memory that the parser may use.',
    observer_failure: 'The telemetry code failed.',
  },
  'smtp.dial.phase': {
    resolve: 'Resolving the name.',
    connect: 'Connecting by TCP.',
    greeting: 'Waiting for the greeting.',
    starttls: 'EHLO, STARTTLS and the TLS handshake.',
    total: 'From the start until the connection is ready or has failed.',
  },
  'tls.resumed': {
    true: 'An earlier TLS session was resumed, which saves a part of the handshake.',
    false: 'A full handshake, or no TLS.',
  },
  'tls.side': {
    listener: "The certificate of the proxy's listeners.",
    upstream: 'The certificate that AhaSend presents.',
  },
  'network.io.direction': {
    transmit: 'From client to upstream.',
    receive: 'From upstream to client.',
  },
  'nodejs.eventloop.state': {
    active: 'The event loop was busy.',
    idle: 'The event loop waited for events.',
  },
  'telemetry.signal': {
    traces: 'Spans.',
    metrics: 'Data points.',
    logs: 'Log lines.',
  },
  'telemetry.loss': {
    queue_full: 'The queue was full, because the proxy produced more than it could export.',
    export_failed: 'The OTLP receiver did not accept the telemetry.',
    rate_limited: 'The proxy limits how much of one kind it produces per second.',
    stdout_full: 'Standard output was not read fast enough.',
  },
  'v8js.gc.type': {
    major: 'A collection of the whole heap.',
    minor: 'A collection of young objects.',
    incremental: 'A step of a major collection.',
    weakcb: 'Callbacks of weak references.',
  },
  'cpu.mode': {
    user: 'The program.',
    system: 'The kernel on behalf of the program.',
  },
}

type ErrorName =
  | DialError
  | LookupError
  | ProbeError
  | (typeof transactionErrors)[number]
  | (typeof refusedSessions)[number]

/** A sentence for each value of `error.type`, except reply codes and the TLS failures of apps (`otel/metrics/app-tls.ts`). */
export const errorMeanings: Readonly<Record<ErrorName, string>> = {
  ...dialExplanations,
  ...lookupExplanations,
  upstream_lost: 'The connection to AhaSend broke before a reply came.',
  final_reply_timeout: 'AhaSend did not confirm the message in time.',
  drained: 'The proxy stopped: it refused the message, or cut it at PROXY_DRAIN_TIMEOUT.',
  idle_timeout: 'The client stopped in the middle of the message.',
  unsubscribe_link: 'AhaSend could not create the unsubscribe link of the message.',
  timeout: 'Only the probe: the step did not finish within PROBE_TIMEOUT.',
  closed: 'Only the probe: the proxy closed the connection.',
  reply_too_long: 'Only the probe: the reply is longer than 64 KiB.',
  auth_not_offered: 'Only the probe: the proxy offers neither AUTH PLAIN nor AUTH LOGIN.',
  not_allowed: "The client's address is not in PROXY_ALLOW, and it got no reply.",
  session_limit: 'A session limit was reached, and the client got no reply.',
  proxy_header: 'A connection from PROXY_TRUST_PROXY_PROTOCOL did not begin with a valid PROXY header.',
}

/** A sentence for each value of `smtp.session.close_detail`. */
export const closeDetailMeanings: Readonly<Record<(typeof proxyHeaderFaults)[number], string>> = {
  timeout: 'No header arrived within 5 s.',
  incomplete: 'The connection ended in the middle of the header.',
  no_header: 'The connection does not begin with a header.',
  header_too_long: 'The header is too long.',
  malformed: 'The header is malformed.',
  unsupported: 'The header has a version, a command or an address family that the proxy does not support.',
  bad_checksum: 'The checksum of the header is wrong.',
}
