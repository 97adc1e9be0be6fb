/** The throw-away certificates in real handshakes: which ones a strict client must refuse, and which it must accept. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import * as tls from 'node:tls'
import { writeTemporaryFiles } from '../files/temporary-files.ts'
import { listenOnLoopback } from '../sockets/listen.ts'
import {
  type Authority,
  type Certificate,
  type CertificateRequest,
  makeAuthority,
  makeSelfSigned,
} from './certificates.ts'

const DAY_MS = 24 * 60 * 60 * 1000

let authority: Authority
before(async () => {
  authority = await makeAuthority()
})

/** Offers a certificate to a client that trusts `authority` and expects `host`. Returns the error code, or `ok`. */
async function handshake({ certPem, keyPem }: Certificate, host: string): Promise<string> {
  const server = tls.createServer({ cert: certPem, key: keyPem }).on('tlsClientError', () => {})
  after(() => server.close())
  const port = await listenOnLoopback(server)
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
  { what: 'valid', request: {}, host: 'localhost', outcome: 'ok' },
  { what: 'valid, by address', request: {}, host: '127.0.0.1', outcome: 'ok' },
  { what: 'with an RSA key', request: { keyType: 'rsa' }, host: 'localhost', outcome: 'ok' },
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
    what: 'with another name',
    request: { dnsNames: ['other.example'] },
    host: 'localhost',
    outcome: 'ERR_TLS_CERT_ALTNAME_INVALID',
  },
  // Node falls back to the CN when no DNS name is given. RFC 9525 section 2 forbids that: a strict client checks
  // itself.
  { what: 'with a CN only', request: { commonName: 'localhost', noSan: true }, host: 'localhost', outcome: 'ok' },
  { what: 'with a wildcard, one level', request: WILDCARD, host: 'mail.example.com', outcome: 'ok' },
  {
    what: 'with a wildcard, two levels',
    request: WILDCARD,
    host: 'a.b.example.com',
    outcome: 'ERR_TLS_CERT_ALTNAME_INVALID',
  },
  { what: 'with an IP address, by address', request: { ipAddresses: ['127.0.0.1'] }, host: '127.0.0.1', outcome: 'ok' },
  {
    what: 'with an IP address, by name',
    request: { commonName: 'other.example', ipAddresses: ['127.0.0.1'] },
    host: 'localhost',
    outcome: 'ERR_TLS_CERT_ALTNAME_INVALID',
  },
]

describe('A certificate', () => {
  for (const { what, request, host, outcome } of CASES) {
    test(`${what}: ${outcome}`, async () => {
      assert.equal(await handshake(await authority.issue(request), host), outcome)
    })
  }

  test('from an unknown authority: UNABLE_TO_VERIFY_LEAF_SIGNATURE', async () => {
    const stranger = await makeAuthority('Stranger')
    assert.equal(await handshake(await stranger.issue(), 'localhost'), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE')
  })

  test('self-signed: DEPTH_ZERO_SELF_SIGNED_CERT', async () => {
    assert.equal(await handshake(await makeSelfSigned(), 'localhost'), 'DEPTH_ZERO_SELF_SIGNED_CERT')
  })

  test('is written to a file in a directory that can be removed', () => {
    const files = writeTemporaryFiles({ 'ca.pem': authority.certPem })
    assert.equal(readFileSync(files.paths['ca.pem'], 'utf8'), authority.certPem)
    files.remove()
    assert.equal(existsSync(files.directory), false)
  })
})
