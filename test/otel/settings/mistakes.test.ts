/** Values of OpenTelemetry's variables that are mistakes, and what is said of them. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { OTEL_ROWS, OTLP_SETTINGS, ownVariable, SIGNALS } from '../../../otel/settings/table.ts'
import { writeTemporaryFiles } from '../../support/files/temporary-files.ts'
import { mistakesOf } from '../../support/otlp/otel-settings.ts'
import { makeSelfSigned } from '../../support/tls/certificates.ts'

const own = await makeSelfSigned({ commonName: 'proxy' })
const other = await makeSelfSigned()
const { paths, remove } = writeTemporaryFiles({
  'own.pem': own.certPem,
  'own.key': own.keyPem,
  'other.key': other.keyPem,
  'empty.pem': '',
})
after(remove)

/** Everything exported, so that every variable has an effect to be seen. */
const ALL = {
  OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318',
  OTEL_METRICS_EXPORTER: 'prometheus,otlp',
  OTEL_LOGS_EXPORTER: 'otlp',
}

const { 'own.pem': certificate, 'own.key': key } = paths
const IDENTITY = { OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: certificate, OTEL_EXPORTER_OTLP_CLIENT_KEY: key }

/** How the name of a test shows a value. */
function nameOf(value: string): string {
  if (value.startsWith('/')) return 'a file'
  return value.includes('\n') ? 'several lines' : value.slice(0, 40)
}

/** Variables with values that are mistakes beside `ALL`, and what the sentence says. */
const MISTAKES: readonly (readonly [variable: string, value: string, said: RegExp])[] = [
  ['OTEL_SDK_DISABLED', '1', /got "1", expected one of true, false\. Correct it, or unset it to use false\.$/],
  ['OTEL_RESOURCE_ATTRIBUTES', 'a=b,c', /got entry 2 of 2 \(not shown\), expected key=value/],
  ['OTEL_RESOURCE_ATTRIBUTES', 'a=b=c', /got entry 1 of 1 \(not shown\)/],
  ['OTEL_RESOURCE_ATTRIBUTES', 'a=%ZZ', /got entry 1 of 1 \(not shown\)/],
  ['OTEL_RESOURCE_ATTRIBUTES', `a=${'x'.repeat(256)}`, /at most 255 characters/],
  ['OTEL_TRACES_EXPORTER', 'console', /got "console", expected one of otlp, none\. Correct it, or unset it\.$/],
  ['OTEL_TRACES_EXPORTER', 'otlp,none', /got "otlp,none", expected none alone, or a list without none/],
  ['OTEL_TRACES_EXPORTER', 'otlp,', /got "", expected one of/],
  ['OTEL_METRICS_EXPORTER', 'prometheus;otlp', /expected one of prometheus, otlp, none.*unset it to use prometheus\.$/],
  ['OTEL_LOGS_EXPORTER', 'console', /expected one of otlp, none.*unset it to use none\.$/],
  [
    'OTEL_TRACES_SAMPLER',
    'sometimes',
    /got "sometimes", expected one of always_on, .*unset it to use parentbased_traceidratio/,
  ],
  ['OTEL_TRACES_SAMPLER_ARG', '1.1', /got "1\.1", expected a number from 0 to 1/],
  ['OTEL_TRACES_SAMPLER_ARG', '10%', /got "10%", expected a number from 0 to 1/],
  ['OTEL_TRACES_SAMPLER_ARG', '-0.1', /expected a number from 0 to 1/],
  ['OTEL_PROPAGATORS', 'b3', /got "b3", expected one of tracecontext, baggage, none/],
  ['OTEL_METRIC_EXPORT_INTERVAL', '1s', /got "1s", expected a whole number from 1 to 3600000/],
  ['OTEL_METRIC_EXPORT_TIMEOUT', '0', /got "0", expected a whole number from 1/],
  [
    'OTEL_METRIC_EXPORT_TIMEOUT',
    '70000',
    /got 70000, expected at most 60000, the value of OTEL_METRIC_EXPORT_INTERVAL/,
  ],
  ['OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE', 'both', /expected one of cumulative, delta, lowmemory/],
  ['OTEL_BSP_SCHEDULE_DELAY', '-1', /expected a whole number/],
  ['OTEL_BSP_EXPORT_TIMEOUT', '1.5', /expected a whole number/],
  ['OTEL_BSP_MAX_QUEUE_SIZE', '1000000', /expected a whole number from 1 to 100000/],
  ['OTEL_BSP_MAX_EXPORT_BATCH_SIZE', '0', /expected a whole number/],
  ['OTEL_BSP_MAX_EXPORT_BATCH_SIZE', '2049', /got 2049, expected at most 2048, the value of OTEL_BSP_MAX_QUEUE_SIZE/],
  ['OTEL_BLRP_SCHEDULE_DELAY', 'soon', /expected a whole number/],
  ['OTEL_BLRP_EXPORT_TIMEOUT', 'never', /expected a whole number/],
  ['OTEL_BLRP_MAX_QUEUE_SIZE', '0', /expected a whole number/],
  ['OTEL_BLRP_MAX_EXPORT_BATCH_SIZE', '0', /expected a whole number/],
  ['OTEL_BLRP_MAX_EXPORT_BATCH_SIZE', '4096', /got 4096, expected at most 2048, the value of OTEL_BLRP_MAX_QUEUE_SIZE/],
  [
    'OTEL_EXPORTER_OTLP_ENDPOINT',
    'collector:4318',
    /got "collector:4318", expected a URL such as http:\/\/collector:4318/,
  ],
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'grpc://collector:4317', /expected a URL such as http/],
  [
    'OTEL_EXPORTER_OTLP_ENDPOINT',
    'http://collector:4318?key=abc',
    /got "http:\S+key=\*\*\*", expected .* without parameters/,
  ],
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'http://', /expected a URL/],
  ['OTEL_EXPORTER_OTLP_HEADERS', 'token', /got entry 1 of 1 \(not shown\), expected name=value/],
  ['OTEL_EXPORTER_OTLP_HEADERS', 'a=b,c d=e', /got entry 2 of 2 \(not shown\)/],
  ['OTEL_EXPORTER_OTLP_HEADERS', 'a=b%0D%0Ac: d', /got entry 1 of 1/],
  ['OTEL_EXPORTER_OTLP_HEADERS', 'a=b;c', /write a comma as %2C, a semicolon as %3B/],
  ['OTEL_EXPORTER_OTLP_HEADERS', 'a=', /got entry 1 of 1/],
  ['OTEL_EXPORTER_OTLP_TIMEOUT', '0', /expected a whole number from 1/],
  ['OTEL_EXPORTER_OTLP_COMPRESSION', 'zstd', /expected one of gzip, none/],
  [
    'OTEL_EXPORTER_OTLP_PROTOCOL',
    'grpc',
    /got "grpc", expected http\/protobuf\. Other protocols are not supported: .*4318/,
  ],
  [
    'OTEL_EXPORTER_OTLP_CERTIFICATE',
    '/nowhere/ca.pem',
    /got "\/nowhere\/ca\.pem", expected a readable file \(ENOENT\)/,
  ],
  ['OTEL_EXPORTER_OTLP_CERTIFICATE', paths['empty.pem'], /expected a file with PEM certificates\. It holds none/],
  ['OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE', key, /expected a file with PEM certificates/],
  ['OTEL_EXPORTER_OTLP_CLIENT_KEY', certificate, /expected a file with a PEM private key/],
  [
    'OTEL_EXPORTER_OTLP_CLIENT_KEY',
    paths['other.key'],
    /expected the key of that certificate\. They do not belong together/,
  ],
  ['OTEL_EXPORTER_OTLP_CLIENT_KEY', own.keyPem, /got \(several lines, not shown\), expected the path of a file/],
]

for (const [variable, value, said] of MISTAKES) {
  test(`${variable}=${nameOf(value)} is a mistake`, () => {
    const partner = variable.includes('CLIENT') ? IDENTITY : {}
    const mistakes = mistakesOf({ ...ALL, ...partner, [variable]: value })
    assert.equal(mistakes.length, 1, JSON.stringify(mistakes))
    assert.ok(mistakes[0]?.startsWith(`${variable}: got `), mistakes[0])
    assert.match(mistakes[0] ?? '', said)
  })
}

for (const row of Object.values(OTLP_SETTINGS)) {
  for (const signal of SIGNALS) {
    const variable = ownVariable(row, signal)
    test(`${variable}: an unreadable value is a mistake`, () => {
      const mistakes = mistakesOf({ ...ALL, ...IDENTITY, [variable]: '?' })
      assert.equal(mistakes.length, 1, JSON.stringify(mistakes))
      assert.ok(mistakes[0]?.startsWith(`${variable}: got `), mistakes[0])
    })
  }
}

test('every variable of the table has its mistakes proved above', () => {
  const proved = new Set(MISTAKES.map(([variable]) => variable))
  const anyText = 'OTEL_SERVICE_NAME'
  for (const { variable } of OTEL_ROWS) assert.ok(proved.has(variable) || variable === anyText, variable)
})

for (const [exporter, signal] of [
  ['TRACES', 'traces'],
  ['METRICS', 'metrics'],
  ['LOGS', 'logs'],
] as const) {
  test(`OTEL_${exporter}_EXPORTER=otlp without an endpoint says what to set`, () => {
    assert.deepEqual(mistakesOf({ [`OTEL_${exporter}_EXPORTER`]: 'otlp' }), [
      `OTEL_${exporter}_EXPORTER: got otlp, expected an endpoint to export to. Set OTEL_EXPORTER_OTLP_ENDPOINT (such as ` +
        `http://collector:4318) or ${ownVariable(OTLP_SETTINGS.endpoint, signal)}.`,
    ])
  })
}

test('an endpoint that cannot be read is one mistake, not two', () => {
  const mistakes = mistakesOf({ OTEL_METRICS_EXPORTER: 'otlp', OTEL_EXPORTER_OTLP_ENDPOINT: 'collector' })
  assert.equal(mistakes.length, 1)
})

test('all mistakes are reported at once', () => {
  const env = Object.fromEntries(MISTAKES.map(([variable, value]) => [variable, value] as const).reverse())
  const reported = new Set(mistakesOf(env).map((mistake) => mistake.split(':')[0]))
  assert.deepEqual([...reported].sort(), Object.keys(env).sort())
})

for (const [alone, absent, present] of [
  ['CLIENT_KEY', 'CLIENT_CERTIFICATE', key],
  ['CLIENT_CERTIFICATE', 'CLIENT_KEY', certificate],
] as const) {
  test(`OTEL_EXPORTER_OTLP_${alone} alone is a mistake`, () => {
    assert.deepEqual(mistakesOf({ [`OTEL_EXPORTER_OTLP_TRACES_${alone}`]: present }), [
      `OTEL_EXPORTER_OTLP_${absent}: got nothing, expected a file, because OTEL_EXPORTER_OTLP_TRACES_${alone} is set. Set ` +
        'both or neither.',
    ])
  })
}
