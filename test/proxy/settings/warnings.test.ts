/** Configurations that are allowed but cause a warning. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { parseConfig } from '../../../proxy/settings/settings.ts'
import { configWarnings } from '../../../proxy/settings/warnings.ts'
import { writeTemporaryFiles } from '../../support/files/temporary-files.ts'
import { makeSelfSigned } from '../../support/tls/certificates.ts'

const { certPem, keyPem } = await makeSelfSigned()
const files = writeTemporaryFiles({ 'tls.crt': certPem, 'tls.key': keyPem })
after(() => files.remove())

const CERTIFICATE = { PROXY_TLS_CERT_FILE: files.paths['tls.crt'], PROXY_TLS_KEY_FILE: files.paths['tls.key'] }
const EVERYONE = { PROXY_ALLOW: '0.0.0.0/0,::/0' }

type Env = Readonly<Record<string, string>>

function warningsOf(env: Env): readonly string[] {
  const parsed = parseConfig(env)
  assert.ok('config' in parsed, JSON.stringify(parsed))
  return configWarnings(parsed.config)
}

describe('A listener that takes passwords in plain text from public networks is warned about', () => {
  const RISKY: readonly (readonly [string, Env])[] = [
    ['on every address', { PROXY_LISTEN: 'smtp://0.0.0.0:25', ...EVERYONE }],
    ['on every IPv6 address', { PROXY_LISTEN: 'smtp://[::]:25', ...EVERYONE }],
    ['on a public address', { PROXY_LISTEN: 'smtp://203.0.113.7:25', ...EVERYONE }],
    ['on a private address, which a router may publish', { PROXY_LISTEN: 'smtp://10.0.0.5:25', ...EVERYONE }],
    ['by a name', { PROXY_LISTEN: 'smtp://mail.example:25', ...EVERYONE }],
    [
      'with a certificate, which applications need not use',
      { PROXY_LISTEN: 'smtp://0.0.0.0:25', ...EVERYONE, ...CERTIFICATE },
    ],
    ['from one public network', { PROXY_LISTEN: 'smtp://0.0.0.0:25', PROXY_ALLOW: '10.0.0.0/8,198.51.100.0/24' }],
    [
      'from a network that is larger than a private one',
      { PROXY_LISTEN: 'smtp://0.0.0.0:25', PROXY_ALLOW: '10.0.0.0/7' },
    ],
    ['from one public IPv6 address', { PROXY_LISTEN: 'smtp://0.0.0.0:25', PROXY_ALLOW: '2001:db8::1' }],
  ]
  for (const [where, env] of RISKY) test(where, () => assert.equal(warningsOf(env).length, 1))
})

describe('No warning is given', () => {
  const SAFE: readonly (readonly [string, Env])[] = [
    ['for the default', {}],
    ['for the image as shipped', { PROXY_LISTEN: 'smtp://0.0.0.0:2525' }],
    [
      'where STARTTLS is required',
      { PROXY_LISTEN: 'smtp://0.0.0.0:25?starttls=required', ...EVERYONE, ...CERTIFICATE },
    ],
    ['inside TLS', { PROXY_LISTEN: 'smtps://0.0.0.0:465', ...EVERYONE, ...CERTIFICATE }],
    ['on loopback', { PROXY_LISTEN: 'smtp://127.0.0.1:25,smtp://[::1]:25,smtp://localhost:26', ...EVERYONE }],
    [
      'for parts of private networks',
      { PROXY_LISTEN: 'smtp://0.0.0.0:25', PROXY_ALLOW: '10.1.0.0/16,192.168.1.1,fd00::/8' },
    ],
    [
      'for shared and link-local networks',
      { PROXY_LISTEN: 'smtp://0.0.0.0:25', PROXY_ALLOW: '100.64.0.0/10,169.254.0.0/16,fe80::/10' },
    ],
  ]
  for (const [where, env] of SAFE) test(where, () => assert.deepEqual(warningsOf(env), []))
})

test('The warning names the listener, the networks and what to do, and each such listener has its own', () => {
  const listeners = 'smtp://0.0.0.0:25,smtps://0.0.0.0:465,smtp://0.0.0.0:587'
  const warnings = warningsOf({ PROXY_LISTEN: listeners, PROXY_ALLOW: '10.0.0.0/8,198.51.100.0/24', ...CERTIFICATE })
  assert.deepEqual(
    warnings,
    ['smtp://0.0.0.0:25', 'smtp://0.0.0.0:587'].map(
      (url) =>
        `PROXY_LISTEN: ${url} accepts passwords in plain text, and PROXY_ALLOW admits clients outside private networks ` +
        '(198.51.100.0/24): anyone who can read the traffic can read the passwords. Append ?starttls=required, use smtps:// ' +
        '(both need PROXY_TLS_CERT_FILE and PROXY_TLS_KEY_FILE), or remove these networks from PROXY_ALLOW.',
    ),
  )
})

test('an idle timeout that hides the one of AhaSend is allowed, with a warning', () => {
  assert.deepEqual(warningsOf({}), [])
  assert.deepEqual(warningsOf({ PROXY_IDLE_TIMEOUT: '61s' }), [])
  assert.match(
    warningsOf({ PROXY_IDLE_TIMEOUT: '60s' }).join(),
    /^PROXY_IDLE_TIMEOUT: 1m is not above AhaSend's limit of 60s: .* Set more than 60s\.$/,
  )
})

test('a stop grace that is shorter than a drain with its exit is allowed, with a warning', () => {
  const warnings = (grace: string) => warningsOf({ PROXY_DRAIN_TIMEOUT: '1m', PROXY_STOP_GRACE: grace })
  assert.deepEqual(warnings('65s'), [])
  assert.match(
    warnings('64s').join(),
    /^PROXY_STOP_GRACE: 64s is less than 5s above PROXY_DRAIN_TIMEOUT: .* Set at least 65s, or lower/,
  )
})
