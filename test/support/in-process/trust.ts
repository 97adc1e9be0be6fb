import { writeTemporaryFiles } from '../files/temporary-files.ts'
import type { Identity } from '../sockets/scripted-peers.ts'
import { type Authority, makeAuthority } from '../tls/certificates.ts'

/** An authority that the proxy trusts, and a valid certificate for `localhost` and 127.0.0.1; both also as files. */
export interface Trust {
  readonly authority: Authority
  readonly caFile: string
  readonly certFile: string
  readonly keyFile: string
  readonly identity: Identity
  /** What a client needs to verify the certificate. */
  readonly clientTls: { readonly ca: string; readonly servername: string }
  /** Deletes the files. */
  remove(): void
}

/** Creates an authority and a certificate. `dnsNames` are further names in the certificate. */
export async function makeTrust(dnsNames: readonly string[] = []): Promise<Trust> {
  const authority = await makeAuthority()
  const { certPem, keyPem } = await authority.issue({
    dnsNames: ['localhost', ...dnsNames],
    ipAddresses: ['127.0.0.1'],
  })
  const files = writeTemporaryFiles({ 'ca.pem': authority.certPem, 'cert.pem': certPem, 'key.pem': keyPem })
  return {
    authority,
    caFile: files.paths['ca.pem'],
    certFile: files.paths['cert.pem'],
    keyFile: files.paths['key.pem'],
    identity: { cert: certPem, key: keyPem },
    clientTls: { ca: authority.certPem, servername: 'localhost' },
    remove: () => files.remove(),
  }
}

/** The settings of a listener with this certificate. */
export function certificateSettings({ certFile, keyFile }: Trust) {
  return { PROXY_TLS_CERT_FILE: certFile, PROXY_TLS_KEY_FILE: keyFile } as const
}
