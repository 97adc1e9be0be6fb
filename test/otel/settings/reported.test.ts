/** What is said of OpenTelemetry's variables: in the start line, in warnings, and never. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { ignoredVariables, otelWarnings } from '../../../otel/settings/checks.ts'
import { describeOtel } from '../../../otel/settings/settings.ts'
import { OTLP_SETTINGS, ownVariable, SETTINGS, SIGNALS } from '../../../otel/settings/table.ts'
import { makeAuthority, makeSelfSigned, writeTemporaryFiles } from '../../support/certificates.ts'
import { mistakesOf, settingsOf } from '../../support/otel-settings.ts'

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

test('variables of OpenTelemetry that have no effect here are named, not refused', () => {
  const env = {
    OTEL_LOG_LEVEL: 'debug',
    OTEL_EXPORTER_OTLP_INSECURE: 'true',
    OTEL_EMPTY: '',
    OTEL_SERVICE_NAME: 'x',
    A: 'b',
  }
  assert.deepEqual(ignoredVariables(env), ['OTEL_LOG_LEVEL', 'OTEL_EXPORTER_OTLP_INSECURE'])
  assert.deepEqual(otelWarnings(settingsOf(env), env), [
    'OTEL_LOG_LEVEL, OTEL_EXPORTER_OTLP_INSECURE: not supported by this proxy and ignored. See --help for supported variables.',
  ])
})

test('of an endpoint, long parts of the path are not told: some receivers have their key there', () => {
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

test('what Kubernetes sets for a service called otel-collector is nobody’s setting', () => {
  const env = {
    OTEL_COLLECTOR_SERVICE_HOST: '10.0.0.1',
    OTEL_COLLECTOR_SERVICE_PORT_OTLP_HTTP: '4318',
    OTEL_COLLECTOR_PORT: 'tcp://10.0.0.1:4318',
    OTEL_COLLECTOR_PORT_4318_TCP_ADDR: '10.0.0.1',
  }
  assert.deepEqual(ignoredVariables(env), [])
})

test('a variable of a signal that is not exported by OTLP is warned of', () => {
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://h:4318', OTEL_EXPORTER_OTLP_METRICS_HEADERS: 'a=b' }
  assert.deepEqual(otelWarnings(settingsOf(env), env), [
    'OTEL_EXPORTER_OTLP_METRICS_HEADERS has no effect: metrics are not exported by OTLP. To export them, include otlp in OTEL_METRICS_EXPORTER.',
  ])
})

test('an endpoint at the port of gRPC is warned of', () => {
  const env = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://h:4317/' }
  assert.deepEqual(otelWarnings(settingsOf(env), env), [
    'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: port 4317 is usually for gRPC, which this proxy does not support. OTLP over HTTP ' +
      'usually uses port 4318.',
  ])
})
