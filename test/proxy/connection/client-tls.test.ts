/** What the TLS errors of apps mean, without a connection. */
import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { describe, test } from 'node:test'
import { beginsTls, failureOf, Handshake, type TlsEntry } from '../../../proxy/connection/client-tls.ts'
import type { AppTlsError } from '../../../proxy/events/closed-sets.ts'

/** OpenSSL's names, as Node 24 writes them. */
const CODES: readonly (readonly [string, AppTlsError])[] = [
  ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'app_tls_certificate_rejected'],
  ['ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE', 'app_tls_certificate_rejected'],
  ['ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_EXPIRED', 'app_tls_certificate_rejected'],
  ['ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_REVOKED', 'app_tls_certificate_rejected'],
  ['ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_UNKNOWN', 'app_tls_certificate_rejected'],
  ['ERR_SSL_SSL/TLS_ALERT_UNSUPPORTED_CERTIFICATE', 'app_tls_certificate_rejected'],
  ['ERR_SSL_UNSUPPORTED_PROTOCOL', 'app_tls_version'],
  ['ERR_SSL_UNKNOWN_PROTOCOL', 'app_tls_version'],
  ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', 'app_tls_version'],
  ['ERR_SSL_NO_SHARED_CIPHER', 'app_tls_no_shared_cipher'],
  ['ERR_SSL_NO_SHARED_SIGNATURE_ALGORITHMS', 'app_tls_no_shared_cipher'],
  ['ERR_SSL_NO_SUITABLE_KEY_SHARE', 'app_tls_no_shared_cipher'],
  ['ERR_SSL_TLSV1_ALERT_INSUFFICIENT_SECURITY', 'app_tls_no_shared_cipher'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'app_tls_plaintext'],
  ['ERR_SSL_HTTP_REQUEST', 'app_tls_plaintext'],
  ['ERR_SSL_HTTPS_PROXY_REQUEST', 'app_tls_plaintext'],
  ['ERR_SSL_NO_APPLICATION_PROTOCOL', 'app_tls_alpn'],
  ['ERR_SSL_UNEXPECTED_MESSAGE', 'app_tls_failed'],
  ['ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE', 'app_tls_failed'],
]

describe('An error of OpenSSL', () => {
  for (const [code, error] of CODES) {
    test(`${code} means ${error}`, () => assert.deepEqual(failureOf({ code }), { error, detail: code }))
  }

  for (const error of [undefined, new Error('no code'), { code: 'ECONNRESET' }, { code: 'ERR_SSL_ secret' }]) {
    test(`is not seen in ${JSON.stringify(error)}`, () => assert.equal(failureOf(error), undefined))
  }
})

test('only a handshake record begins TLS', () => {
  assert.ok(beginsTls(Buffer.from('\x16\x03\x01')))
  assert.ok(beginsTls(Buffer.of(0x16)))
  for (const text of ['EHLO app\r\n', '\x15\x03\x01', '\x80\x2e\x01', ''])
    assert.equal(beginsTls(Buffer.from(text, 'latin1')), false)
})

describe('A handshake that ends without an error of OpenSSL', () => {
  interface Case {
    readonly what: string
    readonly entry: TlsEntry
    readonly read?: number
    readonly written?: number
    readonly afterMs?: number
    readonly means: AppTlsError | undefined
  }

  const CASES: readonly Case[] = [
    { what: 'at once, before a byte', entry: 'smtps', means: undefined },
    { what: 'at once, before a byte, after STARTTLS', entry: 'starttls', means: 'app_tls_closed' },
    { what: 'before the certificate', entry: 'smtps', read: 11, means: 'app_tls_closed' },
    { what: 'after the certificate', entry: 'smtps', read: 500, written: 2000, means: 'app_tls_abandoned' },
    { what: 'after 5 s of silence', entry: 'smtps', afterMs: 5000, means: 'app_tls_timeout' },
    { what: 'after 5 s in the middle of the hello', entry: 'smtps', read: 11, afterMs: 5000, means: 'app_tls_timeout' },
  ]

  for (const { what, entry, read = 0, written = 0, afterMs = 0, means } of CASES) {
    test(`${what}: ${means}`, (context) => {
      let time = 1000
      context.mock.method(performance, 'now', () => time)
      const counts = { bytesRead: 70, bytesWritten: 40 }
      const handshake = new Handshake(counts as Socket, entry)
      counts.bytesRead += read
      counts.bytesWritten += written
      time += afterMs
      assert.deepEqual(handshake.failure, means && { error: means })
    })
  }

  test('by the timer: app_tls_timeout, also if the certificate was sent', () => {
    const counts = { bytesRead: 0, bytesWritten: 0 }
    const handshake = new Handshake(counts as Socket, 'smtps')
    counts.bytesWritten = 2000
    handshake.timedOut()
    assert.deepEqual(handshake.failure, { error: 'app_tls_timeout' })
  })
})
