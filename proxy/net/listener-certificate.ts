import { constants } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { createSecureContext, type SecureContext } from 'node:tls'
import { NOT_A_PAIR, readCertificates, readKey } from '../../settings/pem.ts'
import { CIPHERS, type CipherPolicy } from './cipher-suites.ts'

/** Where the listeners' certificate is. */
export interface CertificateFiles {
  /** PEM: the proxy's own certificate first, then its chain. */
  readonly certFile: string
  /** PEM: the private key, not encrypted. */
  readonly keyFile: string
}

/** The TLS of the listeners. */
export interface ListenerTls extends CertificateFiles {
  /** The cipher suites that applications may use. Default: `intermediate`. */
  readonly ciphers?: CipherPolicy
}

/** What a secure context has besides a certificate and its key. */
export interface ContextOptions {
  readonly ciphers?: CipherPolicy | undefined
  /** 48 bytes, with which several event loops resume each other's TLS sessions. */
  readonly ticketKeys?: Buffer | undefined
}

/** Something that can answer a TLS handshake. */
export interface Identity {
  readonly context: SecureContext
  /** When the certificate ends, in seconds since the Unix epoch. */
  readonly notAfter: number
}

/** What makes a pair of files no identity, and which of them (`pair`: both). Never quotes the key. */
export interface IdentityMistake {
  readonly part: 'certificate' | 'key' | 'pair'
  readonly reason: string
}

/** What a look at the files found. After an error the old certificate stays in use. */
export type RefreshResult = 'unchanged' | 'reloaded' | RefreshError

export interface RefreshError {
  readonly error: string
  /** False when the look before found the same files with the same error. */
  readonly isNew: boolean
}

/**
 * TLS 1.2 or newer (RFC 8996) and no renegotiation, which Node otherwise allows and which costs the server most of the
 * work.
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

/** Builds the secure context of a certificate and its key, both PEM; says what is wrong when they are none. */
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
 * Loads the listeners' certificate and keeps watch over its files. Reads synchronously, as it runs before anything is
 * served. `ticketKeys` (48 octets) let several event loops resume each other's TLS sessions. Returns `{ error }` when the
 * files cannot be read or are no certificate with its key.
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
  /** The error of the last look and the files' version, while it lasts. */
  #failure: string | undefined
  #lastRefresh: Promise<unknown> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined

  constructor(files: CertificateFiles, identity: Identity, version: string, options: ContextOptions) {
    this.#options = options
    this.#files = files
    this.#identity = identity
    this.#version = version
  }

  /** For the next handshake: ask anew each time. Sessions that are in TLS already keep what they began with. */
  get context(): SecureContext {
    return this.#identity.context
  }

  /** When the certificate ends, in seconds since the Unix epoch. */
  get notAfter(): number {
    return this.#identity.notAfter
  }

  /**
   * Looks at both files and loads them when either changed, also when a symbolic link on their path now leads
   * elsewhere (Kubernetes swaps a whole directory so). A pair that is half written, does not match or cannot be read
   * leaves the old certificate in place and is tried again at the next refresh. Never rejects.
   */
  refresh(): Promise<RefreshResult> {
    // One after the other: each caller's look begins after the call.
    const result = this.#lastRefresh.then(() => this.#reload())
    this.#lastRefresh = result
    return result
  }

  /**
   * Refreshes every `intervalMs` until `close`, without keeping the process alive. `onResult` gets every reload, and every
   * error once: again only when the files or the error change.
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

  /** Ends the watch. The certificate stays usable. */
  close(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  async #reload(): Promise<RefreshResult> {
    const { certFile, keyFile } = this.#files
    let version = ''
    try {
      // The version is taken before the contents: files that change in between are read once more at the next refresh.
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
