import assert from 'node:assert/strict'
import { availableParallelism } from 'node:os'
import { after, test } from 'node:test'
import type { Config, ListenAddress } from '../../../proxy/settings/config.ts'
import { describeConfig, parseConfig } from '../../../proxy/settings/settings.ts'
import { ROWS } from '../../../proxy/settings/table.ts'
import { writeTemporaryFiles } from '../../support/files/temporary-files.ts'
import { makeAuthority } from '../../support/tls/certificates.ts'

const authority = await makeAuthority()
const own = await authority.issue()
const files = writeTemporaryFiles({
  'ca.pem': authority.certPem,
  'tls.crt': own.certPem,
  'tls.key': own.keyPem,
})
after(() => files.remove())
const { paths } = files
const CERTIFICATE = { PROXY_TLS_CERT_FILE: paths['tls.crt'], PROXY_TLS_KEY_FILE: paths['tls.key'] }

type Env = Record<string, string>

function configOf(env: Env): Config {
  const parsed = parseConfig(env)
  assert.ok('config' in parsed, 'mistakes' in parsed ? parsed.mistakes.join('\n') : '')
  return parsed.config
}

function mistakesOf(env: Env): readonly string[] {
  const parsed = parseConfig(env)
  return 'mistakes' in parsed ? parsed.mistakes : []
}

test('without any variable everything has its default (PRV-07)', () => {
  const { allow, trustProxyProtocol, ...rest } = configOf({})
  assert.deepEqual(rest, {
    listeners: [
      { url: 'smtp://127.0.0.1:2525', scheme: 'smtp', host: '127.0.0.1', port: 2525, starttlsRequired: false },
    ],
    upstreams: [{ host: 'send.ahasend.com', port: 587, tls: true }],
    clients: [],
    maxSessions: 10_000,
    maxSessionsPerClient: 0,
    dialTimeoutMs: 10_000,
    idleTimeoutMs: 300_000,
    drainTimeoutMs: 30_000,
    stopGraceMs: 60_000,
    warmConnections: 8,
    workers: 1,
    admin: { host: '127.0.0.1', port: 9464 },
    recordAddresses: 'none',
    slowMs: 10_000,
    logLevel: 'info',
  })
  assert.ok(allow.has('127.0.0.1') && allow.has('::1') && allow.has('172.17.0.2') && allow.has('fd00::1'))
  assert.ok(!allow.has('8.8.8.8') && !allow.has('2001:db8::1'))
  assert.equal(trustProxyProtocol.size, 0)
})

test('an empty or blank variable counts as unset, and blanks around a value do not count', () => {
  const blank = (value: string) => Object.fromEntries(ROWS.map(({ variable }) => [variable, value]))
  assert.deepEqual(describeConfig(configOf(blank(''))), describeConfig(configOf({})))
  assert.deepEqual(describeConfig(configOf(blank(' \r'))), describeConfig(configOf({})))
  assert.deepEqual(mistakesOf({ PROXY_NO_SUCH_THING: '' }), [])
  assert.equal(configOf({ PROXY_DIAL_TIMEOUT: ' 5s\r' }).dialTimeoutMs, 5000)
})

test('the configuration is frozen to its leaves', () => {
  const config = configOf({ ...CERTIFICATE, PROXY_CLIENTS: 'web=10.0.0.0/8' })
  const unfrozen = (value: object): boolean =>
    !Object.isFrozen(value) || Object.values(value).some((inner) => typeof inner === 'object' && unfrozen(inner))
  assert.equal(unfrozen(config), false)
})

test('what the container image sets is a valid configuration', () => {
  const image = ROWS.flatMap(({ variable, inImage }) => (inImage === undefined ? [] : [[variable, inImage]]))
  const config = configOf(Object.fromEntries(image))
  assert.equal(config.listeners[0]?.host, '0.0.0.0')
  assert.equal(config.admin?.host, '0.0.0.0')
})

function listener(url: string, host: string, port: number, more: Partial<ListenAddress> = {}): ListenAddress {
  return { url, scheme: 'smtp', host, port, starttlsRequired: false, ...more }
}

/** A variable, its text, and what it makes of which field. */
const ACCEPTED: readonly (readonly [variable: string, text: string, field: keyof Config, value: unknown])[] = [
  ['PROXY_LISTEN', 'smtp://[::1]:25', 'listeners', [listener('smtp://[::1]:25', '::1', 25)]],
  ['PROXY_LISTEN', 'smtp://localhost:0', 'listeners', [listener('smtp://localhost:0', 'localhost', 0)]],
  ['PROXY_LISTEN', 'SMTP://Mail.Example:25', 'listeners', [listener('SMTP://Mail.Example:25', 'mail.example', 25)]],
  [
    'PROXY_LISTEN',
    'smtp://127.0.0.1:0, smtp://127.0.0.1:0',
    'listeners',
    [listener('smtp://127.0.0.1:0', '127.0.0.1', 0), listener('smtp://127.0.0.1:0', '127.0.0.1', 0)],
  ],
  // The IPv4 wildcard leaves IPv6 to others.
  [
    'PROXY_LISTEN',
    'smtp://0.0.0.0:25,smtp://[::1]:25',
    'listeners',
    [listener('smtp://0.0.0.0:25', '0.0.0.0', 25), listener('smtp://[::1]:25', '::1', 25)],
  ],
  [
    'PROXY_LISTEN',
    'smtp://127.0.0.1:25,smtp://127.0.0.2:25',
    'listeners',
    [listener('smtp://127.0.0.1:25', '127.0.0.1', 25), listener('smtp://127.0.0.2:25', '127.0.0.2', 25)],
  ],
  ['PROXY_UPSTREAM', 'smtp://mail_relay-1:25', 'upstreams', [{ host: 'mail_relay-1', port: 25, tls: true }]],
  [
    'PROXY_UPSTREAM',
    'smtp://send.ahasend.com:587,smtp://send-us.ahasend.com:2525',
    'upstreams',
    [
      { host: 'send.ahasend.com', port: 587, tls: true },
      { host: 'send-us.ahasend.com', port: 2525, tls: true },
    ],
  ],
  ['PROXY_UPSTREAM', 'smtp://localhost:1025?tls=off', 'upstreams', [{ host: 'localhost', port: 1025, tls: false }]],
  ['PROXY_UPSTREAM', 'smtp://10.0.0.1:25?tls=off', 'upstreams', [{ host: '10.0.0.1', port: 25, tls: false }]],
  ['PROXY_UPSTREAM', 'smtp://[fd00::1]:25?tls=off', 'upstreams', [{ host: 'fd00::1', port: 25, tls: false }]],
  // Another address of this machine, and a port that only ends alike.
  ['PROXY_UPSTREAM', 'smtp://127.0.0.2:2525?tls=off', 'upstreams', [{ host: '127.0.0.2', port: 2525, tls: false }]],
  ['PROXY_UPSTREAM', 'smtp://127.0.0.1:4650?tls=off', 'upstreams', [{ host: '127.0.0.1', port: 4650, tls: false }]],
  ['PROXY_UPSTREAM', 'smtp://[2001:db8::465]:25', 'upstreams', [{ host: '2001:db8::465', port: 25, tls: true }]],
  ['PROXY_UPSTREAM_CA_FILE', paths['ca.pem'], 'upstreamCaFile', paths['ca.pem']],
  ['PROXY_MAX_SESSIONS', '1', 'maxSessions', 1],
  ['PROXY_MAX_SESSIONS_PER_CLIENT', '1000000', 'maxSessionsPerClient', 1_000_000],
  ['PROXY_DIAL_TIMEOUT', '100ms', 'dialTimeoutMs', 100],
  ['PROXY_DIAL_TIMEOUT', '25s', 'dialTimeoutMs', 25_000],
  ['PROXY_DIAL_TIMEOUT', '25000ms', 'dialTimeoutMs', 25_000],
  ['PROXY_IDLE_TIMEOUT', '1m30s', 'idleTimeoutMs', 90_000],
  ['PROXY_IDLE_TIMEOUT', '1h2m3s4ms', 'idleTimeoutMs', 3_723_004],
  ['PROXY_IDLE_TIMEOUT', '24h', 'idleTimeoutMs', 86_400_000],
  ['PROXY_DRAIN_TIMEOUT', '0s', 'drainTimeoutMs', 0],
  ['PROXY_STOP_GRACE', '1m30s', 'stopGraceMs', 90_000],
  ['PROXY_SLOW', '250ms', 'slowMs', 250],
  ['PROXY_WARM_CONNECTIONS', '0', 'warmConnections', 0],
  ['PROXY_WORKERS', '64', 'workers', 64],
  ['PROXY_WORKERS', 'auto', 'workers', Math.min(64, availableParallelism())],
  ['PROXY_ADMIN', 'off', 'admin', undefined],
  ['PROXY_ADMIN', 'http://[::]:0', 'admin', { host: '::', port: 0 }],
  ['PROXY_RECORD_ADDRESSES', 'domain', 'recordAddresses', 'domain'],
  ['PROXY_RECORD_ADDRESSES', 'full', 'recordAddresses', 'full'],
  ['PROXY_LOG_LEVEL', 'silent', 'logLevel', 'silent'],
]

for (const [variable, text, field, value] of ACCEPTED) {
  test(`${variable}=${text.replace(files.directory, '...')} is accepted`, () => {
    assert.deepEqual(configOf({ [variable]: text })[field], value)
  })
}

test('a certificate makes smtps:// and ?starttls=required possible', () => {
  const [tls, strict] = ['smtps://0.0.0.0:465', 'smtp://0.0.0.0:587?starttls=required'] as const
  const config = configOf({ ...CERTIFICATE, PROXY_LISTEN: `${tls},${strict}` })
  assert.deepEqual(config.tls, { certFile: paths['tls.crt'], keyFile: paths['tls.key'], ciphers: 'intermediate' })
  assert.deepEqual(config.listeners, [
    listener(tls, '0.0.0.0', 465, { scheme: 'smtps' }),
    listener(strict, '0.0.0.0', 587, { starttlsRequired: true }),
  ])
})

test('an upstream beside the listeners is another server', () => {
  const env = { PROXY_LISTEN: 'smtp://0.0.0.0:25', PROXY_UPSTREAM: 'smtp://[::1]:25,smtp://10.0.0.1:25' }
  assert.deepEqual(mistakesOf(env), [])
})

test('networks decide who may connect and whose PROXY header is believed', () => {
  const { allow, trustProxyProtocol } = configOf({
    PROXY_ALLOW: '192.0.2.0/24',
    PROXY_TRUST_PROXY_PROTOCOL: '::1,10.0.0.1',
  })
  assert.deepEqual([allow.has('192.0.2.7'), allow.has('127.0.0.1')], [true, false])
  assert.deepEqual([trustProxyProtocol.has('::ffff:10.0.0.1'), trustProxyProtocol.has('10.0.0.2')], [true, false])
})

test('clients keep their order, and one name gathers its networks at its first place', () => {
  const { clients } = configOf({
    PROXY_CLIENTS: 'billing=10.1.0.0/16, web=10.2.3.4, billing=fd00::/8, A-z_0.9=10.0.0.0/8',
  })
  assert.deepEqual(
    clients.map(({ name, networks }) => [name, String(networks)]),
    [
      ['billing', '10.1.0.0/16,fd00::/8'],
      ['web', '10.2.3.4/32'],
      ['A-z_0.9', '10.0.0.0/8'],
    ],
  )
})

test('a hundred client names are accepted, one more is not, however many networks they have', () => {
  const named = (count: number) => Array.from({ length: count }, (_, index) => `c${index}=10.0.0.${index}`).join(',')
  assert.equal(configOf({ PROXY_CLIENTS: `${named(100)},c0=10.1.0.0/16` }).clients.length, 100)
  const [mistake, ...others] = mistakesOf({ PROXY_CLIENTS: named(101) })
  assert.match(mistake ?? '', /^PROXY_CLIENTS: got 101 names, expected at most 100 different names\./)
  assert.deepEqual(others, [])
})

const EVERYTHING: Env = {
  ...CERTIFICATE,
  PROXY_LISTEN: 'smtps://[::1]:465,smtp://0.0.0.0:25?starttls=required',
  PROXY_UPSTREAM: 'smtp://[fd00::1]:25?tls=off,smtp://send.ahasend.com:587',
  PROXY_UPSTREAM_CA_FILE: paths['ca.pem'],
  PROXY_TLS_CIPHERS: 'old',
  PROXY_ALLOW: '0.0.0.0/0,::/0',
  PROXY_CLIENTS: 'web=10.0.0.0/8,web=fd00::/8,billing=192.0.2.1/32',
  PROXY_TRUST_PROXY_PROTOCOL: '10.0.0.1/32',
  PROXY_MAX_SESSIONS: '5',
  PROXY_MAX_SESSIONS_PER_CLIENT: '4',
  PROXY_DIAL_TIMEOUT: '1500ms',
  PROXY_IDLE_TIMEOUT: '2h',
  PROXY_DRAIN_TIMEOUT: '90s',
  PROXY_STOP_GRACE: '2m',
  PROXY_WARM_CONNECTIONS: '3',
  PROXY_WORKERS: '2',
  PROXY_ADMIN: 'http://[::1]:9464',
  PROXY_RECORD_ADDRESSES: 'full',
  PROXY_SLOW: '1m',
  PROXY_LOG_LEVEL: 'debug',
}

test('the effective values are described in the words that set them, so that they can be set again', () => {
  const described = describeConfig(configOf(EVERYTHING))
  const asText = Object.fromEntries(Object.entries(described).map(([name, value]) => [name, String(value)]))
  assert.deepEqual(asText, EVERYTHING)
  assert.deepEqual(Object.keys(described).toSorted(), ROWS.map(({ variable }) => variable).toSorted())
})

test('a description is flat, leaves out what has no value, and does not open files', () => {
  const described = describeConfig(configOf({ PROXY_ADMIN: 'off', PROXY_SLOW: '0s', PROXY_DRAIN_TIMEOUT: '1m1ms' }))
  assert.ok(Object.values(described).every((value) => ['string', 'number'].includes(typeof value)))
  assert.ok(!('PROXY_TLS_CERT_FILE' in described) && !('PROXY_CLIENTS' in described))
  assert.deepEqual(
    [described.PROXY_ADMIN, described.PROXY_SLOW, described.PROXY_DRAIN_TIMEOUT],
    ['off', '0ms', '60001ms'],
  )
})
