/** The throw-away certificates, tried in real handshakes: what a careful client must refuse, and what it must not. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import * as tls from 'node:tls'
import {
  type Authority,
  type Certificate,
  type CertificateRequest,
  makeAuthority,
  makeSelfSigned,
  writeTemporaryFiles,
} from './certificates.ts'

const DAY_MS = 24 * 60 * 60 * 1000

let authority: Authority
before(async () => {
  authority = await makeAuthority()
})

/** Offers a certificate to a client that trusts `authority` and wants `host`. Returns the error code, or `ok`. */
async function handshake({ certPem, keyPem }: Certificate, host: string): Promise<string> {
  const server = tls.createServer({ cert: certPem, key: keyPem }).on('tlsClientError', () => {})
  after(() => server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const wanted = /^[0-9.]+$/.test(host) ? { host } : { servername: host }
  const client = tls.connect({ host: '127.0.0.1', port, ca: authority.certPem, ...wanted })
  try {
    await once(client, 'secureConnect')
    return 'ok'
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error)
  } finally {
    client.destroy()
    server.close()
  }
}

interface Case {
  readonly what: string
  readonly request: CertificateRequest
  readonly host: string
  readonly outcome: string
}

const WILDCARD: CertificateRequest = { dnsNames: ['*.example.com'] }

const CASES: readonly Case[] = [
  { what: 'a good one', request: {}, host: 'localhost', outcome: 'ok' },
  { what: 'a good one, by address', request: {}, host: '127.0.0.1', outcome: 'ok' },
  { what: 'an RSA key', request: { keyType: 'rsa' }, host: 'localhost', outcome: 'ok' },
  {
    what: 'expired',
    request: { notAfter: new Date(Date.now() - DAY_MS / 2) },
    host: 'localhost',
    outcome: 'CERT_HAS_EXPIRED',
  },
  {
    what: 'not yet valid',
    request: { notBefore: new Date(Date.now() + DAY_MS) },
    host: 'localhost',
    outcome: 'CERT_NOT_YET_VALID',
  },
  {
    what: 'another name',
    request: { dnsNames: ['other.example'] },
    host: 'localhost',
    outcome: 'ERR_TLS_CERT_ALTNAME_INVALID',
  },
  // Node falls back to the CN when no DNS name is given. RFC 9525 section 2 forbids that: a careful client checks itself.
  { what: 'CN only', request: { commonName: 'localhost', noSan: true }, host: 'localhost', outcome: 'ok' },
  { what: 'a wildcard, one level', request: WILDCARD, host: 'mail.example.com', outcome: 'ok' },
  {
    what: 'a wildcard, two levels',
    request: WILDCARD,
    host: 'a.b.example.com',
    outcome: 'ERR_TLS_CERT_ALTNAME_INVALID',
  },
  { what: 'an IP address, by address', request: { ipAddresses: ['127.0.0.1'] }, host: '127.0.0.1', outcome: 'ok' },
  {
    what: 'an IP address, by name',
    request: { commonName: 'other.example', ipAddresses: ['127.0.0.1'] },
    host: 'localhost',
    outcome: 'ERR_TLS_CERT_ALTNAME_INVALID',
  },
]

describe('certificates', () => {
  for (const { what, request, host, outcome } of CASES) {
    test(`${what}: ${outcome}`, async () => {
      assert.equal(await handshake(await authority.issue(request), host), outcome)
    })
  }

  test('of an unknown authority: UNABLE_TO_VERIFY_LEAF_SIGNATURE', async () => {
    const stranger = await makeAuthority('Stranger')
    assert.equal(await handshake(await stranger.issue(), 'localhost'), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE')
  })

  test('self-signed: DEPTH_ZERO_SELF_SIGNED_CERT', async () => {
    assert.equal(await handshake(await makeSelfSigned(), 'localhost'), 'DEPTH_ZERO_SELF_SIGNED_CERT')
  })

  test('are written to files of a directory that can be removed', () => {
    const files = writeTemporaryFiles({ 'ca.pem': authority.certPem })
    assert.equal(readFileSync(files.paths['ca.pem'], 'utf8'), authority.certPem)
    files.remove()
    assert.equal(existsSync(files.directory), false)
  })
})
