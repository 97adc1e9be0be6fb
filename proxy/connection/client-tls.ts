/** Why an app did not enter TLS, as far as the proxy can see it from its end. Pure, except for the clock. */
import type net from 'node:net'
import type { AppTlsError } from '../events/closed-sets.ts'

/** A failure as telemetry reports it. */
export interface TlsFailure {
  readonly error: AppTlsError
  /** OpenSSL's name of the error, such as `ERR_SSL_TLSV1_ALERT_UNKNOWN_CA`; absent when there was no error. */
  readonly detail?: string
}

/** How TLS begins: with the first byte of the connection, or after STARTTLS. */
export type TlsEntry = 'smtps' | 'starttls'

/** Names of OpenSSL errors (`ssl/ssl_err.c`), by what they mean for the person who configures the app. */
const CAUSES: readonly (readonly [RegExp, AppTlsError])[] = [
  [/ALERT_(UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_\w+|UNSUPPORTED_CERTIFICATE)$/, 'app_tls_certificate_rejected'],
  [/(UNSUPPORTED_PROTOCOL|UNKNOWN_PROTOCOL|PROTOCOL_VERSION|WRONG_SSL_VERSION)$/, 'app_tls_version'],
  [/(NO_SHARED_\w+|NO_SUITABLE_\w+|INSUFFICIENT_SECURITY)$/, 'app_tls_no_shared_cipher'],
  [/_(WRONG_VERSION_NUMBER|HTTP_REQUEST|HTTPS_PROXY_REQUEST)$/, 'app_tls_plaintext'],
  [/NO_APPLICATION_PROTOCOL$/, 'app_tls_alpn'],
]

/** The first byte of a TLS handshake record (RFC 8446 5.1), and of no SMTP command. */
const HANDSHAKE_RECORD = 0x16

/**
 * Milliseconds after which a client that sends nothing counts as one that waits for a greeting. Port scanners and health
 * checks close at once. Arbitrary.
 */
const PATIENCE_MS = 5000

/** True if the first bytes of a connection begin a TLS handshake. One byte decides, however the bytes are cut. */
export function beginsTls(first: Buffer): boolean {
  return first[0] === HANDSHAKE_RECORD
}

/** The failure that an OpenSSL error means; undefined for network errors and without an error. */
export function failureOf(error: unknown): TlsFailure | undefined {
  const code = (error as { readonly code?: unknown } | undefined)?.code
  if (typeof code !== 'string' || !/^ERR_SSL_[A-Z0-9_/]{1,64}$/.test(code)) return undefined
  const [, cause = 'app_tls_failed'] = CAUSES.find(([name]) => name.test(code)) ?? []
  return { error: cause, detail: code }
}

/** A handshake in progress on a TCP socket. If it fails, it knows what was seen of it. */
export class Handshake {
  readonly #tcp: net.Socket
  readonly #entry: TlsEntry
  readonly #began = performance.now()
  readonly #bytesRead: number
  readonly #bytesWritten: number
  #error: unknown
  #timedOut = false

  constructor(tcp: net.Socket, entry: TlsEntry) {
    this.#tcp = tcp
    this.#entry = entry
    this.#bytesRead = tcp.bytesRead
    this.#bytesWritten = tcp.bytesWritten
  }

  /** Keeps the first error: later ones follow from it. */
  readonly failedWith = (error: unknown): void => {
    this.#error ??= error
  }

  timedOut(): void {
    this.#timedOut = true
  }

  /** Why the handshake failed. Undefined for a probe: a connection to smtps:// that closes at once without a byte. */
  get failure(): TlsFailure | undefined {
    return failureOf(this.#error) ?? this.#unexplained()
  }

  #unexplained(): TlsFailure | undefined {
    if (this.#timedOut) return { error: 'app_tls_timeout' }
    // the proxy writes nothing before its certificate
    if (this.#tcp.bytesWritten > this.#bytesWritten) return { error: 'app_tls_abandoned' }
    if (performance.now() - this.#began >= PATIENCE_MS) return { error: 'app_tls_timeout' }
    const began = this.#entry === 'starttls' || this.#tcp.bytesRead > this.#bytesRead
    return began ? { error: 'app_tls_closed' } : undefined
  }
}
