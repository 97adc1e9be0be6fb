/** OpenTelemetry's variables: what each stands for. Those that are mistakes: `settings-mistakes.test.ts`. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { OtelSettings } from '../../../otel/settings/effective.ts'
import { OTEL_ROWS, OTLP_SETTINGS, ownVariable, SIGNALS } from '../../../otel/settings/table.ts'
import { writeTemporaryFiles } from '../../support/files/temporary-files.ts'
import { settingsOf } from '../../support/otlp/otel-settings.ts'
import { makeAuthority, makeSelfSigned } from '../../support/tls/certificates.ts'

const authority = await makeAuthority()
const own = await makeSelfSigned({ commonName: 'proxy' })
const { paths, remove } = writeTemporaryFiles({
  'ca.pem': authority.certPem,
  'own.pem': own.certPem,
  'own.key': own.keyPem,
})
after(remove)

/** Everything exported, so that every variable has an effect to be seen. */
const ALL = {
  OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318',
  OTEL_METRICS_EXPORTER: 'prometheus,otlp',
  OTEL_LOGS_EXPORTER: 'otlp',
}

test('without variables: metrics to be scraped, nothing exported', () => {
  assert.deepEqual(settingsOf({}), {
    disabled: false,
    resource: { 'service.name': 'ahasend-smtp-proxy' },
    propagators: ['tracecontext', 'baggage'],
    metrics: { prometheus: true },
  })
})

test('with an endpoint: spans too, as OpenTelemetry has it by default', () => {
  const { traces, metrics, logs } = settingsOf({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' })
  assert.deepEqual(traces, {
    url: 'http://collector:4318/v1/traces',
    headers: {},
    timeoutMs: 10_000,
    compression: 'none',
    delayMs: 5000,
    exportTimeoutMs: 30_000,
    maxQueue: 2048,
    maxBatch: 512,
    sampler: 'parentbased_traceidratio',
    ratio: 0.1,
  })
  assert.deepEqual([metrics, logs], [{ prometheus: true }, undefined])
})

const { 'ca.pem': ca, 'own.pem': certificate, 'own.key': key } = paths
const IDENTITY = { OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: certificate, OTEL_EXPORTER_OTLP_CLIENT_KEY: key }

/** How the name of a test shows a value. */
function nameOf(value: string): string {
  if (value.startsWith('/')) return 'a file'
  return value.includes('\n') ? 'several lines' : value.slice(0, 40)
}

/** A variable with a value beside `ALL`, and what it makes of the settings. */
const EFFECTS: readonly (readonly [
  variable: string,
  value: string,
  seen: (settings: OtelSettings) => unknown,
  unknown,
])[] = [
  ['OTEL_SDK_DISABLED', 'true', (s) => s.disabled, true],
  ['OTEL_SDK_DISABLED', 'False', (s) => s.disabled, false],
  ['OTEL_SERVICE_NAME', 'mail-eu', (s) => s.resource['service.name'], 'mail-eu'],
  ['OTEL_RESOURCE_ATTRIBUTES', 'a=1, b.c=x%2Cy%20z,', (s) => [s.resource.a, s.resource['b.c']], ['1', 'x,y z']],
  ['OTEL_RESOURCE_ATTRIBUTES', 'service.name=mail', (s) => s.resource['service.name'], 'mail'],
  ['OTEL_TRACES_EXPORTER', 'none', (s) => s.traces, undefined],
  ['OTEL_TRACES_EXPORTER', 'OTLP', (s) => s.traces?.url, 'http://collector:4318/v1/traces'],
  ['OTEL_METRICS_EXPORTER', 'prometheus', (s) => s.metrics, { prometheus: true }],
  ['OTEL_METRICS_EXPORTER', 'none', (s) => s.metrics, { prometheus: false }],
  ['OTEL_METRICS_EXPORTER', 'otlp', (s) => [s.metrics.prometheus, s.metrics.otlp?.url.slice(-8)], [false, '/metrics']],
  ['OTEL_METRICS_EXPORTER', 'both', (s) => [s.metrics.prometheus, s.metrics.otlp?.url.slice(-8)], [true, '/metrics']],
  ['OTEL_METRICS_EXPORTER', 'otlp, prometheus', (s) => [s.metrics.prometheus, !s.metrics.otlp], [true, false]],
  ['OTEL_LOGS_EXPORTER', 'none', (s) => s.logs, undefined],
  ['OTEL_TRACES_SAMPLER', 'always_on', (s) => s.traces?.sampler, 'always_on'],
  ['OTEL_TRACES_SAMPLER', 'Always_Off', (s) => s.traces?.sampler, 'always_off'],
  ['OTEL_TRACES_SAMPLER', 'traceidratio', (s) => s.traces?.sampler, 'traceidratio'],
  ['OTEL_TRACES_SAMPLER', 'parentbased_always_on', (s) => s.traces?.sampler, 'parentbased_always_on'],
  ['OTEL_TRACES_SAMPLER', 'parentbased_always_off', (s) => s.traces?.sampler, 'parentbased_always_off'],
  ['OTEL_TRACES_SAMPLER', 'parentbased_traceidratio', (s) => s.traces?.sampler, 'parentbased_traceidratio'],
  ['OTEL_TRACES_SAMPLER_ARG', '0', (s) => s.traces?.ratio, 0],
  ['OTEL_TRACES_SAMPLER_ARG', '.25', (s) => s.traces?.ratio, 0.25],
  ['OTEL_TRACES_SAMPLER_ARG', '1', (s) => s.traces?.ratio, 1],
  ['OTEL_TRACES_SAMPLER_ARG', '1e-3', (s) => s.traces?.ratio, 0.001],
  ['OTEL_PROPAGATORS', 'tracecontext', (s) => s.propagators, ['tracecontext']],
  ['OTEL_PROPAGATORS', 'baggage,tracecontext,baggage', (s) => s.propagators, ['tracecontext', 'baggage']],
  ['OTEL_PROPAGATORS', 'none', (s) => s.propagators, []],
  ['OTEL_METRIC_EXPORT_INTERVAL', '90000', (s) => s.metrics.otlp?.intervalMs, 90_000],
  ['OTEL_METRIC_EXPORT_INTERVAL', '5000', (s) => s.metrics.otlp?.exportTimeoutMs, 5000],
  ['OTEL_METRIC_EXPORT_TIMEOUT', '7000', (s) => s.metrics.otlp?.exportTimeoutMs, 7000],
  ['OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE', 'delta', (s) => s.metrics.otlp?.temporality, 'delta'],
  ['OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE', 'LowMemory', (s) => s.metrics.otlp?.temporality, 'lowmemory'],
  ['OTEL_BSP_SCHEDULE_DELAY', '100', (s) => s.traces?.delayMs, 100],
  ['OTEL_BSP_EXPORT_TIMEOUT', '200', (s) => s.traces?.exportTimeoutMs, 200],
  ['OTEL_BSP_MAX_QUEUE_SIZE', '4096', (s) => s.traces?.maxQueue, 4096],
  ['OTEL_BSP_MAX_QUEUE_SIZE', '100', (s) => s.traces?.maxBatch, 100],
  ['OTEL_BSP_MAX_EXPORT_BATCH_SIZE', '64', (s) => s.traces?.maxBatch, 64],
  ['OTEL_BLRP_SCHEDULE_DELAY', '100', (s) => s.logs?.delayMs, 100],
  ['OTEL_BLRP_EXPORT_TIMEOUT', '200', (s) => s.logs?.exportTimeoutMs, 200],
  ['OTEL_BLRP_MAX_QUEUE_SIZE', '4096', (s) => s.logs?.maxQueue, 4096],
  ['OTEL_BLRP_MAX_QUEUE_SIZE', '100', (s) => s.logs?.maxBatch, 100],
  ['OTEL_BLRP_MAX_EXPORT_BATCH_SIZE', '64', (s) => s.logs?.maxBatch, 64],
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'https://o.example/a/', (s) => s.logs?.url, 'https://o.example/a/v1/logs'],
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'http://[::1]:4318', (s) => s.traces?.url, 'http://[::1]:4318/v1/traces'],
  ['OTEL_EXPORTER_OTLP_HEADERS', 'a=b%3Dc, X-D = e=f', (s) => s.logs?.headers, { a: 'b=c', 'X-D': 'e=f' }],
  ['OTEL_EXPORTER_OTLP_TIMEOUT', '1500', (s) => s.traces?.timeoutMs, 1500],
  ['OTEL_EXPORTER_OTLP_COMPRESSION', 'gzip', (s) => s.traces?.compression, 'gzip'],
  ['OTEL_EXPORTER_OTLP_PROTOCOL', 'http/protobuf', (s) => s.traces?.timeoutMs, 10_000],
  ['OTEL_EXPORTER_OTLP_CERTIFICATE', ca, (s) => s.traces?.authorities, { path: ca, pem: authority.certPem }],
  ['OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE', certificate, (s) => s.logs?.clientCertificate?.pem, own.certPem],
  ['OTEL_EXPORTER_OTLP_CLIENT_KEY', key, (s) => s.logs?.clientKey?.pem, own.keyPem],
]

for (const [variable, value, seen, expected] of EFFECTS) {
  test(`${variable}=${nameOf(value)}`, () => {
    const partner = variable.includes('CLIENT') ? IDENTITY : {}
    assert.deepEqual(seen(settingsOf({ ...ALL, ...partner, [variable]: value })), expected)
  })
}

/** A signal's own variable, and the setting that it changes for this signal alone. */
const OWN: readonly (readonly [row: keyof typeof OTLP_SETTINGS, value: string, setting: string, expected: unknown])[] =
  [
    ['endpoint', 'https://o.example/in?key=1', 'url', 'https://o.example/in?key=1'],
    ['headers', 'a=own,c=d', 'headers', { a: 'own', b: 'all', c: 'd' }],
    ['timeoutMs', '77', 'timeoutMs', 77],
    ['compression', 'gzip', 'compression', 'gzip'],
    ['protocol', 'http/protobuf', 'timeoutMs', 10_000],
    ['authorities', ca, 'authorities', { path: ca, pem: authority.certPem }],
    ['clientKey', key, 'clientKey', { path: key, pem: own.keyPem }],
    ['clientCertificate', certificate, 'clientCertificate', { path: certificate, pem: own.certPem }],
  ]

for (const signal of SIGNALS) {
  for (const [row, value, setting, expected] of OWN) {
    const variable = ownVariable(OTLP_SETTINGS[row], signal)
    test(`${variable} goes before the one for all signals, for ${signal} alone`, () => {
      const partner = row.startsWith('client') ? IDENTITY : {}
      const env = { ...ALL, ...partner, OTEL_EXPORTER_OTLP_HEADERS: 'a=all,b=all' }
      const { traces, metrics, logs } = settingsOf({ ...env, [variable]: value })
      const settings: Record<string, object | undefined> = { traces, metrics: metrics.otlp, logs }
      assert.deepEqual((settings[signal] as Record<string, unknown>)[setting], expected)
      const before = settingsOf(env)
      const others = SIGNALS.filter((one) => one !== signal)
      const unchanged: Record<string, unknown> = { ...before, metrics: before.metrics.otlp }
      for (const one of others) assert.deepEqual(settings[one], unchanged[one])
    })
  }
}

test('OTEL_SERVICE_NAME goes before the service.name of OTEL_RESOURCE_ATTRIBUTES', () => {
  const env = { OTEL_SERVICE_NAME: 'mail', OTEL_RESOURCE_ATTRIBUTES: 'service.name=other' }
  assert.equal(settingsOf(env).resource['service.name'], 'mail')
})

test('an endpoint for one signal alone exports that signal alone', () => {
  const { traces, metrics, logs } = settingsOf({
    OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: 'http://h:1',
    OTEL_LOGS_EXPORTER: 'otlp',
  })
  assert.deepEqual([traces, metrics, logs?.url], [undefined, { prometheus: true }, 'http://h:1/'])
})

test('every variable of the table has its effect proved above', () => {
  const proved = new Set(EFFECTS.map(([variable]) => variable))
  for (const { variable } of OTEL_ROWS) assert.ok(proved.has(variable), variable)
  assert.deepEqual(
    OWN.map(([row]) => row),
    Object.keys(OTLP_SETTINGS),
  )
})

test('an empty value counts as unset, as OpenTelemetry specifies', () => {
  const variables = [...OTEL_ROWS.map(({ variable }) => variable), ...SIGNALS.flatMap(allOwn)]
  for (const empty of ['', ' ']) {
    assert.deepEqual(settingsOf(Object.fromEntries(variables.map((variable) => [variable, empty]))), settingsOf({}))
  }
  assert.equal(
    settingsOf({ ...ALL, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: ' ' }).traces?.url,
    'http://collector:4318/v1/traces',
  )
})

function allOwn(signal: (typeof SIGNALS)[number]): string[] {
  return Object.values(OTLP_SETTINGS).map((row) => ownVariable(row, signal))
}
