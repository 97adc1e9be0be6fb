/**
 * The simulator's certificate authority, kept in files, so that a proxy that has read its certificate still trusts the
 * simulator after a restart. The key is beside the certificate, where the proxy of a rehearsal can read it (same
 * volume, same user). It does not need to be secret: only proxies of a rehearsal trust this authority, and it issues
 * certificates only for a server that delivers nothing.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { type Authority, makeAuthority, restoreAuthority } from '../support/tls/certificates.ts'

export const AUTHORITY_NAME = 'AhaSend Rehearsal'

const DAY_MS = 24 * 60 * 60 * 1000
/** Longer than any rehearsal lasts. */
const LIFETIME_MS = 10 * 365 * DAY_MS
/** An authority that expires sooner is replaced. */
const LEAST_VALIDITY_MS = 30 * DAY_MS

/** A certificate authority, and the reason if it replaces another one. */
export interface LoadedAuthority {
  readonly authority: Authority
  /** When its certificate expires. */
  readonly notAfter: Date
  /** Why the one in the files cannot be used. Absent if it can be used, and if there were no files. */
  readonly renewed?: string
}

/**
 * Loads the authority with its certificate in `caFile` and its key in `<caFile>.key`. If there is none, or none that
 * can be used, makes a new one and writes both files. Never rewrites a certificate that can be used. Throws if it
 * cannot write.
 */
export async function loadOrMakeAuthority(caFile: string): Promise<LoadedAuthority> {
  const keyFile = `${caFile}.key`
  const found = existsSync(caFile) || existsSync(keyFile)
  try {
    return loaded(await loadAuthority(caFile, keyFile))
  } catch (error) {
    const authority = await makeAuthority(AUTHORITY_NAME, new Date(Date.now() + LIFETIME_MS))
    // A crash between these two lines leaves files that do not match. The next start then replaces both.
    replace(keyFile, authority.keyPem, 0o600)
    replace(caFile, authority.certPem, 0o644)
    return { ...loaded(authority), ...(found && { renewed: (error as Error).message }) }
  }
}

function loaded(authority: Authority): LoadedAuthority {
  return { authority, notAfter: new X509Certificate(authority.certPem).validToDate }
}

/** Rejects with the reason if there is no authority that can be used. */
async function loadAuthority(caFile: string, keyFile: string): Promise<Authority> {
  const saved = { certPem: readFileSync(caFile, 'utf8'), keyPem: readFileSync(keyFile, 'utf8') }
  const certificate = new X509Certificate(saved.certPem)
  if (!certificate.ca || !certificate.verify(certificate.publicKey))
    throw new Error(`${caFile} is not a CA certificate`)
  if (!certificate.checkPrivateKey(createPrivateKey(saved.keyPem)))
    throw new Error(`${keyFile} does not match the certificate`)
  const now = Date.now()
  if (certificate.validFromDate.getTime() > now) throw new Error(`it is not valid before ${certificate.validFrom}`)
  if (certificate.validToDate.getTime() < now + LEAST_VALIDITY_MS)
    throw new Error(`it expires at ${certificate.validTo}`)
  return await restoreAuthority(saved)
}

/** Replaces a file in one step: a reader finds either the old text or the new one, both complete. */
function replace(path: string, text: string, mode: number): void {
  const newFile = `${path}.new`
  rmSync(newFile, { force: true })
  writeFileSync(newFile, text, { mode })
  renameSync(newFile, path)
}
