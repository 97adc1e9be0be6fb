/** The effect of OpenTelemetry's variables on the exports that a receiver gets. settings.test.ts has their meaning. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { writeTemporaryFiles } from '../../support/files/temporary-files.ts'
import { startRig } from '../../support/otlp/otlp-rig.ts'
import { textsAt, valuesAt } from '../../support/otlp/protobuf.ts'
import { dial, oneMail } from '../../support/telemetry/session-events.ts'
import { makeAuthority, makeSelfSigned } from '../../support/tls/certificates.ts'

const LIMIT = { timeout: 30_000 }
/** Exports all signals over OTLP, with a short interval. */
const ALL = { OTEL_METRICS_EXPORTER: 'both', OTEL_LOGS_EXPORTER: 'otlp', OTEL_METRIC_EXPORT_INTERVAL: '20' }
const PATHS = ['/v1/logs', '/v1/metrics', '/v1/traces'] as const

// field numbers of https://github.com/open-telemetry/opentelemetry-proto that lead to the values under test
const SPANS = [1, 2, 2] as const
const SPAN_NAMES = [...SPANS, 5] as const
const TRACE_IDS = [...SPANS, 1] as const
const LOG_RECORDS = [1, 2, 2] as const
const METRIC_NAMES = [1, 2, 2, 1] as const
/** The temporality of sums and histograms: 1 is delta, 2 is cumulative. */
const TEMPORALITIES = { sums: [1, 2, 2, 7, 2], histograms: [1, 2, 2, 9, 2] } as const
const RESOURCE_KEYS = [1, 1, 1, 1] as const

describe('The connection', LIMIT, () => {
  test('appends a path for each signal to the endpoint for all signals', async () => {
    await using rig = await startRig({ ...ALL, OTEL_EXPORTER_OTLP_ENDPOINT: '$receiver/otlp/' })
    oneMail().tell(rig.telemetry)
    for (const path of PATHS) await rig.receiver.next(`/otlp${path}`)
  })

  test('uses the endpoint of a signal unchanged', async () => {
    await using rig = await startRig({
      ...ALL,
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1',
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: '$receiver',
      OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: '$receiver/in?for=metrics',
      OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: '$receiver/logs/',
    })
    oneMail().tell(rig.telemetry)
    for (const path of ['/', '/in?for=metrics', '/logs/']) await rig.receiver.next(path)
  })

  test('sends headers for all signals and for one, the content type of protobuf, and its user agent', async () => {
    await using rig = await startRig({
      ...ALL,
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20abc,x-who=all',
      OTEL_EXPORTER_OTLP_LOGS_HEADERS: 'x-who=logs',
    })
    oneMail().tell(rig.telemetry)
    for (const path of PATHS) {
      const { headers } = await rig.receiver.next(path)
      assert.equal(headers.authorization, 'Bearer abc')
      assert.equal(headers['x-who'], path === '/v1/logs' ? 'logs' : 'all')
      assert.equal(headers['content-type'], 'application/x-protobuf')
      assert.match(headers['user-agent'] ?? '', /^ahasend-smtp-proxy\/\d/)
    }
  })

  test('sends the credentials in an endpoint, unless a header replaces them', async () => {
    await using rig = await startRig({
      ...ALL,
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://user:p%40ss@$host',
      OTEL_EXPORTER_OTLP_LOGS_HEADERS: 'authorization=Bearer%20abc',
    })
    oneMail().tell(rig.telemetry)
    const basic = `Basic ${Buffer.from('user:p@ss').toString('base64')}`
    assert.equal((await rig.receiver.next('/v1/traces')).headers.authorization, basic)
    assert.equal((await rig.receiver.next('/v1/logs')).headers.authorization, 'Bearer abc')
  })

  test('compresses all signals except one', async () => {
    await using rig = await startRig({
      ...ALL,
      OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
      OTEL_EXPORTER_OTLP_TRACES_COMPRESSION: 'none',
    })
    oneMail().tell(rig.telemetry)
    const [logs, metrics, traces] = await Promise.all(PATHS.map((path) => rig.receiver.next(path)))
    assert.deepEqual(
      [logs, metrics, traces].map((received) => received?.headers['content-encoding']),
      ['gzip', 'gzip', undefined],
    )
    assert.ok(textsAt(metrics!.body, ...METRIC_NAMES).includes('smtp.proxy.replies'))
    assert.ok(metrics!.bytes.length < metrics!.body.length)
  })
})

describe('Over TLS', LIMIT, async () => {
  const authority = await makeAuthority()
  const server = await authority.issue()
  const own = await makeSelfSigned({ commonName: 'the-proxy' })
  const { paths, remove } = writeTemporaryFiles({
    'ca.pem': authority.certPem,
    'own.pem': own.certPem,
    'own.key': own.keyPem,
  })
  after(remove)
  const tls = { cert: server.certPem, key: server.keyPem }

  test('OTEL_EXPORTER_OTLP_CERTIFICATE contains the trusted authority', async () => {
    await using rig = await startRig({ OTEL_EXPORTER_OTLP_CERTIFICATE: paths['ca.pem'] }, { tls })
    rig.spans(1)
    assert.equal((await rig.receiver.next('/v1/traces')).clientName, undefined)
  })

  test('the proxy presents its client certificate', async () => {
    const env = {
      OTEL_EXPORTER_OTLP_CERTIFICATE: paths['ca.pem'],
      OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE: paths['own.pem'],
      OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY: paths['own.key'],
    }
    await using rig = await startRig(env, { tls })
    rig.spans(1)
    assert.equal((await rig.receiver.next('/v1/traces')).clientName, 'the-proxy')
  })

  test('an untrusted receiver gets nothing, and the spans are counted as lost', async () => {
    await using rig = await startRig({ OTEL_EXPORTER_OTLP_CERTIFICATE: paths['own.pem'] }, { tls })
    rig.spans(3)
    assert.deepEqual(await rig.warned(), {
      'telemetry.signal': 'traces',
      'telemetry.loss': 'export_failed',
      lost: 3,
      reason: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      msg: 'telemetry lost',
    })
    assert.deepEqual([await rig.lost(), rig.receiver.requests], [{ 'traces export_failed': 3 }, 0])
  })
})

describe('What is exported', LIMIT, () => {
  /** The paths of all exports of a message, and the beginning of the scrape page. */
  async function exportsOf(env: Readonly<Record<string, string>>): Promise<[paths: string[], page: string]> {
    await using rig = await startRig(env)
    oneMail().tell(rig.telemetry)
    const page = await rig.sdk.page()
    await rig.sdk.shutdown()
    return [[...new Set(rig.receiver.exports.map(({ path }) => path))].sort(), page.split('\n', 1)[0]!.slice(0, 60)]
  }

  const page = '# HELP target_info Target metadata'
  const [logs, metrics, traces] = PATHS
  const cases: readonly (readonly [env: Readonly<Record<string, string>>, paths: readonly string[], page: string])[] = [
    [{}, [traces], page],
    [{ OTEL_TRACES_EXPORTER: 'none' }, [], page],
    [{ OTEL_TRACES_EXPORTER: 'otlp' }, [traces], page],
    [{ OTEL_LOGS_EXPORTER: 'otlp' }, [logs, traces], page],
    [{ OTEL_METRICS_EXPORTER: 'prometheus' }, [traces], page],
    [{ OTEL_METRICS_EXPORTER: 'both' }, [metrics, traces], page],
    [{ OTEL_METRICS_EXPORTER: 'otlp' }, [metrics, traces], '# no metrics here: OTEL_METRICS_EXPORTER is otlp'],
    [{ OTEL_METRICS_EXPORTER: 'none' }, [traces], '# no metrics here: OTEL_METRICS_EXPORTER is none'],
    [{ ...ALL, OTEL_SDK_DISABLED: 'true' }, [], '# no metrics: OTEL_SDK_DISABLED is set'],
  ]
  for (const [env, paths, begin] of cases) {
    test(`${JSON.stringify(env)}: ${paths.join(', ') || 'nothing'}`, async () => {
      assert.deepEqual(await exportsOf(env), [paths, begin])
    })
  }

  test('metrics have the names of the table, including those of the runtime and of telemetry itself', async () => {
    await using rig = await startRig({ OTEL_METRICS_EXPORTER: 'otlp' })
    await rig.sdk.shutdown()
    const names = textsAt(rig.receiver.exports[0]!.body, ...METRIC_NAMES)
    for (const name of ['smtp.proxy.replies', 'smtp.proxy.telemetry.lost', 'nodejs.eventloop.utilization']) {
      assert.ok(names.includes(name), name)
    }
  })

  for (const [preference, sums, histograms] of [
    ['cumulative', 2n, 2n],
    ['delta', 1n, 1n],
    ['lowmemory', 2n, 1n],
  ] as const) {
    test(`temporality ${preference}`, async () => {
      const env = { OTEL_METRICS_EXPORTER: 'otlp', OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: preference }
      await using rig = await startRig(env)
      oneMail().tell(rig.telemetry)
      await rig.sdk.shutdown()
      const { body } = rig.receiver.exports.find(({ path }) => path === '/v1/metrics')!
      assert.ok(valuesAt(body, ...TEMPORALITIES.sums).includes(sums))
      assert.deepEqual([...new Set(valuesAt(body, ...TEMPORALITIES.histograms))], [histograms])
    })
  }

  test('the resource is that of the environment, without command line, user or host', async () => {
    await using rig = await startRig({
      ...ALL,
      OTEL_SERVICE_NAME: 'mail-eu',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
    })
    oneMail().tell(rig.telemetry)
    for (const path of PATHS) {
      const { body } = await rig.receiver.next(path)
      assert.deepEqual(textsAt(body, ...RESOURCE_KEYS).sort(), [
        'deployment.environment.name',
        'service.instance.id',
        'service.name',
        'service.version',
        'telemetry.sdk.language',
        'telemetry.sdk.name',
        'telemetry.sdk.version',
      ])
      assert.ok(textsAt(body, 1, 1, 1, 2, 1).includes('mail-eu'))
    }
  })

  test('a log record has the severity, text, attributes and span of its line', async () => {
    await using rig = await startRig({ OTEL_LOGS_EXPORTER: 'otlp' })
    rig.sdk.emit!({
      level: 'warn',
      message: 'transaction',
      attributes: { 'smtp.reply.code': 550, dial: { 'server.address': 'send.example' } },
      trace: { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: 1 },
    })
    const { body } = await rig.receiver.next('/v1/logs')
    const at = (...fields: number[]) => valuesAt(body, ...LOG_RECORDS, ...fields)
    assert.deepEqual(at(2), [13n])
    assert.deepEqual(at(3).map(String), ['warn'])
    assert.deepEqual(at(5, 1).map(String), ['transaction'])
    assert.deepEqual(at(6, 1).map(String), ['smtp.reply.code', 'dial'])
    assert.deepEqual(
      at(9).map((id) => (id as Buffer).toString('hex')),
      ['0af7651916cd43dd8448eb211c80319c'],
    )
    assert.deepEqual(
      at(10).map((id) => (id as Buffer).toString('hex')),
      ['b7ad6b7169203331'],
    )
  })
})

describe('Which messages are traced', LIMIT, () => {
  const TRACE = '0af7651916cd43dd8448eb211c80319c'

  /** The trace ids of a message whose header names a trace. */
  async function tracesOf(env: Readonly<Record<string, string>>, flags: string): Promise<Set<string>> {
    await using rig = await startRig(env)
    const mail = oneMail().headers({ traceparent: `00-${TRACE}-b7ad6b7169203331-${flags}` })
    mail.mail().rcpt().data().accepted(10).closed('quit').tell(rig.telemetry)
    await rig.sdk.shutdown()
    const spans = rig.receiver.exports.flatMap(({ body }) => valuesAt(body, ...TRACE_IDS))
    return new Set(spans.map((id) => (id as Buffer).toString('hex')))
  }

  const cases = [
    ['always_on', '', '00', true],
    ['always_off', '', '01', false],
    ['traceidratio', '1', '00', true],
    ['traceidratio', '0', '01', false],
    ['parentbased_always_on', '', '00', false],
    ['parentbased_always_off', '', '01', true],
    ['parentbased_traceidratio', '1', '00', false],
    ['parentbased_traceidratio', '0', '01', true],
    ['', '0', '01', true],
  ] as const
  for (const [sampler, ratio, flags, kept] of cases) {
    test(`${sampler || 'the default'} ${ratio}: a message of a trace with flags ${flags} is ${kept ? '' : 'not '}kept`, async () => {
      const traces = await tracesOf({ OTEL_TRACES_SAMPLER: sampler, OTEL_TRACES_SAMPLER_ARG: ratio }, flags)
      assert.equal(traces.has(TRACE), kept)
    })
  }

  test('without the propagator tracecontext, a message joins no trace', async () => {
    assert.ok((await tracesOf({ OTEL_PROPAGATORS: 'tracecontext' }, '01')).has(TRACE))
    for (const propagators of ['none', 'baggage']) {
      const traces = await tracesOf({ OTEL_PROPAGATORS: propagators }, '01')
      assert.ok(traces.size > 0 && !traces.has(TRACE))
    }
  })
})

test('a failed dial is exported whatever the sampler decides', LIMIT, async () => {
  await using rig = await startRig({ OTEL_TRACES_SAMPLER: 'always_off' })
  rig.sdk.traces!.dial(dial({ at: Date.now() }))
  rig.sdk.traces!.dial(dial({ at: Date.now(), error: 'connect_refused', phases: {} }))
  const { body } = await rig.receiver.next('/v1/traces')
  assert.deepEqual(textsAt(body, ...SPAN_NAMES), ['smtp.dial'])
})
