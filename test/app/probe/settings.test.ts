/** The settings of the probe: what is read, what is refused, and what the log shows. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, describe, test } from 'node:test'
import { describeProbe, PROBE_ROWS, parseProbe, unknownProbeNames } from '../../../app/probe/settings.ts'
import { probeErrors, probeMetrics, probeSteps } from '../../../otel/names/names.ts'
import { writeTemporaryFiles } from '../../support/files/temporary-files.ts'
import { makeAuthority } from '../../support/tls/certificates.ts'

type Env = Readonly<Record<string, string>>

const { certPem } = await makeAuthority()
const files = writeTemporaryFiles({ login: 'probe\nhunter2\n', empty: '', 'ca.pem': certPem })
after(() => files.remove())
const { paths } = files

const readText = (path: string) => readFileSync(path, 'utf8')

function parsed(env: Env) {
  const result = parseProbe(env, readText)
  if ('mistakes' in result) assert.fail(result.mistakes.join('\n'))
  return result.settings
}

function mistakesOf(env: Env): readonly string[] {
  const result = parseProbe(env, readText)
  return 'mistakes' in result ? result.mistakes : []
}

test('every setting is optional', () => {
  assert.deepEqual(parsed({}), {
    target: { scheme: 'smtp', host: '127.0.0.1', port: 2525 },
    serverName: '127.0.0.1',
    intervalMs: 60_000,
    timeoutMs: 30_000,
    tls: 'verify',
    metrics: { host: '127.0.0.1', port: 9465 },
  })
})

test('all settings', () => {
  const env = {
    PROBE_TARGET: 'smtps://proxy:465',
    PROBE_USER: 'probe',
    PROBE_PASSWORD: ' hunter2 ',
    PROBE_FROM: 'probe@example.com',
    PROBE_TO: 'nobody@example.net',
    PROBE_INTERVAL: '30s',
    PROBE_TIMEOUT: '10s',
    PROBE_TLS: 'unverified',
    PROBE_CA_FILE: paths['ca.pem'],
    PROBE_SERVER_NAME: 'smtp.example.com',
    PROBE_METRICS: 'off',
  }
  const settings = parsed(env)
  assert.deepEqual(settings, {
    target: { scheme: 'smtps', host: 'proxy', port: 465 },
    login: { user: 'probe', password: ' hunter2 ' },
    envelope: { from: 'probe@example.com', to: 'nobody@example.net' },
    serverName: 'smtp.example.com',
    authorities: certPem,
    intervalMs: 30_000,
    timeoutMs: 10_000,
    tls: 'unverified',
  })
  assert.deepEqual(describeProbe(settings), {
    PROBE_TARGET: 'smtps://proxy:465',
    PROBE_INTERVAL: '30s',
    PROBE_TIMEOUT: '10s',
    PROBE_TLS: 'unverified',
    PROBE_SERVER_NAME: 'smtp.example.com',
    PROBE_METRICS: 'off',
  })
})

test('a login in a file, and the recipient that is the sender', () => {
  const { login, envelope } = parsed({ PROBE_LOGIN_FILE: paths.login, PROBE_FROM: 'probe@example.com' })
  assert.deepEqual(login, { user: 'probe', password: 'hunter2' })
  assert.deepEqual(envelope, { from: 'probe@example.com', to: 'probe@example.com' })
})

/** Variables that make exactly one mistake. */
const REFUSED: readonly (readonly [env: Env, says: RegExp])[] = [
  [{ PROBE_TARGET: 'proxy:2525' }, /^PROBE_TARGET: got "proxy:2525", expected a URL such as smtp:\/\/127.0.0.1:2525/],
  [{ PROBE_TARGET: 'http://proxy:2525' }, /begins with smtp:\/\/ or smtps:\/\//],
  [{ PROBE_TARGET: 'smtp://proxy:0' }, /a port from 1 to 65535/],
  [{ PROBE_TARGET: 'smtp://proxy:25?client=probe' }, /expected no parameters/],
  [{ PROBE_TARGET: 'smtp://u:hunter2@proxy:25' }, /expected a URL without credentials\. .*set PROBE_LOGIN_FILE, or/],
  [{ PROBE_USER: 'probe' }, /^PROBE_PASSWORD: got nothing, expected a password, because PROBE_USER is set\. Set both/],
  [{ PROBE_PASSWORD: 'hunter2' }, /^PROBE_USER: got nothing, expected a user name, because PROBE_PASSWORD is set/],
  [
    { PROBE_LOGIN_FILE: paths.login, PROBE_USER: 'probe', PROBE_PASSWORD: 'x' },
    /^PROBE_LOGIN_FILE: got a second login, expected one login: PROBE_USER is set\. Unset PROBE_LOGIN_FILE, or/,
  ],
  [{ PROBE_LOGIN_FILE: paths.empty }, /empty", expected a file with the user name on the first line and the password/],
  [{ PROBE_LOGIN_FILE: '/no/such/file' }, /^PROBE_LOGIN_FILE: got "\/no\/such\/file", .* can read \(ENOENT\)/],
  [{ PROBE_FROM: 'probe' }, /^PROBE_FROM: got "probe", expected one address such as probe@your-domain.example/],
  [{ PROBE_FROM: 'a@b.example>\r\nDATA' }, /^PROBE_FROM: got \(several lines, not shown\)/],
  [{ PROBE_TO: 'you@example.com' }, /^PROBE_FROM: got nothing, expected an address, because PROBE_TO is set/],
  [{ PROBE_INTERVAL: '1s' }, /^PROBE_INTERVAL: .* from 10s to 1h.* Choose 10s or more/],
  [{ PROBE_TIMEOUT: '0s' }, /^PROBE_TIMEOUT: .* from 1s to 5m/],
  [
    { PROBE_INTERVAL: '10s' },
    /^PROBE_TIMEOUT: got 30s, expected at most 10s, the value of PROBE_INTERVAL\. Lower the one or raise the other/,
  ],
  [{ PROBE_TLS: 'off' }, /^PROBE_TLS: got "off", expected one of verify, required, unverified/],
  [{ PROBE_CA_FILE: paths.login }, /^PROBE_CA_FILE: .* a file with PEM certificates/],
  [{ PROBE_SERVER_NAME: 'smtp://x' }, /^PROBE_SERVER_NAME: got "smtp:\/\/x", expected a host name/],
  [{ PROBE_METRICS: '9465' }, /^PROBE_METRICS: got "9465", expected a URL such as/],
  [{ PROBE_PASWORD: 'hunter2' }, /^PROBE_PASWORD: there is no such setting\. Did you mean PROBE_PASSWORD\?$/],
  [{ PROBE_INTERVALL: '1m' }, /Did you mean PROBE_INTERVAL\?/],
]

describe('A mistake is reported, without the password: ', () => {
  for (const [env, says] of REFUSED)
    test(JSON.stringify(env), () => {
      const mistakes = mistakesOf(env)
      assert.equal(mistakes.length, 1, mistakes.join('\n'))
      assert.match(mistakes[0]!, says)
      assert.doesNotMatch(mistakes[0]!, /hunter2/)
    })
})

test('names of other programs and of Kubernetes are no mistakes', () => {
  const env = { PROBE_PORT: 'tcp://10.0.0.1:9465', PROBE_SERVICE_HOST: '10.0.0.1', PROBE_COLOR: 'red' }
  assert.deepEqual(mistakesOf(env), [])
  assert.deepEqual(unknownProbeNames(env), { misspelled: [], foreign: ['PROBE_COLOR'] })
})

test('docs/probe.md explains each metric, step and error', () => {
  const page = readFileSync(new URL('../../../docs/probe.md', import.meta.url), 'utf8')
  const names = Object.values(probeMetrics).map(({ prometheus }) => prometheus)
  const missing = [...names, ...probeSteps, ...probeErrors].filter((name) => !page.includes(`\`${name}\``))
  assert.deepEqual(missing, [])
})

test('each setting is documented in one line', () => {
  for (const { variable, meaning } of PROBE_ROWS) assert.match(meaning, /^[^\n]{20,}\.$/, variable)
})
