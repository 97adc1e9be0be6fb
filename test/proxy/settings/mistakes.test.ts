/** What is refused in the configuration, and how it is told. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { parseConfig } from '../../../proxy/settings/settings.ts'
import { ROWS } from '../../../proxy/settings/table.ts'
import { writeTemporaryFiles } from '../../support/files/temporary-files.ts'
import { makeAuthority, makeSelfSigned } from '../../support/tls/certificates.ts'

const authority = await makeAuthority()
const own = await authority.issue()
const files = writeTemporaryFiles({
  'ca.pem': authority.certPem,
  'tls.crt': own.certPem,
  'tls.key': own.keyPem,
  'other.key': (await makeSelfSigned()).keyPem,
  'cut.crt': own.certPem.slice(0, 200),
  'notes.txt': 'no PEM in here',
})
after(() => files.remove())
const { paths } = files
const CERTIFICATE = { PROXY_TLS_CERT_FILE: paths['tls.crt'], PROXY_TLS_KEY_FILE: paths['tls.key'] }

type Env = Record<string, string>

function mistakesOf(env: Env): readonly string[] {
  const parsed = parseConfig(env)
  return 'mistakes' in parsed ? parsed.mistakes : []
}

/** Variables that make exactly one mistake: which variable it names, and what it says. */
const REFUSED: readonly (readonly [env: Env, variable: string, says: RegExp])[] = [
  // Listeners.
  [{ PROXY_LISTEN: '127.0.0.1:2525' }, 'PROXY_LISTEN', /got "127.0.0.1:2525", expected a URL such as smtp:/],
  [{ PROXY_LISTEN: 'smtp://127.0.0.1:25,' }, 'PROXY_LISTEN', /got ""/],
  [{ PROXY_LISTEN: 'smtp://127.0.0.1' }, 'PROXY_LISTEN', /a URL such as/],
  [{ PROXY_LISTEN: 'smtp://::1:2525' }, 'PROXY_LISTEN', /in brackets: \[::1\]/],
  [{ PROXY_LISTEN: 'http://127.0.0.1:2525' }, 'PROXY_LISTEN', /begins with smtp:\/\/ or smtps:\/\//],
  [{ PROXY_LISTEN: 'smtp://127.0.0.1:65536' }, 'PROXY_LISTEN', /a port from 0 to 65535/],
  [{ PROXY_LISTEN: 'smtp://:2525' }, 'PROXY_LISTEN', /a host name, an IPv4 address or an IPv6 address in brackets/],
  [{ PROXY_LISTEN: 'smtp://*:2525' }, 'PROXY_LISTEN', /a host name/],
  [{ PROXY_LISTEN: 'smtp://[127.0.0.1]:2525' }, 'PROXY_LISTEN', /a host name/],
  [{ PROXY_LISTEN: 'smtp://127.0.0.1:2525/path' }, 'PROXY_LISTEN', /nothing after the port except parameters/],
  [{ PROXY_LISTEN: 'smtp://127.0.0.1:2525#x' }, 'PROXY_LISTEN', /nothing after the port/],
  [{ PROXY_LISTEN: 'smtp://127.0.0.1:2525?tls=off' }, 'PROXY_LISTEN', /no parameter except \?starttls=required/],
  [{ PROXY_LISTEN: 'smtp://127.0.0.1:2525?starttls=yes' }, 'PROXY_LISTEN', /no parameter except \?starttls=required/],
  [{ PROXY_LISTEN: 'smtp://127.0.0.1:2525?constructor=x' }, 'PROXY_LISTEN', /no parameter except/],
  [{ PROXY_LISTEN: 'smtp://127.0.0.1:2525?x=1' }, 'PROXY_LISTEN', /except \?starttls=required, \?client=NAME/],
  [{ PROXY_LISTEN: 'smtp://127.0.0.1:2525?client' }, 'PROXY_LISTEN', /\?client=NAME, with a name of 1 to 64 letters/],
  [
    { PROXY_LISTEN: 'smtp://127.0.0.1:2525?client=a%20b' },
    'PROXY_LISTEN',
    /client=a%20b", expected \?client=NAME, with a name/,
  ],
  [{ PROXY_LISTEN: 'smtp://127.0.0.1:2525?client=a&client=b' }, 'PROXY_LISTEN', /expected each parameter at most once/],
  [{ PROXY_LISTEN: 'smtp://127.0.0.1:2525?client=OTHER' }, 'PROXY_LISTEN', /expected another name\. The proxy uses/],
  [
    {
      PROXY_LISTEN: 'smtp://127.0.0.1:2525?client=app-1,smtp://127.0.0.1:2526?client=probe',
      PROXY_CLIENTS: Array.from({ length: 100 }, (_, index) => `app-${index}=10.0.0.${index}`).join(),
    },
    'PROXY_LISTEN',
    /got 101 names, expected at most 100 different names, with those in PROXY_CLIENTS\. Give several listeners/,
  ],
  [
    { PROXY_LISTEN: 'smtps://127.0.0.1:465' },
    'PROXY_LISTEN',
    /a certificate for this listener\. Set PROXY_TLS_CERT_FILE and/,
  ],
  [{ PROXY_LISTEN: 'smtp://127.0.0.1:25?starttls=required' }, 'PROXY_LISTEN', /a certificate for this listener/],
  [
    { ...CERTIFICATE, PROXY_LISTEN: 'smtps://127.0.0.1:1?starttls=required' },
    'PROXY_LISTEN',
    /needs no STARTTLS: remove \?starttls/,
  ],
  // Addresses that are taken.
  [
    { PROXY_LISTEN: 'smtp://127.0.0.1:25,smtp://127.0.0.1:25' },
    'PROXY_LISTEN',
    /PROXY_LISTEN already uses 127.0.0.1:25/,
  ],
  [{ PROXY_LISTEN: 'smtp://0.0.0.0:25,smtp://127.0.0.1:25' }, 'PROXY_LISTEN', /PROXY_LISTEN already uses 0.0.0.0:25/],
  [{ PROXY_LISTEN: 'smtp://127.0.0.1:25,smtp://localhost:25' }, 'PROXY_LISTEN', /an unused address and port/],
  [{ PROXY_LISTEN: 'smtp://[::]:25,smtp://0.0.0.0:25' }, 'PROXY_LISTEN', /covers every address, including IPv4/],
  [{ PROXY_LISTEN: 'smtp://[::1]:25,smtp://[0:0::1]:25' }, 'PROXY_LISTEN', /an unused address and port/],
  [{ PROXY_LISTEN: 'smtp://0.0.0.0:9464' }, 'PROXY_ADMIN', /PROXY_LISTEN already uses 0.0.0.0:9464/],
  [{ PROXY_ADMIN: 'http://localhost:2525' }, 'PROXY_ADMIN', /PROXY_LISTEN already uses 127.0.0.1:2525/],
  // Upstreams.
  [{ PROXY_UPSTREAM: 'send.ahasend.com' }, 'PROXY_UPSTREAM', /such as smtp:\/\/send.ahasend.com:587/],
  [{ PROXY_UPSTREAM: 'smtp://send.ahasend.com:465' }, 'PROXY_UPSTREAM', /AhaSend has no implicit TLS/],
  [{ PROXY_UPSTREAM: 'smtps://send.ahasend.com:587' }, 'PROXY_UPSTREAM', /AhaSend has no implicit TLS/],
  [{ PROXY_UPSTREAM: 'smtp://10.0.0.1:465?tls=off' }, 'PROXY_UPSTREAM', /AhaSend has no implicit TLS/],
  [{ PROXY_UPSTREAM: 'smtp://send.ahasend.com:0' }, 'PROXY_UPSTREAM', /a port from 1 to 65535/],
  [
    { PROXY_UPSTREAM: 'smtp://send.ahasend.com:587?tls=off' },
    'PROXY_UPSTREAM',
    /for localhost and loopback or private/,
  ],
  [{ PROXY_UPSTREAM: 'smtp://relay:25?tls=off' }, 'PROXY_UPSTREAM', /a name may resolve to another address later/],
  [{ PROXY_UPSTREAM: 'smtp://localhost.example:25?tls=off' }, 'PROXY_UPSTREAM', /for localhost and/],
  [{ PROXY_UPSTREAM: 'smtp://8.8.8.8:25?tls=off' }, 'PROXY_UPSTREAM', /for localhost and loopback or private/],
  [{ PROXY_UPSTREAM: 'smtp://[2001:db8::1]:25?tls=off' }, 'PROXY_UPSTREAM', /for localhost and loopback or private/],
  [{ PROXY_UPSTREAM: 'smtp://127.0.0.1:25?tls=on' }, 'PROXY_UPSTREAM', /no parameter except \?tls=off/],
  [{ PROXY_UPSTREAM: 'smtp://127.0.0.1:25?tls=off&verify=off' }, 'PROXY_UPSTREAM', /no parameter except \?tls=off/],
  [{ PROXY_UPSTREAM: 'smtp://key:value@send.ahasend.com:587' }, 'PROXY_UPSTREAM', /the proxy relays them unchanged/],
  // Spellings that a resolver takes for addresses, and what is no name.
  [{ PROXY_UPSTREAM: 'smtp://2130706433:25' }, 'PROXY_UPSTREAM', /a host name/],
  [{ PROXY_UPSTREAM: 'smtp://0x7f000001:25' }, 'PROXY_UPSTREAM', /a host name/],
  [{ PROXY_UPSTREAM: 'smtp://127.1:25' }, 'PROXY_UPSTREAM', /a host name/],
  [{ PROXY_UPSTREAM: 'smtp://256.0.0.1:25' }, 'PROXY_UPSTREAM', /a host name/],
  [{ PROXY_UPSTREAM: 'smtp://send.ahasend.com.:25' }, 'PROXY_UPSTREAM', /a host name/],
  [{ PROXY_UPSTREAM: 'smtp://-relay:25' }, 'PROXY_UPSTREAM', /a host name/],
  [{ PROXY_UPSTREAM: `smtp://${'a'.repeat(64)}.example:25` }, 'PROXY_UPSTREAM', /a host name/],
  [{ PROXY_UPSTREAM: `smtp://${'a.'.repeat(126)}bc:25` }, 'PROXY_UPSTREAM', /a host name/],
  [{ PROXY_UPSTREAM: 'smtp://relay\r\nEHLO x:25' }, 'PROXY_UPSTREAM', /got \(several lines, not shown\)/],
  // The proxy itself.
  [{ PROXY_UPSTREAM: 'smtp://127.0.0.1:2525?tls=off' }, 'PROXY_UPSTREAM', /not this proxy.*smtp:\/\/127.0.0.1:2525/],
  [{ PROXY_UPSTREAM: 'smtp://localhost:2525' }, 'PROXY_UPSTREAM', /a server that is not this proxy/],
  [{ PROXY_UPSTREAM: 'smtp://0.0.0.0:2525' }, 'PROXY_UPSTREAM', /a server that is not this proxy/],
  [{ PROXY_UPSTREAM: 'smtp://[::]:2525' }, 'PROXY_UPSTREAM', /a server that is not this proxy/],
  [{ PROXY_UPSTREAM: 'smtp://[::ffff:127.0.0.1]:2525' }, 'PROXY_UPSTREAM', /a server that is not this proxy/],
  [
    { PROXY_LISTEN: 'smtp://0.0.0.0:25', PROXY_UPSTREAM: 'smtp://127.9.9.9:25' },
    'PROXY_UPSTREAM',
    /a server that is not this proxy/,
  ],
  [{ PROXY_LISTEN: 'smtp://[::]:25', PROXY_UPSTREAM: 'smtp://127.0.0.2:25' }, 'PROXY_UPSTREAM', /not this proxy/],
  [{ PROXY_LISTEN: 'smtp://[::]:25', PROXY_UPSTREAM: 'smtp://[::1]:25' }, 'PROXY_UPSTREAM', /not this proxy/],
  [{ PROXY_LISTEN: 'smtp://localhost:25', PROXY_UPSTREAM: 'smtp://[::1]:25' }, 'PROXY_UPSTREAM', /not this proxy/],
  [{ PROXY_LISTEN: 'smtp://Relay:25', PROXY_UPSTREAM: 'smtp://relay:25' }, 'PROXY_UPSTREAM', /not this proxy/],
  // Files.
  [{ PROXY_UPSTREAM_CA_FILE: '/no/such/ca.pem' }, 'PROXY_UPSTREAM_CA_FILE', /got "\/no\/such\/ca.pem".*ENOENT/],
  [{ PROXY_UPSTREAM_CA_FILE: files.directory }, 'PROXY_UPSTREAM_CA_FILE', /EISDIR/],
  [
    { PROXY_UPSTREAM_CA_FILE: paths['notes.txt'] },
    'PROXY_UPSTREAM_CA_FILE',
    /notes.txt", expected a file with PEM cert/,
  ],
  [{ PROXY_UPSTREAM_CA_FILE: paths['cut.crt'] }, 'PROXY_UPSTREAM_CA_FILE', /cut short or damaged/],
  [
    { PROXY_UPSTREAM_CA_FILE: authority.certPem },
    'PROXY_UPSTREAM_CA_FILE',
    /\(several lines, not shown\), expected the path/,
  ],
  [{ PROXY_TLS_CERT_FILE: paths['tls.crt'] }, 'PROXY_TLS_KEY_FILE', /got nothing.*PROXY_TLS_CERT_FILE is set/],
  [{ PROXY_TLS_KEY_FILE: paths['tls.key'] }, 'PROXY_TLS_CERT_FILE', /got nothing.*PROXY_TLS_KEY_FILE is set/],
  [{ ...CERTIFICATE, PROXY_TLS_CERT_FILE: '/no/such' }, 'PROXY_TLS_CERT_FILE', /got "\/no\/such".*ENOENT.*mount/],
  [{ ...CERTIFICATE, PROXY_TLS_KEY_FILE: '/no/such' }, 'PROXY_TLS_KEY_FILE', /got "\/no\/such".*ENOENT/],
  [{ ...CERTIFICATE, PROXY_TLS_CERT_FILE: paths['cut.crt'] }, 'PROXY_TLS_CERT_FILE', /cut.crt".*cut short/],
  [{ ...CERTIFICATE, PROXY_TLS_KEY_FILE: paths['notes.txt'] }, 'PROXY_TLS_KEY_FILE', /notes.txt".*private key/],
  [
    { ...CERTIFICATE, PROXY_TLS_KEY_FILE: paths['other.key'] },
    'PROXY_TLS_KEY_FILE',
    /other.key" for .*tls.crt".*together/,
  ],
  [
    { ...CERTIFICATE, PROXY_TLS_KEY_FILE: own.keyPem },
    'PROXY_TLS_KEY_FILE',
    /not shown\), expected the path of a file/,
  ],
  // Networks and clients.
  [{ PROXY_ALLOW: '10.0.0.0/8,everybody' }, 'PROXY_ALLOW', /got "everybody"/],
  [{ PROXY_ALLOW: '10.1.2.3/8' }, 'PROXY_ALLOW', /write 10.0.0.0\/8 for the network/],
  [{ PROXY_TRUST_PROXY_PROTOCOL: 'yes' }, 'PROXY_TRUST_PROXY_PROTOCOL', /got "yes", expected a network or an address/],
  [{ PROXY_CLIENTS: '10.0.0.0/8' }, 'PROXY_CLIENTS', /name=network/],
  [{ PROXY_CLIENTS: 'web=' }, 'PROXY_CLIENTS', /name=network/],
  [{ PROXY_CLIENTS: '=10.0.0.0/8' }, 'PROXY_CLIENTS', /name=network/],
  [{ PROXY_CLIENTS: 'a b=10.0.0.0/8' }, 'PROXY_CLIENTS', /letters, digits, dots, hyphens and underscores/],
  [{ PROXY_CLIENTS: `${'a'.repeat(65)}=10.0.0.0/8` }, 'PROXY_CLIENTS', /1 to 64/],
  [{ PROXY_CLIENTS: 'Other=10.0.0.0/8' }, 'PROXY_CLIENTS', /expected another name\. The proxy uses the name `other`/],
  [{ PROXY_CLIENTS: 'web=10.0.0.0/33' }, 'PROXY_CLIENTS', /longer than \/32/],
  // Numbers, durations, words.
  [{ PROXY_MAX_SESSIONS: '0' }, 'PROXY_MAX_SESSIONS', /a whole number from 1 to 1000000/],
  [{ PROXY_MAX_SESSIONS: '1e3' }, 'PROXY_MAX_SESSIONS', /got "1e3".*unset it to use 10000/],
  [{ PROXY_MAX_SESSIONS_PER_CLIENT: '-1' }, 'PROXY_MAX_SESSIONS_PER_CLIENT', /from 0 to 1000000/],
  [{ PROXY_WARM_CONNECTIONS: '257' }, 'PROXY_WARM_CONNECTIONS', /from 0 to 256/],
  [{ PROXY_WORKERS: '0' }, 'PROXY_WORKERS', /auto, or a whole number from 1 to 64/],
  [{ PROXY_WORKERS: '65' }, 'PROXY_WORKERS', /auto, or a whole number from 1 to 64/],
  [{ PROXY_DIAL_TIMEOUT: '25001ms' }, 'PROXY_DIAL_TIMEOUT', /from 100ms to 25s.*nodemailer after 30s/],
  [{ PROXY_DIAL_TIMEOUT: '99ms' }, 'PROXY_DIAL_TIMEOUT', /from 100ms to 25s.* Choose 100ms or more\.$/],
  [{ PROXY_DIAL_TIMEOUT: '0s' }, 'PROXY_DIAL_TIMEOUT', / Choose 100ms or more\.$/],
  [{ PROXY_DIAL_TIMEOUT: '-1s' }, 'PROXY_DIAL_TIMEOUT', /got "-1s".* Choose 100ms or more\.$/],
  [{ PROXY_DIAL_TIMEOUT: 'soon' }, 'PROXY_DIAL_TIMEOUT', / Correct it, or unset it to use 10s\.$/],
  [{ PROXY_DIAL_TIMEOUT: '10' }, 'PROXY_DIAL_TIMEOUT', /written like 250ms, 10s or 1m30s/],
  [{ PROXY_IDLE_TIMEOUT: '25h' }, 'PROXY_IDLE_TIMEOUT', /from 1s to 24h/],
  [{ PROXY_IDLE_TIMEOUT: '1.5m' }, 'PROXY_IDLE_TIMEOUT', /got "1.5m"/],
  [{ PROXY_IDLE_TIMEOUT: '30s1m' }, 'PROXY_IDLE_TIMEOUT', /got "30s1m"/],
  [{ PROXY_DRAIN_TIMEOUT: '2h' }, 'PROXY_DRAIN_TIMEOUT', /from 0s to 1h.* Choose 1h or less\.$/],
  [{ PROXY_STOP_GRACE: '3h' }, 'PROXY_STOP_GRACE', /from 0s to 2h/],
  [{ PROXY_SLOW: '-1s' }, 'PROXY_SLOW', /from 0s to 1h.* Choose 0s or more\.$/],
  [{ PROXY_RECORD_ADDRESSES: 'yes' }, 'PROXY_RECORD_ADDRESSES', /one of none, domain, full/],
  [{ PROXY_LOG_LEVEL: 'INFO' }, 'PROXY_LOG_LEVEL', /one of trace, debug, info/],
  // The admin server.
  [{ PROXY_ADMIN: 'none' }, 'PROXY_ADMIN', /such as http:/],
  [{ PROXY_ADMIN: 'https://127.0.0.1:9464' }, 'PROXY_ADMIN', /begins with http:\/\//],
  [{ PROXY_ADMIN: 'http://127.0.0.1:9464/metrics' }, 'PROXY_ADMIN', /nothing after the port/],
  [{ PROXY_ADMIN: 'http://127.0.0.1:9464?x=y' }, 'PROXY_ADMIN', /no parameters/],
  [{ PROXY_ADMIN: 'http://me:hush@127.0.0.1:9464' }, 'PROXY_ADMIN', /without credentials/],
]

for (const [env, variable, says] of REFUSED) {
  const written = Object.entries(env).map(([name, value]) => `${name}=${JSON.stringify(value).slice(0, 70)}`)
  test(`${written.join(' ').replaceAll(files.directory, '...')} is refused`, () => {
    const [mistake = '', ...others] = mistakesOf(env)
    assert.match(mistake, says)
    // The form of every mistake: the variable, its value, what is expected, what to do.
    assert.match(mistake, new RegExp(`^${variable}: got .+, expected .+\\. .+\\.$`))
    assert.deepEqual(others, [])
  })
}

test('a file that may not be read is named with the reason', () => {
  const forbidden = () => {
    throw Object.assign(new Error('permission denied'), { code: 'EACCES' })
  }
  const parsed = parseConfig({ PROXY_UPSTREAM_CA_FILE: '/etc/ssl/ca.pem' }, forbidden)
  assert.ok('mistakes' in parsed)
  assert.match(
    parsed.mistakes.join(),
    /^PROXY_UPSTREAM_CA_FILE: got "\/etc\/ssl\/ca.pem".*EACCES.*change its owner or mode/,
  )
})

test('all mistakes are told at once, also several in one variable and in several files', () => {
  const mistakes = mistakesOf({
    PROXY_LISTEN: 'smtp://127.0.0.1:99999/path?x=y,nonsense',
    PROXY_UPSTREAM: 'smtp://send.ahasend.com:465,smtp://8.8.8.8:25?tls=off',
    PROXY_UPSTREAM_CA_FILE: '/no/such',
    PROXY_TLS_CERT_FILE: paths['notes.txt'],
    PROXY_TLS_KEY_FILE: paths['cut.crt'],
    PROXY_ALLOW: 'a,b',
    PROXY_WORKERS: 'many',
    PROXY_LOG_LEVEL: 'loud',
    PROXY_UPSTREAMS: 'x',
  })
  const count = (variable: string) => mistakes.filter((mistake) => mistake.startsWith(`${variable}: `)).length
  assert.equal(count('PROXY_LISTEN'), 4)
  assert.equal(count('PROXY_UPSTREAM'), 2)
  assert.equal(count('PROXY_ALLOW'), 2)
  const single = ['UPSTREAM_CA_FILE', 'TLS_CERT_FILE', 'TLS_KEY_FILE', 'WORKERS', 'LOG_LEVEL', 'UPSTREAMS']
  for (const name of single) assert.equal(count(`PROXY_${name}`), 1, name)
  assert.equal(mistakes.length, 8 + single.length)
})

test('no mistake repeats what could be a secret (PRV-10)', () => {
  const secret = 'hunter2hunter2'
  const base64 = own.keyPem.replaceAll(/-----.*-----|\n/g, '')
  const places: readonly Env[] = [
    { PROXY_UPSTREAM: `smtp://user:${secret}@send.ahasend.com:587` },
    { PROXY_UPSTREAM: `smtp://user:${secret},and/more@send.ahasend.com:587` },
    { PROXY_UPSTREAM: `user:${secret}@send.ahasend.com:587` },
    { PROXY_UPSTREAM: `smtp://send.ahasend.com:587?password=${secret}` },
    { PROXY_UPSTREAM: `smtp://send.ahasend.com:587?tls=off&password=${secret}` },
    { PROXY_LISTEN: `smtp://user:${secret}@127.0.0.1:2525` },
    { PROXY_ADMIN: `http://user:${secret}@127.0.0.1:9464` },
    { PROXY_ADMIN: `http://user:${secret}/@127.0.0.1:9464` },
    { PROXY_UPSTREAMS: secret },
    { ...CERTIFICATE, PROXY_TLS_KEY_FILE: own.keyPem },
    { ...CERTIFICATE, PROXY_TLS_KEY_FILE: own.keyPem.replaceAll('\n', ' ') },
    { ...CERTIFICATE, PROXY_TLS_KEY_FILE: base64 },
    { ...CERTIFICATE, PROXY_TLS_CERT_FILE: paths['tls.key'] },
    { ...CERTIFICATE, PROXY_TLS_KEY_FILE: paths['other.key'] },
  ]
  const needles = [secret, base64.slice(0, 16), base64.slice(-24)]
  for (const env of places) {
    const mistakes = mistakesOf(env).join('\n')
    assert.notEqual(mistakes, '')
    for (const needle of needles) assert.ok(!mistakes.includes(needle), mistakes)
  }
})

test('no text makes the parser throw, and no mistake spans lines', () => {
  const variable = fc.constantFrom(...ROWS.map((row) => row.variable))
  const pieces = fc.constantFrom(
    'smtp://',
    'smtps://',
    '127.0.0.1',
    '[::1]',
    ':25',
    ':',
    '?',
    'tls=off',
    '&',
    '=',
    '@',
    ',',
    '/8',
    '\n',
    '\0',
    '%',
    'é',
  )
  const text = fc.oneof(
    fc.string(),
    fc.array(pieces, { maxLength: 8 }).map((parts) => parts.join('')),
  )
  fc.assert(
    fc.property(variable, text, (name, value) => {
      for (const mistake of mistakesOf({ [name]: value })) assert.match(mistake, /^PROXY_.*\.$/)
    }),
    { numRuns: 2000 },
  )
})
