/** The listeners' certificate of a running proxy: loaded at start, and loaded again when its files change and on SIGHUP. */
import {
  type ListenerCertificate,
  type ListenerTls,
  loadCertificate,
  type RefreshResult,
} from '../proxy/net/listener-certificate.ts'

/** How often the files are checked for changes. */
const CHECK_MS = 5000

/** The part of the logger that the results need. */
interface CertificateLog {
  info(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** Loads the certificate, and logs each reload and each failure to reload. */
export class WatchedCertificate {
  readonly certificate: ListenerCertificate
  readonly #log: CertificateLog
  readonly #changed: (certificate: ListenerCertificate) => void

  /**
   * Throws if the files do not hold a certificate and its key; the message names the settings and the reason. Calls
   * `changed` after each reload.
   */
  constructor(files: ListenerTls, log: CertificateLog, changed: (certificate: ListenerCertificate) => void) {
    const certificate = loadCertificate(files)
    if ('error' in certificate) throw new Error(`PROXY_TLS_CERT_FILE, PROXY_TLS_KEY_FILE: ${certificate.error}`)
    this.certificate = certificate
    this.#log = log
    this.#changed = changed
    certificate.watch(CHECK_MS, (result) => this.#report(result))
  }

  /** Checks the files now, and logs the result even if nothing changed. Never rejects. */
  async reload(): Promise<void> {
    this.#report(await this.certificate.refresh())
  }

  /** Stops checking the files. */
  close(): void {
    this.certificate.close()
  }

  #report(result: RefreshResult): void {
    if (result === 'reloaded') this.#changed(this.certificate)
    const notAfter = new Date(this.certificate.notAfter * 1000).toISOString()
    if (typeof result === 'string') return this.#log.info({ notAfter }, `certificate ${result}`)
    this.#log.error({ error: result.error, notAfter }, 'certificate not reloaded, the old one stays in use')
  }
}
