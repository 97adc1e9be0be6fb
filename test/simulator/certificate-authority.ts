/**
 * The authority that vouches for the simulator, kept in files: who has read its certificate once believes the simulator
 * after each restart, too. Its key lies beside the certificate, where the proxy of a rehearsal could read it (same volume,
 * same user). It is nobody's secret: nobody but the proxies of a rehearsal trusts this authority, and all that it vouches
 * for is a server that delivers nothing.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { type Authority, makeAuthority, restoreAuthority } from '../support/certificates.ts'

export const AUTHORITY_NAME = 'AhaSend Rehearsal'

const DAY_MS = 24 * 60 * 60 * 1000
/** Longer than any rehearsal lasts. */
const LIFETIME_MS = 10 * 365 * DAY_MS
/** One that ends sooner is not used again. */
const LEAST_VALIDITY_MS = 30 * DAY_MS

/** An authority, and why it is a new one. */
export interface LoadedAuthority {
  readonly authority: Authority
  /** When its certificate ends. */
  readonly notAfter: Date
  /** Absent where it was here before, and where nothing was. */
  readonly renewed?: string
}

/**
 * The authority whose certificate is in `caFile` and whose key is in `<caFile>.key`; a new one in both files where there is
 * none that can be used. A certificate that can be used is never written again. Throws when the files cannot be written.
 */
export async function loadOrMakeAuthority(caFile: string): Promise<LoadedAuthority> {
  const keyFile = `${caFile}.key`
  const found = existsSync(caFile) || existsSync(keyFile)
  try {
    return kept(await loadAuthority(caFile, keyFile))
  } catch (error) {
    const authority = await makeAuthority(AUTHORITY_NAME, new Date(Date.now() + LIFETIME_MS))
    // A crash in between leaves two files that do not fit each other: then both are made anew.
    replace(keyFile, authority.keyPem, 0o600)
    replace(caFile, authority.certPem, 0o644)
    return { ...kept(authority), ...(found && { renewed: (error as Error).message }) }
  }
}

function kept(authority: Authority): LoadedAuthority {
  return { authority, notAfter: new X509Certificate(authority.certPem).validToDate }
}

/** Rejects with a reason when there is none, or none that can be used. */
async function loadAuthority(caFile: string, keyFile: string): Promise<Authority> {
  const saved = { certPem: readFileSync(caFile, 'utf8'), keyPem: readFileSync(keyFile, 'utf8') }
  const certificate = new X509Certificate(saved.certPem)
  if (!certificate.ca || !certificate.verify(certificate.publicKey)) throw new Error(`${caFile} is no authority's`)
  if (!certificate.checkPrivateKey(createPrivateKey(saved.keyPem))) throw new Error(`${keyFile} is another's key`)
  const now = Date.now()
  if (certificate.validFromDate.getTime() > now) throw new Error(`it begins at ${certificate.validFrom}`)
  if (certificate.validToDate.getTime() < now + LEAST_VALIDITY_MS) throw new Error(`it ends at ${certificate.validTo}`)
  return await restoreAuthority(saved)
}

/** Writes a file whole or not at all: whoever reads it meanwhile finds the old one or the new one. */
function replace(path: string, text: string, mode: number): void {
  const written = `${path}.new`
  rmSync(written, { force: true })
  writeFileSync(written, text, { mode })
  renameSync(written, path)
}
