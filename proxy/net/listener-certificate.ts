import { constants } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { createSecureContext, type SecureContext } from 'node:tls'
import { NOT_A_PAIR, readCertificates, readKey } from '../../settings/pem.ts'
import { CIPHERS, type CipherPolicy } from './cipher-suites.ts'

/** The files of the listeners' certificate. */
interface CertificateFiles {
  /** PEM: the proxy's own certificate first, then its chain. */
  readonly certFile: string
  /** PEM: the private key, not encrypted. */
  readonly keyFile: string
}

/** The TLS settings of the listeners. */
export interface ListenerTls extends CertificateFiles {
  /** The cipher suites that apps may use. Default: `intermediate`. */
  readonly ciphers?: CipherPolicy
}

/** The parts of a secure context other than the certificate and its key. */
interface ContextOptions {
  readonly ciphers?: CipherPolicy | undefined
  /** 48 bytes that let several event loops resume each other's TLS sessions. */
  readonly ticketKeys?: Buffer | undefined
}

/** A certificate and its key, ready for TLS handshakes. */
interface Identity {
  readonly context: SecureContext
  /** When the certificate expires, in seconds since the Unix epoch. */
  readonly notAfter: number
}

/** Why a pair of files is not an identity, and which file is wrong (`pair`: both). Never quotes the key. */
interface IdentityMistake {
  readonly part: 'certificate' | 'key' | 'pair'
  readonly reason: string
}

/** The result of checking the files. After an error the old certificate stays in use. */
export type RefreshResult = 'unchanged' | 'reloaded' | RefreshError

interface RefreshError {
  readonly error: string
  /** False if the previous check found the same files with the same error. */
  readonly isNew: boolean
}

/**
 * TLS 1.2 or newer (RFC 8996). No renegotiation, which Node allows by default and which costs the server more than the
 * client.
 */
const TLS_OPTIONS = {
  minVersion: 'TLSv1.2',
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
} as const

const NO_CERTIFICATE: IdentityMistake = {
  part: 'certificate',
  reason: 'holds no PEM certificate, or one that is cut short or damaged',
}
const NO_KEY: IdentityMistake = {
  part: 'key',
  reason: 'holds no PEM private key, or one that is encrypted, cut short or damaged',
}

/** Builds the secure context of a certificate and its key, both PEM, or returns the mistake. */
export function buildIdentity(
  certificate: string,
  key: string,
  { ciphers = 'intermediate', ticketKeys }: ContextOptions = {},
): Identity | IdentityMistake {
  const [own] = readCertificates(certificate)
  if (own === undefined) return NO_CERTIFICATE
  const privateKey = readKey(key)
  if (privateKey === undefined) return NO_KEY
  if (!own.checkPrivateKey(privateKey)) {
    return { part: 'pair', reason: NOT_A_PAIR }
  }
  try {
    const context = createSecureContext({
      ...TLS_OPTIONS,
      ...CIPHERS[ciphers],
      cert: certificate,
      key,
      ...(ticketKeys && { ticketKeys }),
    })
    return { context, notAfter: Math.floor(own.validToDate.getTime() / 1000) }
  } catch (error) {
    return { part: 'pair', reason: `are refused by OpenSSL: ${reasonOf(error)}` }
  }
}

/**
 * Loads the listeners' certificate. Reads the files synchronously, because it runs before the first connection.
 * `ticketKeys` (48 bytes) let several event loops resume each other's TLS sessions. Returns `{ error }` if the files
 * cannot be read or do not hold a certificate and its key.
 */
export function loadCertificate(
  files: ListenerTls,
  ticketKeys?: Buffer,
): ListenerCertificate | { readonly error: string } {
  try {
    const version = versionOf(statSync(files.certFile, { bigint: true }), statSync(files.keyFile, { bigint: true }))
    const options = { ciphers: files.ciphers, ticketKeys }
    const [certificate, key] = [readFileSync(files.certFile, 'utf8'), readFileSync(files.keyFile, 'utf8')]
    const identity = buildIdentity(certificate, key, options)
    if ('reason' in identity) return { error: describe(identity, files) }
    return new ListenerCertificate(files, identity, version, options)
  } catch (error) {
    return { error: reasonOf(error) }
  }
}

/** The listeners' certificate, replaced in place when its files change. Only `loadCertificate` makes one. */
export class ListenerCertificate {
  readonly #files: CertificateFiles
  readonly #options: ContextOptions
  #identity: Identity
  /** The files' version that `#identity` was built from. */
  #version: string
  /** The error of the last check and the files' version; undefined after a successful check. */
  #failure: string | undefined
  #lastRefresh: Promise<unknown> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined

  constructor(files: CertificateFiles, identity: Identity, version: string, options: ContextOptions) {
    this.#options = options
    this.#files = files
    this.#identity = identity
    this.#version = version
  }

  /** The context for the next handshake: read it each time. Sessions inside TLS keep the context that they began with. */
  get context(): SecureContext {
    return this.#identity.context
  }

  /** When the certificate expires, in seconds since the Unix epoch. */
  get notAfter(): number {
    return this.#identity.notAfter
  }

  /**
   * Checks both files and loads them if either changed, or if a symbolic link on their path now leads elsewhere (Kubernetes
   * replaces a whole directory this way). If the pair is incomplete, does not match or cannot be read, the old certificate
   * stays in use, and the next refresh tries again. Never rejects.
   */
  refresh(): Promise<RefreshResult> {
    // one after the other, so that each caller's check begins after its call
    const result = this.#lastRefresh.then(() => this.#reload())
    this.#lastRefresh = result
    return result
  }

  /**
   * Refreshes every `intervalMs` until `close`, without keeping the process alive. `onResult` gets every reload, and each
   * error once until the files or the error change.
   */
  watch(intervalMs: number, onResult: (result: Exclude<RefreshResult, 'unchanged'>) => void): void {
    this.close()
    const timer = setInterval(async () => {
      const result = await this.refresh()
      if (this.#timer !== timer || result === 'unchanged' || (result !== 'reloaded' && !result.isNew)) return
      onResult(result)
    }, intervalMs)
    timer.unref()
    this.#timer = timer
  }

  /** Stops watching. The certificate stays usable. */
  close(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  async #reload(): Promise<RefreshResult> {
    const { certFile, keyFile } = this.#files
    let version = ''
    try {
      // the version is read before the contents: files that change in between are read again at the next refresh
      version = versionOf(await stat(certFile, { bigint: true }), await stat(keyFile, { bigint: true }))
      if (version === this.#version) return this.#succeeded('unchanged')
      const identity = buildIdentity(await readFile(certFile, 'utf8'), await readFile(keyFile, 'utf8'), this.#options)
      if ('reason' in identity) return this.#failed(version, describe(identity, this.#files))
      this.#identity = identity
      this.#version = version
      return this.#succeeded('reloaded')
    } catch (error) {
      return this.#failed(version, reasonOf(error))
    }
  }

  #succeeded<Result extends 'unchanged' | 'reloaded'>(result: Result): Result {
    this.#failure = undefined
    return result
  }

  #failed(version: string, error: string): RefreshError {
    const failure = `${version} ${error}`
    const isNew = failure !== this.#failure
    this.#failure = failure
    return { error, isNew }
  }
}

interface FileVersion {
  readonly dev: bigint
  readonly ino: bigint
  readonly size: bigint
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
}

function versionOf(...files: readonly FileVersion[]): string {
  return files.map(({ dev, ino, size, mtimeNs, ctimeNs }) => [dev, ino, size, mtimeNs, ctimeNs].join(':')).join(' ')
}

function describe({ part, reason }: IdentityMistake, { certFile, keyFile }: CertificateFiles): string {
  const subject = { certificate: certFile, key: keyFile, pair: `${certFile} and ${keyFile}` }[part]
  return `${subject} ${reason}`
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
