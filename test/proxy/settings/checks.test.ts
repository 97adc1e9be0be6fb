/** Settings that contradict each other. More of them: `mistakes.test.ts`. */
import assert from 'node:assert/strict'
import { webcrypto } from 'node:crypto'
import { describe, test } from 'node:test'
import { contradictions, type ReadValues } from '../../../proxy/settings/checks.ts'
import { makeSelfSigned } from '../../support/tls/certificates.ts'

const own = await makeSelfSigned()
const other = await makeSelfSigned()
const certFile = { path: '/tls.crt', pem: own.certPem }
const keyFile = { path: '/tls.key', pem: own.keyPem }
const BOTH = { PROXY_TLS_CERT_FILE: '/tls.crt', PROXY_TLS_KEY_FILE: '/tls.key' }
const listener = { url: 'smtps://[::1]:465', scheme: 'smtps', host: '::1', port: 465, starttlsRequired: false } as const
const admin = { host: '::1', port: 465 }

type Env = Readonly<Record<string, string>>

describe('Contradictions: ', () => {
  const CASES: readonly (readonly [title: string, ReadValues, Env, ...mistakes: RegExp[]])[] = [
    ['none', {}, {}],
    ['a certificate and its key', { certFile, keyFile, listeners: [listener] }, BOTH],
    [
      'the key of another certificate',
      { certFile, keyFile: { path: '/other.key', pem: other.keyPem } },
      BOTH,
      /^PROXY_TLS_KEY_FILE: got "\/other.key" for "\/tls.crt", .* They do not belong together/,
    ],
    [
      'a certificate without a key',
      { certFile, keyFile: undefined },
      { PROXY_TLS_CERT_FILE: '/tls.crt' },
      /^PROXY_TLS_KEY_FILE: got nothing, expected a file, because PROXY_TLS_CERT_FILE is set\./,
    ],
    [
      'a key without a certificate, also if the key cannot be read',
      { certFile: undefined },
      { PROXY_TLS_KEY_FILE: '/no/such' },
      /^PROXY_TLS_CERT_FILE: got nothing, expected a file, because PROXY_TLS_KEY_FILE is set\./,
    ],
    ['a certificate that cannot be read', { keyFile, listeners: [listener] }, BOTH],
    [
      'TLS without a certificate, and one address twice',
      { certFile: undefined, keyFile: undefined, listeners: [listener], admin },
      {},
      /^PROXY_LISTEN: got "smtps:.*expected a certificate for this listener/,
      /^PROXY_ADMIN: got "\[::1\]:465", expected an unused address and port/,
    ],
    [
      'an upstream that is this proxy',
      { certFile, keyFile, listeners: [listener], upstreams: [{ host: 'localhost', port: 465, tls: true }] },
      BOTH,
      /^PROXY_UPSTREAM: got "localhost:465", expected a server that is not this proxy/,
    ],
  ]
  for (const [title, values, env, ...expected] of CASES)
    test(title, () => {
      const mistakes = contradictions(values, env)
      assert.equal(mistakes.length, expected.length, mistakes.join('\n'))
      for (const [index, says] of expected.entries()) assert.match(mistakes[index] ?? '', says)
    })
})

test('a key that OpenSSL finds too weak is refused with the reason', async () => {
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
  const files = { certFile: { path: '/tls.crt', pem: weak.toString('pem') }, keyFile: { path: '/tls.key', pem: key } }
  const [mistake, ...others] = contradictions(files, BOTH)
  assert.match(mistake ?? '', /^PROXY_TLS_KEY_FILE: got .* They are refused by OpenSSL: .*key too small/)
  assert.deepEqual(others, [])
})
