/** The listeners' certificate in handshakes, and files that are refused. */
import assert from 'node:assert/strict'
import { webcrypto } from 'node:crypto'
import { test } from 'node:test'
import tls from 'node:tls'
import { buildIdentity } from '../../../proxy/net/listener-certificate.ts'
import { authority, first, handshake, load, serve } from '../../support/tls/listener-certificate.ts'

test('the certificate and its key serve handshakes, and notAfter is the expiry in seconds', async (t) => {
  const notAfter = new Date('2099-12-31T23:59:59Z')
  const { certificate } = load(t, await authority.issue({ commonName: 'long', notAfter }))
  assert.equal(certificate.notAfter, 4_102_444_799)
  const { dial } = await serve(t, certificate)
  assert.equal(await handshake(dial()), 'long')
})

test('the chain after the certificate is sent as well, and notAfter is that of the certificate itself', async (t) => {
  const notAfter = new Date('2099-12-31T23:59:59Z')
  const own = await authority.issue({ notAfter })
  const { certificate } = load(t, { ...own, certPem: `${own.certPem}\n${authority.certPem}` })
  assert.equal(certificate.notAfter, 4_102_444_799)
  const socket = (await serve(t, certificate)).dial()
  await handshake(socket)
  assert.equal(socket.getPeerCertificate(true).issuerCertificate.subject.CN, 'Throw-away Authority')
})

test('one file may hold both the certificate and the key', (t) => {
  const both = `${first.keyPem}\n${first.certPem}`
  load(t, { certPem: both, keyPem: both })
})

test('TLS 1.2 and 1.3 are accepted', async (t) => {
  const { dial } = await serve(t, load(t).certificate)
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const socket = dial({ minVersion: version, maxVersion: version })
    await handshake(socket)
    assert.equal(socket.getProtocol(), version)
  }
})

test('TLS 1.1 is refused, even if Node is configured to allow it', async (t) => {
  const { DEFAULT_CIPHERS, DEFAULT_MIN_VERSION } = tls
  t.after(() => Object.assign(tls, { DEFAULT_CIPHERS, DEFAULT_MIN_VERSION }))
  Object.assign(tls, { DEFAULT_CIPHERS: 'DEFAULT@SECLEVEL=0', DEFAULT_MIN_VERSION: 'TLSv1' })
  const { dial, errors } = await serve(t, load(t).certificate)
  await assert.rejects(handshake(dial({ maxVersion: 'TLSv1.1' })))
  assert.match(errors.join(), /unsupported protocol/)
})

test('a client cannot renegotiate', async (t) => {
  const { dial } = await serve(t, load(t).certificate)
  const socket = dial({ maxVersion: 'TLSv1.2' })
  await handshake(socket)
  const refused = await new Promise<Error | null>((resolve) => {
    socket.on('error', resolve)
    socket.renegotiate({}, resolve)
  })
  assert.match(String(refused), /no.renegotiation/i)
})

test('a key that OpenSSL finds too weak is refused with the reason', async () => {
  // imported late, because it needs what test/support/tls/certificates.ts loads first
  const { X509CertificateGenerator, PemConverter } = await import('@peculiar/x509')
  const algorithm = {
    name: 'RSASSA-PKCS1-v1_5',
    modulusLength: 1024,
    publicExponent: Buffer.of(1, 0, 1),
    hash: 'SHA-256',
  }
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const weak = await X509CertificateGenerator.createSelfSigned({ name: 'CN=weak', keys, signingAlgorithm: algorithm })
  const key = PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY')
  const mistake = buildIdentity(weak.toString('pem'), key)
  assert.ok('reason' in mistake)
  assert.match(mistake.reason, /refused by OpenSSL: .*key too small/)
})
