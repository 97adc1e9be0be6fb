/** The listeners' certificate of a running proxy: loaded at start, re-read on change and on SIGHUP, each look logged. */
import {
  type ListenerCertificate,
  type ListenerTls,
  loadCertificate,
  type RefreshResult,
} from '../proxy/net/listener-certificate.ts'

/** How often the files are looked at. */
const CHECK_MS = 5000

/** Where the looks are logged. */
export interface CertificateLog {
  info(fields: object, message: string): void
  error(fields: object, message: string): void
}

export class WatchedCertificate {
  readonly certificate: ListenerCertificate
  readonly #log: CertificateLog
  readonly #changed: (certificate: ListenerCertificate) => void

  /** Throws, with the settings and the reason, when the files are no certificate with its key. */
  constructor(files: ListenerTls, log: CertificateLog, changed: (certificate: ListenerCertificate) => void) {
    const certificate = loadCertificate(files)
    if ('error' in certificate) throw new Error(`PROXY_TLS_CERT_FILE, PROXY_TLS_KEY_FILE: ${certificate.error}`)
    this.certificate = certificate
    this.#log = log
    this.#changed = changed
    certificate.watch(CHECK_MS, (result) => this.#looked(result))
  }

  /** Looks at the files now, and logs the result even if nothing changed. Never rejects. */
  async reload(): Promise<void> {
    this.#looked(await this.certificate.refresh())
  }

  /** Ends the watch. */
  close(): void {
    this.certificate.close()
  }

  #looked(result: RefreshResult): void {
    if (result === 'reloaded') this.#changed(this.certificate)
    // of the certificate that is in use from now on
    const notAfter = new Date(this.certificate.notAfter * 1000).toISOString()
    if (typeof result === 'string') return this.#log.info({ notAfter }, `certificate ${result}`)
    this.#log.error({ error: result.error, notAfter }, 'certificate not reloaded, the old one stays in use')
  }
}
