/** Which unknown names in the environment are misspelled settings, and which belong to other programs. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ALERT_ROWS } from '../../dashboards/alertmanager/settings.ts'
import { STACK_VARIABLES } from '../../dashboards/alertmanager/stack-variables.ts'
import { COMPOSE_NAMES, foreignVariables } from '../../proxy/settings/checks.ts'
import { parseConfig } from '../../proxy/settings/settings.ts'
import { ROWS } from '../../proxy/settings/table.ts'
import { unknownNames } from '../../settings/names.ts'

const OF_PROXY = [...ROWS.map(({ variable }) => variable), ...COMPOSE_NAMES]
const OF_ALERTS = ALERT_ROWS.map(({ variable }) => variable)
const KNOWN = [...OF_PROXY, ...OF_ALERTS, ...STACK_VARIABLES]

function judge(name: string) {
  return unknownNames({ [name]: 'hunter2' }, KNOWN)
}

/** Misspelled names, and the setting that is meant. */
const MISSPELLED: readonly (readonly [name: string, meant: string])[] = [
  // a letter is missing, doubled, swapped or another one
  ['PROXY_LISTN', 'PROXY_LISTEN'],
  ['PROXY_LISTEEN', 'PROXY_LISTEN'],
  ['PROXY_LITSEN', 'PROXY_LISTEN'],
  ['PROXY_LISTEM', 'PROXY_LISTEN'],
  ['PROXY_UPSTREM', 'PROXY_UPSTREAM'],
  ['PROXY_UPSRTEAM', 'PROXY_UPSTREAM'],
  ['PROXY_ALOW', 'PROXY_ALLOW'],
  ['PROXY_ADMN', 'PROXY_ADMIN'],
  ['PROXY_IDEL_TIMEOUT', 'PROXY_IDLE_TIMEOUT'],
  ['PROXY_DAIL_TIMEOUT', 'PROXY_DIAL_TIMEOUT'],
  ['PROXY_DRIAN_TIMOUT', 'PROXY_DRAIN_TIMEOUT'],
  ['PROXY_LGO_LEVEL', 'PROXY_LOG_LEVEL'],
  ['PROXY_TSL_CERT_FILE', 'PROXY_TLS_CERT_FILE'],
  ['PROXY_RECORD_ADRESSES', 'PROXY_RECORD_ADDRESSES'],
  ['PROXY_STOP_GRCE', 'PROXY_STOP_GRACE'],
  ['ALERT_WEBHOK_URL', 'ALERT_WEBHOOK_URL'],
  ['ALERT_SLACK_URI', 'ALERT_SLACK_URL'],
  ['GRAFANA_ADMIN_PASWORD', 'GRAFANA_ADMIN_PASSWORD'],
  ['SMTP_PUBLSH', 'SMTP_PUBLISH'],
  // singular, plural and other endings
  ['PROXY_CLIENT', 'PROXY_CLIENTS'],
  ['PROXY_UPSTREAMS', 'PROXY_UPSTREAM'],
  ['PROXY_WORKER', 'PROXY_WORKERS'],
  ['PROXY_LISTENERS', 'PROXY_LISTEN'],
  ['PROXY_ALLOWED', 'PROXY_ALLOW'],
  ['PROXY_RECORDED_ADDRESSES', 'PROXY_RECORD_ADDRESSES'],
  ['PROXY_RECORD_ADDRESS', 'PROXY_RECORD_ADDRESSES'],
  ['PROXY_WARM_CONECTION', 'PROXY_WARM_CONNECTIONS'],
  ['PROXY_MAX_SESSION_PER_CLIENTS', 'PROXY_MAX_SESSIONS_PER_CLIENT'],
  // words in another order
  ['PROXY_TIMEOUT_IDLE', 'PROXY_IDLE_TIMEOUT'],
  ['PROXY_SESSIONS_MAX', 'PROXY_MAX_SESSIONS'],
  ['PROXY_CERT_TLS_FILE', 'PROXY_TLS_CERT_FILE'],
  // an underscore too many or too few
  ['PROXY_LOGLEVEL', 'PROXY_LOG_LEVEL'],
  ['PROXY_MAXSESSION', 'PROXY_MAX_SESSIONS'],
  ['PROXY_TLS_CERTFILE', 'PROXY_TLS_CERT_FILE'],
  ['PROXY_IDLE_TIME_OUT', 'PROXY_IDLE_TIMEOUT'],
  ['PROXY_UP_STREAM', 'PROXY_UPSTREAM'],
  ['PROXY__LISTEN', 'PROXY_LISTEN'],
  ['PROXY_LISTEN_', 'PROXY_LISTEN'],
  ['PROXY_log_level', 'PROXY_LOG_LEVEL'],
]

describe('A misspelled name is a mistake: ', () => {
  for (const [name, meant] of MISSPELLED)
    test(`${name} is ${meant}`, () =>
      assert.deepEqual(judge(name), {
        misspelled: [`${name}: there is no such setting. Did you mean ${meant}?`],
        foreign: [],
      }))
})

/** Names that other programs and companies use. */
const FOREIGN: readonly string[] = [
  'PROXY_URL',
  'PROXY_URI',
  'PROXY_HOST',
  'PROXY_HOSTNAME',
  'PROXY_PORT',
  'PROXY_ADDR',
  'PROXY_ADDRESS',
  'PROXY_SERVER',
  'PROXY_SERVERS',
  'PROXY_USER',
  'PROXY_USERNAME',
  'PROXY_PASS',
  'PROXY_PASSWORD',
  'PROXY_AUTH',
  'PROXY_DOMAIN',
  'PROXY_ENABLED',
  'PROXY_MODE',
  'PROXY_TYPE',
  'PROXY_NAME',
  'PROXY_LIST',
  'PROXY_STREAM',
  'PROXY_PROTOCOL',
  'PROXY_TIMEOUT',
  'PROXY_CONNECT_TIMEOUT',
  'PROXY_CONNECTION_TIMEOUT',
  'PROXY_READ_TIMEOUT',
  'PROXY_SEND_TIMEOUT',
  'PROXY_CLIENT_TIMEOUT',
  'PROXY_CLIENT_ID',
  'PROXY_CLIENT_SECRET',
  'PROXY_MAX_CONNECTIONS',
  'PROXY_HTTP_PORT',
  'PROXY_LOG_FILE',
  'PROXY_BUFFER_SIZE',
  'PROXY_SSL_CERT',
  'PROXY_',
  'ALERT_LOUDNESS',
  'SMTP_HOST',
  'LOG_LEVEL',
  'NODE_ENV',
]

describe('A name with a word of its own, or without one, belongs to another program: ', () => {
  for (const name of FOREIGN) test(name, () => assert.deepEqual(judge(name), { misspelled: [], foreign: [name] }))
})

describe('A foreign name is listed with the one setting that has a word more or less: ', () => {
  const SIMILAR: readonly (readonly [name: string, setting: string])[] = [
    ['PROXY_ADMIN_URL', 'PROXY_ADMIN'],
    ['PROXY_LISTEN_ADDR', 'PROXY_LISTEN'],
    ['PROXY_UPSTREAM_HOST', 'PROXY_UPSTREAM'],
    ['PROXY_MEMORY_LIMIT', 'PROXY_MEMORY'],
    ['PROXY_SESSIONS', 'PROXY_MAX_SESSIONS'],
    ['PROXY_CERT_FILE', 'PROXY_TLS_CERT_FILE'],
    ['PROXY_TLS_KEY', 'PROXY_TLS_KEY_FILE'],
    ['PROXY_CA_FILE', 'PROXY_UPSTREAM_CA_FILE'],
    ['ALERT_WEBHOOK', 'ALERT_WEBHOOK_URL'],
    ['GRAFANA_PASSWORD', 'GRAFANA_ADMIN_PASSWORD'],
  ]
  for (const [name, setting] of SIMILAR)
    test(`${name} and ${setting}`, () =>
      assert.deepEqual(judge(name), { misspelled: [], foreign: [`${name} (similar to ${setting})`] }))
})

test('one wrong letter in any setting is a mistake', () => {
  for (const name of KNOWN.filter((setting) => setting.includes('_')))
    for (let index = name.indexOf('_') + 1; index < name.length; index += 1) {
      const [before, letter, after] = [name.slice(0, index), name[index]!, name.slice(index + 1)]
      const next = after.slice(0, 1)
      const typos = [before + after, before + letter + letter + after, before + next + letter + after.slice(1)]
      for (const typo of typos.filter((one) => !KNOWN.includes(one)))
        assert.equal(judge(typo).misspelled.length, 1, typo)
    }
})

test('a known name is neither, and no other setting', () => {
  assert.deepEqual(unknownNames(Object.fromEntries(KNOWN.map((name) => [name, 'x'])), KNOWN), {
    misspelled: [],
    foreign: [],
  })
})

function mistakesOf(env: Readonly<Record<string, string>>): readonly string[] {
  const parsed = parseConfig(env)
  return 'mistakes' in parsed ? parsed.mistakes : []
}

test('the proxy does not start with misspelled variables, and gives no warning besides', () => {
  const ofProxy = MISSPELLED.filter(([name]) => name.startsWith('PROXY_'))
  const env = Object.fromEntries(ofProxy.map(([name]) => [name, 'hunter2hunter2']))
  const told = ofProxy.map(([name, meant]) => `${name}: there is no such setting. Did you mean ${meant}?`)
  assert.deepEqual(mistakesOf(env), told)
  assert.deepEqual(foreignVariables(env), [])
})

test('foreign variables are a warning that names them, not a mistake', () => {
  const ofProxy = FOREIGN.filter((name) => name.startsWith('PROXY_'))
  const env = Object.fromEntries(ofProxy.map((name) => [name, 'hunter2hunter2']))
  assert.deepEqual(mistakesOf(env), [])
  assert.deepEqual(foreignVariables(env), [
    `${ofProxy.join(', ')}: unknown to this proxy and ignored. See --help all for its settings.`,
  ])
  assert.deepEqual(foreignVariables({}), [])
})

test('a foreign variable with a word more or less than a setting is a warning that names the setting', () => {
  const env = { PROXY_ADMIN_URL: 'hunter2hunter2', PROXY_CERT_FILE: 'x', PROXY_URL: 'x' }
  assert.deepEqual(mistakesOf(env), [])
  assert.deepEqual(foreignVariables(env), [
    'PROXY_ADMIN_URL (similar to PROXY_ADMIN), PROXY_CERT_FILE (similar to PROXY_TLS_CERT_FILE), PROXY_URL: ' +
      'unknown to this proxy and ignored. See --help all for its settings.',
  ])
})

test('names of compose.yaml and empty variables are left alone', () => {
  const env = { PROXY_IMAGE: 'x', PROXY_MEMORY: '1g', PROXY_CPUS: '2', PROXY_STOP_GRACE: '60s', PROXY_LISTN: ' ' }
  assert.deepEqual([...mistakesOf(env), ...foreignVariables(env)], [])
})

test('variables of others are left alone, also those Kubernetes sets for a service called proxy', () => {
  const env = {
    PATH: '/bin',
    proxy_listen: 'x',
    HTTP_PROXY: 'http://127.0.0.1:1',
    OTEL_SERVICE_NAME: 'x',
    PROXY_SERVICE_HOST: '10.0.0.11',
    PROXY_SERVICE_PORT: '2525',
    PROXY_SERVICE_PORT_SMTP: '2525',
    PROXY_PORT: 'tcp://10.0.0.11:2525',
    PROXY_PORT_2525_TCP: 'tcp://10.0.0.11:2525',
    PROXY_PORT_2525_TCP_PROTO: 'tcp',
    PROXY_PORT_2525_TCP_PORT: '2525',
    PROXY_PORT_2525_TCP_ADDR: '10.0.0.11',
    PROXY_ADMIN_SERVICE_HOST: '10.0.0.12',
  }
  assert.deepEqual([...mistakesOf(env), ...foreignVariables(env)], [])
})
