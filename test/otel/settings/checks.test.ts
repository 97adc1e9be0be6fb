/** Variables that contradict each other, that are unknown, or that have no effect. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { contradictions, ignoredVariables, otelWarnings, type ReadValues } from '../../../otel/settings/checks.ts'
import { settingsOf } from '../../support/otlp/otel-settings.ts'
import { makeSelfSigned } from '../../support/tls/certificates.ts'

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

test('what Kubernetes sets for a service called otel-collector is no setting of the proxy', () => {
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

const own = await makeSelfSigned()
const other = await makeSelfSigned()
const certificate = { path: '/own.pem', pem: own.certPem }
const key = { path: '/own.key', pem: own.keyPem }
const wrongKey = { path: '/other.key', pem: other.keyPem }
const FOR_ALL = { OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: '/own.pem', OTEL_EXPORTER_OTLP_CLIENT_KEY: '/own.key' }

type Env = Readonly<Record<string, string>>

describe('Contradictions: ', () => {
  const CASES: readonly (readonly [title: string, ReadValues, Env, ...mistakes: RegExp[]])[] = [
    ['none', {}, {}],
    [
      'OTLP without an endpoint',
      { logsExporter: ['otlp'] },
      {},
      /^OTEL_LOGS_EXPORTER: got otlp, expected an endpoint to export to\./,
    ],
    ['OTLP with an endpoint that cannot be read', { logsExporter: ['otlp'] }, { OTEL_EXPORTER_OTLP_ENDPOINT: 'x' }],
    [
      'a batch above its queue',
      { spanBatch: 9, spanQueue: 5 },
      { OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '9' },
      /^OTEL_BSP_MAX_EXPORT_BATCH_SIZE: got 9, expected at most 5, the value of OTEL_BSP_MAX_QUEUE_SIZE\./,
    ],
    ['a default batch above its queue', { spanBatch: 9, spanQueue: 5 }, { OTEL_BSP_MAX_QUEUE_SIZE: '5' }],
    ['a certificate and its key', { clientCertificate: certificate, clientKey: key }, FOR_ALL],
    [
      'the key of another certificate, once for all signals',
      { clientCertificate: certificate, clientKey: wrongKey },
      FOR_ALL,
      /^OTEL_EXPORTER_OTLP_CLIENT_KEY: got "\/other.key" for "\/own.pem", expected the key of that certificate\./,
    ],
    [
      'the key of one signal with the certificate for all',
      { clientCertificate: certificate, clientKey: key, 'logs.clientKey': wrongKey },
      { ...FOR_ALL, OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY: '/other.key' },
      /^OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY: got "\/other.key" for "\/own.pem"/,
    ],
    [
      'a key of one signal that cannot be read',
      { clientCertificate: certificate, clientKey: wrongKey },
      {
        OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY: '/no/such',
        OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY: '/no/such',
        OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY: '/no/such',
        ...FOR_ALL,
      },
    ],
    [
      'a key without a certificate',
      {},
      { OTEL_EXPORTER_OTLP_CLIENT_KEY: '/own.key' },
      /^OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: got nothing, expected a file, because OTEL_EXPORTER_OTLP_CLIENT_KEY is set/,
    ],
  ]
  for (const [title, values, env, ...expected] of CASES)
    test(title, () => {
      const mistakes = contradictions(values, env)
      assert.equal(mistakes.length, expected.length, mistakes.join('\n'))
      for (const [index, says] of expected.entries()) assert.match(mistakes[index] ?? '', says)
    })
})
