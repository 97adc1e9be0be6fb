/** The settings files of the Debian package: they show every setting with its default, in a format that the programs accept. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseEnv } from 'node:util'
import { parseProbe } from '../../../app/probe/settings.ts'
import { readSettings } from '../../../app/settings.ts'
import { probeEnv, proxyEnv } from '../../../docs/generate/host-env.ts'
import { SECTIONS } from '../../../docs/generate/settings.ts'
import { SETTINGS } from '../../../proxy/settings/table.ts'
import type { Section } from '../../../settings/documentation.ts'

/** The settings of a file if an administrator removes every # before a setting. */
const uncommented = (text: string) => parseEnv(text.replaceAll(/^#(?=[A-Z_]+=)/gm, ''))

const names = (sections: readonly Section[]) =>
  sections.flatMap(({ rows }) => rows.map(({ variable }) => variable)).sort()

test('both files have every setting, and set none', () => {
  assert.deepEqual(Object.keys(uncommented(proxyEnv())).sort(), names([...SECTIONS.proxy, ...SECTIONS.opentelemetry]))
  assert.deepEqual(Object.keys(uncommented(probeEnv())).sort(), names(SECTIONS.probe))
  assert.deepEqual({ ...parseEnv(proxyEnv()), ...parseEnv(probeEnv()) }, {})
})

test('every value of the proxy is its default, except the paths of the certificate', () => {
  const { PROXY_TLS_CERT_FILE, PROXY_TLS_KEY_FILE, PROXY_MAX_SESSIONS, ...others } = uncommented(proxyEnv())
  assert.deepEqual(
    [PROXY_TLS_CERT_FILE, PROXY_TLS_KEY_FILE],
    ['/run/ahasend-smtp-proxy/cert.pem', '/run/ahasend-smtp-proxy/key.pem'],
  )
  // an unset one is lower if this machine allows few open files
  assert.equal(PROXY_MAX_SESSIONS, SETTINGS.maxSessions.default)
  assert.deepEqual(readSettings(others), readSettings({}))
})

test('every value of the probe is its default, except the paths of the login and the authority', () => {
  const { PROBE_LOGIN_FILE, PROBE_CA_FILE, ...others } = uncommented(probeEnv())
  const directory = '/run/credentials/ahasend-smtp-proxy-probe.service'
  assert.deepEqual([PROBE_LOGIN_FILE, PROBE_CA_FILE], [`${directory}/probe_login`, `${directory}/probe_ca.pem`])
  const read = () => assert.fail('no file is read')
  assert.deepEqual(parseProbe(others, read), parseProbe({}, read))
})
