/**
 * The vocabulary of an observed SMTP session: plain data, no sockets, no handles. It follows the report events of
 * OpenSMTPD (smtpd-filters(7)): a report informs and never decides. From these events alone a listener can rebuild
 * what happened in the session.
 *
 * Nothing that a client or an upstream wrote is in here, except values from closed sets, counts, the hexadecimal
 * message ids of a 250, the header fields in `MessageHeaders` and, only where PROXY_RECORD_ADDRESSES asks for them,
 * addresses: secrets end in the parser.
 *
 * Every `at` and `end` is in milliseconds since the Unix epoch, taken from the monotonic clock, with fractions.
 */

/** What a reply answers. `CONNECT` is the greeting, `DATA` the 354, `END-OF-MESSAGE` the reply to the final dot. */
export type CommandName =
  | 'CONNECT'
  | 'EHLO'
  | 'HELO'
  | 'STARTTLS'
  | 'AUTH'
  | 'MAIL'
  | 'RCPT'
  | 'DATA'
  | 'BDAT'
  | 'END-OF-MESSAGE'
  | 'RSET'
  | 'NOOP'
  | 'VRFY'
  | 'QUIT'
  | 'OTHER'
  | 'UNSOLICITED'

/** Who wrote a reply. */
export type ReplyOrigin = 'upstream' | 'proxy'

/** Why a reply was given, as far as code, command, moment and known phrases tell. */
export type ReplyCause =
  | 'none'
  | 'idle_timeout'
  | 'load_shedding'
  | 'connection_limit'
  | 'shutting_down'
  | 'internal_error'
  | 'account_disabled'
  | 'invalid_credentials'
  | 'message_format'
  | 'message_too_big'
  | 'recipient_rejected'
  | 'domain_not_configured'
  | 'too_many_recipients'
  | 'partially_queued'
  | 'unsubscribe_link'
  | 'upstream_unreachable'
  | 'upstream_lost'
  | 'session_limit'
  | 'not_allowed'
  | 'draining'
  | 'local_resources_exhausted'

/** A reply without its text. */
export interface ReplyFacts {
  /** 200 to 599, or 0 for a line that is no reply. */
  readonly code: number
  /** RFC 3463 status, such as `4.3.2`; absent when missing, malformed or of another class than the code. */
  readonly enhancedCode?: string
  readonly cause: ReplyCause
  readonly origin: ReplyOrigin
  /** The message ids that AhaSend names in its final 250. */
  readonly ids?: readonly string[]
}

/** How far the dialling of an upstream got when it failed. Never thrown: a value. */
export type DialError =
  | 'resolve_failed'
  | 'connect_refused'
  | 'connect_timeout'
  | 'connect_reset'
  | 'greeting_timeout'
  | 'greeting_refused'
  | 'starttls_not_offered'
  | 'starttls_refused'
  | 'starttls_injection'
  | 'tls_untrusted'
  | 'tls_failed'
  | 'local_resources_exhausted'

/**
 * Why an application did not get into TLS. Never thrown: a value.
 *
 * - `app_tls_certificate_rejected`: it answered the proxy's certificate with an alert.
 * - `app_tls_abandoned`: it closed the connection after it had received the certificate, without an alert. Node.js does
 *   this when it does not trust the certificate.
 * - `app_tls_version`: it offers only TLS 1.1 or older.
 * - `app_tls_no_shared_cipher`: it has no cipher suite, key exchange group or signature algorithm in common with the proxy.
 * - `app_tls_plaintext`: it sent plain text where TLS was due.
 * - `app_tls_alpn`: it demands an application protocol that is not SMTP.
 * - `app_tls_timeout`: it sent nothing, or not all of its handshake.
 * - `app_tls_closed`: it closed or reset the connection before it had received the certificate.
 * - `app_tls_on_plain_listener`: it began TLS, without STARTTLS, on an smtp:// listener.
 * - `app_tls_failed`: any other error; the detail names it.
 */
export type AppTlsError =
  | 'app_tls_certificate_rejected'
  | 'app_tls_abandoned'
  | 'app_tls_version'
  | 'app_tls_no_shared_cipher'
  | 'app_tls_plaintext'
  | 'app_tls_alpn'
  | 'app_tls_timeout'
  | 'app_tls_closed'
  | 'app_tls_on_plain_listener'
  | 'app_tls_failed'

/** Parts of a dial, in order; `total` is from the start to the ready (or failed) leg. */
export type DialPhase = 'resolve' | 'connect' | 'greeting' | 'starttls' | 'total'

/** One attempt to reach one upstream, whether or not a session was waiting for it. */
export interface Dial {
  readonly type: 'dial'
  readonly at: number
  readonly end: number
  /** The configured host and port. */
  readonly serverAddress: string
  readonly serverPort: number
  /** The IP address that answered; absent when none did. */
  readonly peerAddress?: string
  /** Milliseconds spent in each phase that was entered. */
  readonly phases: Readonly<Partial<Record<DialPhase, number>>>
  /** Absent on success. */
  readonly error?: DialError
  /** The code of the greeting, of EHLO's or of STARTTLS' reply: the last one that came. */
  readonly replyCode?: number
  /** The name that Node, the resolver or OpenSSL gives to the failure, such as `CERT_HAS_EXPIRED`. */
  readonly detail?: string
  /** What the operator can raise; with `local_resources_exhausted` only. */
  readonly advice?: string
  /** True when the TLS session was resumed. */
  readonly resumed: boolean
  readonly tlsProtocol?: string
  readonly tlsCipher?: string
  /** When the upstream's certificate ends, in seconds since the Unix epoch. */
  readonly certificateNotAfter?: number
}

/**
 * The session got a connection that its last dial alone does not name: a preconnected one, or one that greeted with a
 * refusal. The dial was reported when it ended.
 */
export interface Handover {
  readonly type: 'handover'
  readonly at: number
  readonly dial: Dial
  /** True when the connection was preconnected. */
  readonly ahead: boolean
}

export type TransactionOutcome = 'accepted' | 'tempfail' | 'permfail' | 'aborted' | 'in_doubt'

/**
 * The deciding reply's code as text, or why no reply of the upstream decided. `drained`: the proxy stopped, and refused
 * the MAIL or cut the message at the drain timeout. `unsubscribe_link`: a 451 that is no trouble of AhaSend's as a whole.
 */
export type TransactionError =
  | `${number}`
  | 'upstream_lost'
  | 'final_reply_timeout'
  | 'idle_timeout'
  | 'drained'
  | 'unsubscribe_link'

export type RecipientVerdict = 'accepted' | 'tempfail' | 'permfail'

/** How often each verdict was given to the recipients of one transaction. */
export type RecipientCounts = Readonly<Record<RecipientVerdict, number>>

/** Why the proxy stopped understanding a session that it goes on relaying. */
export type OpaqueReason =
  | 'reply_mismatch'
  | 'early_data_reply'
  | 'unknown_payload'
  | 'sasl_security_layer'
  | 'lmtp'
  | 'overflow'
  | 'observer_failure'

/**
 * Why the client does not have a reply. `incomplete`: the upstream closed in the middle of it, so it was dropped.
 * `undelivered`: it was whole, but the client's connection was gone. `after_fin`: it accepts a message, and was written to
 * a client that had closed its sending side without QUIT; most such clients read no more.
 */
export type ReplyLoss = 'incomplete' | 'undelivered' | 'after_fin'

export type CloseReason =
  | 'quit'
  | 'client_closed'
  | 'client_reset'
  | 'upstream_closed'
  | 'upstream_reset'
  | 'upstream_421'
  | 'idle'
  | 'drained'
  | 'dial_failed'
  | 'not_allowed'
  | 'session_limit'
  | 'proxy_header'
  | 'tls_failed'
  | 'error'

/**
 * What was wrong with the PROXY protocol header of a connection from PROXY_TRUST_PROXY_PROTOCOL. `timeout`: it did not
 * come in time. `incomplete`: the connection ended in the middle of it. `no_header`: the first bytes begin none. The
 * others: see ProxyHeaderError in proxy-protocol.ts.
 */
export type ProxyHeaderFault =
  | 'timeout'
  | 'incomplete'
  | 'no_header'
  | 'header_too_long'
  | 'malformed'
  | 'unsupported'
  | 'bad_checksum'

/**
 * Why the proxy closed a refused connection before its client did. `time`: it was open too long. `bytes`: the client sent
 * too much. `limit`: too many were open.
 */
export type RefusedCut = 'time' | 'bytes' | 'limit'

/** The first event of each session. */
export interface SessionOpen {
  readonly type: 'session-open'
  readonly at: number
  /** Random, unique; for spans and log lines, never a label. */
  readonly sessionId: string
  /** The configured name of the client's network, else `other`. */
  readonly clientName: string
  readonly clientAddress: string
  readonly clientPort: number
  /** The listener's URL as configured. */
  readonly listener: string
  /** The preferred upstream's configured host. */
  readonly serverAddress: string
}

/** What a mail's header section says to telemetry (RFC 5322 2.2). A field that was malformed or too long is absent. */
export interface MessageHeaders {
  /** The W3C trace context of the request that this mail belongs to, well-formed, in lower case. */
  readonly traceparent?: string
  /** Printable ASCII, at most 512 octets. */
  readonly tracestate?: string
  /** True when `AhaSend-Sandbox` says that AhaSend is to simulate the delivery. */
  readonly sandbox?: boolean
  /** The values of `ahasend-tags`: at most 10, of at most 64 characters. */
  readonly tags?: readonly string[]
  /** Only with PROXY_RECORD_ADDRESSES=full: AhaSend's webhooks name it. At most 998 octets. */
  readonly messageId?: string
}

/** What every end of a transaction says. */
export interface TransactionEnd {
  readonly at: number
  readonly outcome: TransactionOutcome
  /** Absent when accepted or aborted. */
  readonly error?: TransactionError
  /** The command whose reply decided; absent when no reply did. */
  readonly command?: CommandName
  readonly reply?: ReplyFacts
  /** Octets after the 354 (or in BDAT chunks), dot-stuffing included, the final dot's line not. */
  readonly size: number
  /** True once a 354 or a BDAT chunk made a body begin. */
  readonly hasBody: boolean
  readonly recipients: RecipientCounts
  /** Absent when the header section held nothing of interest, or was not seen. */
  readonly headers?: MessageHeaders
}

/** A command of the mail whose reply never came, and when it was sent: the dot, for END-OF-MESSAGE. */
export interface Unanswered {
  readonly command: CommandName
  readonly at: number
}

export type SessionEvent =
  | SessionOpen
  | Dial
  /** The client sent its first bytes before the upstream's greeting could be passed on. At most once a session. */
  | { readonly type: 'early-talk'; readonly at: number }
  /** `at` is when the client connected. */
  | { readonly type: 'greeting'; readonly at: number; readonly end: number; readonly reply: ReplyFacts }
  /** The client named itself and was answered 2yz. */
  | { readonly type: 'identify'; readonly at: number; readonly command: 'EHLO' | 'HELO' }
  /** The proxy changed the EHLO reply; both lists hold names from the proxy's own policy table. */
  | {
      readonly type: 'capabilities'
      readonly at: number
      readonly removed: readonly string[]
      readonly added: readonly string[]
    }
  /** The client's leg is now inside TLS. */
  | { readonly type: 'tls'; readonly at: number; readonly protocol: string; readonly cipher: string }
  /**
   * The application failed to enter TLS, or left it before it said anything. At most once, right before `session-close`.
   * `detail` is OpenSSL's name of the error.
   */
  | { readonly type: 'tls-failed'; readonly at: number; readonly error: AppTlsError; readonly detail?: string }
  /** An AUTH exchange ended. `mechanism` is a registered name or `OTHER`. */
  | { readonly type: 'auth'; readonly at: number; readonly mechanism: string; readonly reply: ReplyFacts }
  /** One command and one reply to it (DATA, BDAT and AUTH have several). */
  | {
      readonly type: 'exchange'
      readonly at: number
      readonly end: number
      readonly command: CommandName
      readonly reply: ReplyFacts
    }
  | Handover
  /**
   * A MAIL command was sent at `at`. `reply` is absent when the connection ended before an answer came. `sender` is what
   * PROXY_RECORD_ADDRESSES allows of the reverse-path: the domain or all; empty for the null path.
   */
  | {
      readonly type: 'tx-begin'
      readonly at: number
      readonly end: number
      readonly reply?: ReplyFacts
      readonly sender?: string
    }
  | {
      readonly type: 'tx-rcpt'
      readonly at: number
      readonly end: number
      readonly verdict: RecipientVerdict
      readonly reply: ReplyFacts
      /** What PROXY_RECORD_ADDRESSES allows of the forward-path. */
      readonly recipient?: string
    }
  /** A body may begin: the 354, or the first BDAT. */
  | { readonly type: 'tx-data'; readonly at: number }
  /** The upstream took responsibility (2yz to the end of the message). */
  | ({ readonly type: 'tx-commit' } & TransactionEnd)
  /** The upstream refused (4yz or 5yz). */
  | ({ readonly type: 'tx-rollback' } & TransactionEnd)
  /** The client gave up: RSET, EHLO, QUIT or a close before the end of the message. */
  | ({ readonly type: 'tx-reset' } & TransactionEnd)
  /** No verdict ever came, because a connection ended. At `final-reply` the outcome is in doubt. */
  | ({
      readonly type: 'tx-lost'
      readonly stage: 'envelope' | 'body' | 'final-reply'
      readonly unanswered?: Unanswered
    } & TransactionEnd)
  | {
      readonly type: 'reply-lost'
      readonly at: number
      readonly loss: ReplyLoss
      readonly command: CommandName
    }
  | { readonly type: 'session-opaque'; readonly at: number; readonly reason: OpaqueReason }
  | {
      readonly type: 'session-close'
      readonly at: number
      readonly by: 'client' | 'upstream' | 'proxy'
      readonly reason: CloseReason
      /** What exactly happened, never in a peer's words: for `proxy_header` a ProxyHeaderFault. */
      readonly detail?: string
      /** Application octets relayed from client to upstream. */
      readonly transmit: number
      /** Application octets that came from the upstream: with what the proxy took out of an EHLO reply or dropped. */
      readonly receive: number
      /** Transactions whose MAIL was accepted. */
      readonly messages: number
    }

/** Takes the events of one session, in order. It cannot answer, alter or stop anything. */
export type Observer = (event: SessionEvent) => void

/** Everything that listens to the proxy. */
export interface Telemetry {
  /** Called once a session, before its other events. Returns the observer of that session. */
  open(event: SessionOpen): Observer
  /** A dial that no session was waiting for (a connection dialled ahead). */
  dial(event: Dial): void
  /** An observer threw; it is silenced for its session after some throws. */
  observerFailed(error: unknown): void
}

/** How many throws silence an observer for the rest of its session. Arbitrary: enough to tell a bug from bad luck. */
const SILENCE_AFTER = 3

/**
 * Wraps an observer so that it cannot hurt: a throw is reported, and after some throws the observer is silenced for
 * the session.
 */
export function guard(observer: Observer, failed: (error: unknown) => void): Observer {
  let failures = 0
  return (event) => {
    if (failures >= SILENCE_AFTER) return
    try {
      observer(event)
    } catch (error) {
      failures += 1
      failed(error)
    }
  }
}

/** One telemetry made of several: each is guarded, so that one that throws does not hide the session from the rest. */
export function combine(...parts: readonly Telemetry[]): Telemetry {
  const failed = (error: unknown) => {
    for (const part of parts) {
      try {
        part.observerFailed(error)
      } catch {
        // the others hear of the first failure; of this one nobody is left to be told
      }
    }
  }
  const attempt = <T>(run: () => T, otherwise: T): T => {
    try {
      return run()
    } catch (error) {
      failed(error)
      return otherwise
    }
  }
  const nobody: Observer = () => {}
  return {
    open(event) {
      const observers = parts.map((part) =>
        guard(
          attempt(() => part.open(event), nobody),
          failed,
        ),
      )
      return (next) => {
        for (const observer of observers) observer(next)
      }
    },
    dial(event) {
      for (const part of parts) attempt(() => part.dial(event), undefined)
    },
    observerFailed: failed,
  }
}
