/** Which cipher suites and key exchange groups applications may use (PROXY_TLS_CIPHERS). */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { ConnectionOptions } from 'node:tls'
import type { CipherPolicy } from '../../../proxy/net/cipher-suites.ts'
import type { Certificate } from '../../support/tls/certificates.ts'
import { first, handshake, load, second, serve } from '../../support/tls/listener-certificate.ts'

const EC = first
const RSA = second

/** Suites of TLS 1.2 with forward secrecy and authenticated encryption, by the key of the certificate. */
const INTERMEDIATE: readonly (readonly [Certificate, string])[] = [
  [EC, 'ECDHE-ECDSA-AES128-GCM-SHA256'],
  [EC, 'ECDHE-ECDSA-AES256-GCM-SHA384'],
  [EC, 'ECDHE-ECDSA-CHACHA20-POLY1305'],
  [RSA, 'ECDHE-RSA-AES128-GCM-SHA256'],
  [RSA, 'ECDHE-RSA-AES256-GCM-SHA384'],
  [RSA, 'ECDHE-RSA-CHACHA20-POLY1305'],
]

/** Suites without forward secrecy, or with CBC. */
const OLD: readonly (readonly [Certificate, string])[] = [
  [EC, 'ECDHE-ECDSA-AES128-SHA256'],
  [EC, 'ECDHE-ECDSA-AES128-SHA'],
  [RSA, 'ECDHE-RSA-AES256-SHA384'],
  [RSA, 'ECDHE-RSA-AES256-SHA'],
  [RSA, 'AES128-GCM-SHA256'],
  [RSA, 'AES256-SHA256'],
  [RSA, 'AES128-SHA'],
  [RSA, 'AES256-SHA'],
]

/** Suites that no setting allows. */
const NEVER: readonly (readonly [Certificate, string])[] = [
  [RSA, 'CAMELLIA128-SHA'],
  [RSA, 'AES128-CCM'],
  [RSA, 'NULL-SHA256:@SECLEVEL=0'],
  [EC, 'AECDH-AES128-SHA:@SECLEVEL=0'],
]

/** The suite that a client gets, or the error of the server. */
async function negotiated(t: TestContext, policy: CipherPolicy, certificate: Certificate, options: ConnectionOptions) {
  const { dial, errors } = await serve(t, load(t, certificate, policy).certificate)
  try {
    const socket = dial(options)
    await handshake(socket)
    return socket.getCipher().name
  } catch {
    return errors.join()
  }
}

const REFUSED = /no shared cipher/

for (const [policy, allowed, refused] of [
  ['intermediate', INTERMEDIATE, [...OLD, ...NEVER]],
  ['old', [...INTERMEDIATE, ...OLD], NEVER],
] as const) {
  describe(`With ${policy}`, () => {
    for (const [certificate, ciphers] of allowed)
      test(`${ciphers} is used`, async (t) => {
        assert.equal(await negotiated(t, policy, certificate, { maxVersion: 'TLSv1.2', ciphers }), ciphers)
      })

    for (const [certificate, ciphers] of refused)
      test(`${ciphers} is refused`, async (t) => {
        assert.match(await negotiated(t, policy, certificate, { maxVersion: 'TLSv1.2', ciphers }), REFUSED)
      })

    for (const suite of ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'])
      test(`${suite} is used`, async (t) => {
        assert.equal(await negotiated(t, policy, EC, { minVersion: 'TLSv1.3', ciphers: suite }), suite)
      })

    for (const ecdhCurve of ['X25519MLKEM768', 'X25519', 'prime256v1', 'secp384r1'])
      test(`the key exchange group ${ecdhCurve} is used`, async (t) => {
        assert.match(await negotiated(t, policy, EC, { minVersion: 'TLSv1.3', ecdhCurve }), /^TLS_/)
      })

    test('TLS 1.1 is refused', async (t) => {
      const options = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' } as const
      assert.match(await negotiated(t, policy, RSA, options), /unsupported protocol/)
    })
  })
}

describe('The order of cipher suites', () => {
  const ciphers = 'ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256'

  test('with intermediate, the client decides: all suites are good', async (t) => {
    const chosen = await negotiated(t, 'intermediate', EC, { maxVersion: 'TLSv1.2', ciphers })
    assert.equal(chosen, 'ECDHE-ECDSA-CHACHA20-POLY1305')
  })

  test('with old, the proxy decides: a client that supports a good suite gets it', async (t) => {
    const chosen = await negotiated(t, 'old', RSA, {
      maxVersion: 'TLSv1.2',
      ciphers: 'AES128-SHA:ECDHE-RSA-AES256-GCM-SHA384',
    })
    assert.equal(chosen, 'ECDHE-RSA-AES256-GCM-SHA384')
  })
})
