/** What telemetry reports about TLS handshakes of apps: the metric, and the explanation in the log. */
import type { Meter } from '@opentelemetry/api'
import type { AppTlsError } from '../../proxy/events/closed-sets.ts'
import type { SessionEvent, SessionOpen } from '../../proxy/events/session-event.ts'
import { type Cell, type Cells, type Configured, cellsOf } from '../instruments/instruments.ts'
import { type AttributesOf, appTlsErrors } from '../names/names.ts'

/** Failures that need no action: port scanners and health checks cause them. */
const HARMLESS: ReadonlySet<AppTlsError> = new Set<AppTlsError>(['app_tls_closed'])

/** True if the app, its configuration or the proxy's certificate must change. */
export function needsAction(error: AppTlsError): boolean {
  return !HARMLESS.has(error)
}

/** For each error, what failed and what to do. The log shows it. */
export const explanations: Readonly<Record<AppTlsError, string>> = {
  app_tls_certificate_rejected:
    'The app rejected the certificate of the proxy. Check that the certificate covers the host name that the ' +
    'app connects to, that PROXY_TLS_CERT_FILE contains the whole chain, and that the app trusts the authority.',
  app_tls_abandoned:
    'The app closed the connection after it received the certificate of the proxy, and gave no reason. Most ' +
    'likely it does not trust the certificate: check its host name, its chain and its authority.',
  app_tls_version:
    'The app offers only TLS 1.1 or older, and the proxy requires TLS 1.2. Update the TLS library of the app.',
  app_tls_no_shared_cipher:
    'The app and the proxy have no cipher suite, key exchange group or signature algorithm in common. Update ' +
    'the TLS library of the app. If that is not possible, set PROXY_TLS_CIPHERS=old.',
  app_tls_plaintext:
    'The app sent plain text where TLS must begin. For an smtps:// port, configure implicit TLS in the app; ' +
    'without TLS, use an smtp:// port.',
  app_tls_alpn:
    'The app requires a protocol that is not SMTP (ALPN). Remove the ALPN setting of the app, or check that it ' +
    'is a mail client.',
  app_tls_timeout:
    'The app did not complete the TLS handshake in time. If it waits for a greeting, it does not use TLS: for ' +
    'an smtps:// port, configure implicit TLS in the app.',
  app_tls_closed:
    'The connection ended before the proxy sent its certificate. Port scanners and health checks do this: no action is ' +
    'needed.',
  app_tls_on_plain_listener:
    'The app began TLS on an smtp:// port, which begins in plain text. Configure STARTTLS (or no TLS) in the ' +
    'app, or add an smtps:// listener to PROXY_LISTEN.',
  app_tls_failed: 'The TLS handshake failed. smtp.tls.detail is the reason that OpenSSL gives.',
}

/** Counts TLS handshakes of apps. */
export class AppTlsMetrics {
  readonly #handshakes: Cells<AttributesOf<'appTlsHandshakes'>>

  constructor(meter: Meter, limit: number) {
    this.#handshakes = cellsOf(meter, 'appTlsHandshakes', limit)
  }

  /** Creates all series at 0: Prometheus misses the first increase of a series that does not start at 0. */
  startAtZero({ listeners, clients }: Configured): void {
    for (const listener of listeners)
      for (const client of ['other', ...clients])
        for (const error of [undefined, ...appTlsErrors]) this.#of(listener, client, error)
  }

  /** Returns the observer of one session's events. */
  open({ listener, clientName }: SessionOpen): (event: SessionEvent) => void {
    let handshaken = false
    return (event) => {
      if (event.type === 'tls') handshaken = true
      else if (event.type === 'tls-failed') this.#of(listener, clientName, event.error).value += 1
      else if (handshaken && event.type === 'exchange' && event.command !== 'UNSOLICITED') {
        // only a command inside TLS proves that the app accepts the certificate
        handshaken = false
        this.#of(listener, clientName).value += 1
      }
    }
  }

  #of(listener: string, client: string, error?: AppTlsError): Cell {
    const failure = error && { 'error.type': error }
    return this.#handshakes.at({ ...failure, 'smtp.listener': listener, 'smtp.client.name': client })
  }
}
