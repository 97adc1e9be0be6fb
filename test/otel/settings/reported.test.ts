/** What is said of OpenTelemetry's variables: in the start line, in warnings, and never. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { ignoredVariables, otelWarnings } from '../../../otel/settings/checks.ts'
import { SETTINGS } from '../../../otel/settings/general.ts'
import { describeOtel } from '../../../otel/settings/settings.ts'
import { OTLP_SETTINGS, ownVariable, SIGNALS } from '../../../otel/settings/table.ts'
import { writeTemporaryFiles } from '../../support/files/temporary-files.ts'
import { mistakesOf, settingsOf } from '../../support/otlp/otel-settings.ts'
import { makeAuthority, makeSelfSigned } from '../../support/tls/certificates.ts'

const authority = await makeAuthority()
const own = await makeSelfSigned({ commonName: 'proxy' })
const { paths, remove } = writeTemporaryFiles({
  'ca.pem': authority.certPem,
  'own.pem': own.certPem,
  'own.key': own.keyPem,
})
after(remove)

const { 'ca.pem': ca, 'own.pem': certificate, 'own.key': key } = paths
const IDENTITY = { OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: certificate, OTEL_EXPORTER_OTLP_CLIENT_KEY: key }

/** Everything exported. */
const ALL = {
  OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318',
  OTEL_METRICS_EXPORTER: 'prometheus,otlp',
  OTEL_LOGS_EXPORTER: 'otlp',
}

function allOwn(signal: (typeof SIGNALS)[number]): string[] {
  return Object.values(OTLP_SETTINGS).map((row) => ownVariable(row, signal))
}

test('the start line tells what is in effect, and only that', () => {
  assert.deepEqual(describeOtel(settingsOf({})), {
    OTEL_SDK_DISABLED: false,
    OTEL_SERVICE_NAME: 'ahasend-smtp-proxy',
    OTEL_RESOURCE_ATTRIBUTES: 'service.name',
    OTEL_TRACES_EXPORTER: 'none',
    OTEL_METRICS_EXPORTER: 'prometheus',
    OTEL_LOGS_EXPORTER: 'none',
    OTEL_PROPAGATORS: 'tracecontext,baggage',
  })
  const env = { ...ALL, ...IDENTITY, OTEL_EXPORTER_OTLP_CERTIFICATE: ca, OTEL_EXPORTER_OTLP_HEADERS: 'a=b' }
  const described = describeOtel(settingsOf(env))
  const expected = [...Object.values(SETTINGS).map(({ variable }) => variable), ...SIGNALS.flatMap(allOwn)]
  assert.deepEqual(Object.keys(described).sort(), expected.sort())
  assert.equal(described.OTEL_METRICS_EXPORTER, 'prometheus,otlp')
  assert.equal(described.OTEL_EXPORTER_OTLP_LOGS_ENDPOINT, 'http://collector:4318/v1/logs')
  assert.equal(described.OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY, key)
})

test('a sampler that knows no ratio has none in effect', () => {
  assert.ok(!('OTEL_TRACES_SAMPLER_ARG' in describeOtel(settingsOf({ ...ALL, OTEL_TRACES_SAMPLER: 'always_on' }))))
})

test('no secret is in a mistake, a warning or the start line (PRV-10)', () => {
  const secret = 'hunter2'
  const good = {
    ...ALL,
    ...IDENTITY,
    OTEL_EXPORTER_OTLP_ENDPOINT: `https://user:${secret}@collector:4317`,
    OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: `https://collector/in?api-key=${secret}`,
    OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer%20${secret}`,
    OTEL_EXPORTER_OTLP_TRACES_HEADERS: `x-key=${secret}`,
    OTEL_RESOURCE_ATTRIBUTES: `account=${secret}`,
    OTEL_UNKNOWN_TOKEN: secret,
  }
  const settings = settingsOf(good)
  const said = [describeOtel(settings), otelWarnings(settings, good), ignoredVariables(good)]
  const bad = {
    OTEL_EXPORTER_OTLP_ENDPOINT: `https://user:${secret}@collector:4317?key=${secret}`,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `ftp://user:${secret}@collector`,
    OTEL_EXPORTER_OTLP_HEADERS: `${secret}`,
    OTEL_EXPORTER_OTLP_LOGS_HEADERS: `a=${secret};b,${secret} =`,
    OTEL_RESOURCE_ATTRIBUTES: `account=a=${secret}`,
    OTEL_EXPORTER_OTLP_CLIENT_KEY: `-----BEGIN PRIVATE KEY----- ${secret}`,
  }
  assert.equal(mistakesOf(bad).length, 8)
  const all = JSON.stringify([said, mistakesOf(bad)])
  assert.ok(!all.includes(secret), all)
  for (const line of own.keyPem.split('\n').slice(1, -2)) assert.ok(!all.includes(line))
})

test('long parts of an endpoint’s path are not reported: some receivers have their key there', () => {
  const key = 'ZaVnC4dhaV1-AHA-SEND-key'
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: `https://collector.observability.example/receiver/${key}` }
  assert.equal(
    describeOtel(settingsOf(env)).OTEL_EXPORTER_OTLP_TRACES_ENDPOINT,
    'https://collector.observability.example/receiver/***/v1/traces',
  )
  const bad = {
    OTEL_EXPORTER_OTLP_ENDPOINT: `https://collector/${key}?x=y`,
    OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: `ftp://collector/${key}/in`,
  }
  assert.equal(mistakesOf(bad).length, 2)
  assert.ok(!mistakesOf(bad).join().includes(key))
})

test('of a telemetry that is turned off, nothing else is in effect', () => {
  assert.deepEqual(describeOtel(settingsOf({ ...ALL, OTEL_SDK_DISABLED: 'true' })), { OTEL_SDK_DISABLED: true })
})
