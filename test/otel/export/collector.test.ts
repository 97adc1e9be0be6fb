/**
 * A proxy process in front of a simulated AhaSend exports over OTLP to a real OpenTelemetry Collector. The tests read what the
 * Collector received.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { mail, send } from '../../simulator/client.ts'
import { type Simulator, startSimulator } from '../../simulator/simulator.ts'
import { type Collector, collectorMissing, startCollector } from '../../support/otlp/collector.ts'
import type { Span } from '../../support/otlp/otlp-json.ts'
import type { ProxyProcess } from '../../support/processes/proxy-process.ts'
import { loggedIn, startBefore } from '../../support/processes/running-proxy.ts'
import { unless } from '../../support/programs/programs.ts'
import type { Peer } from '../../support/sockets/scripted-peers.ts'
import { only } from '../../support/telemetry/named-spans.ts'
import { printTree } from '../../support/traces/trace-tree.ts'

/** Exports everything, with short delays. */
const EXPORTING = {
  OTEL_TRACES_SAMPLER: 'always_on',
  OTEL_BSP_SCHEDULE_DELAY: '50',
  OTEL_METRICS_EXPORTER: 'otlp',
  OTEL_METRIC_EXPORT_INTERVAL: '500',
  OTEL_METRIC_EXPORT_TIMEOUT: '500',
  OTEL_LOGS_EXPORTER: 'otlp',
  OTEL_BLRP_SCHEDULE_DELAY: '50',
}

interface Stage {
  readonly simulator: Simulator
  readonly collector: Collector
  readonly proxy: ProxyProcess
}

async function stage(context: TestContext): Promise<Stage> {
  const collector = await startCollector()
  context.after(() => collector.stop())
  const simulator = await startSimulator()
  context.after(() => simulator.close())
  const proxy = await startBefore(simulator, { ...EXPORTING, OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint })
  context.after(() => proxy.stop('SIGKILL'))
  return { simulator, collector, proxy }
}

async function oneClient(proxy: ProxyProcess): Promise<Peer> {
  const [client] = await loggedIn(proxy, 1)
  if (!client) throw new Error('no client is connected')
  return client
}

/** Sends these messages in one session, from EHLO to QUIT. Resolves with the reply codes, one text for each message. */
async function session(proxy: ProxyProcess, messages: readonly (readonly string[])[]): Promise<string[]> {
  const client = await oneClient(proxy)
  const codes: string[] = []
  for (const lines of messages) codes.push(await send(client, lines))
  await send(client, ['QUIT'])
  client.destroy()
  return codes
}

/** Resolves when the spans of `sessions` sessions are exported. The span of a session comes after those of its messages. */
async function spansOf(collector: Collector, sessions = 1): Promise<readonly Span[]> {
  return collector.spans((spans) => spans.filter(({ name }) => name === 'smtp.session').length >= sessions)
}

function childrenOf(parent: Span, spans: readonly Span[]): string[] {
  const children = spans.filter((span) => span.parentSpanId === parent.spanId)
  for (const { traceId } of children) assert.equal(traceId, parent.traceId)
  return children.map(({ name, kind, attributes }) => `${name} ${kind} ${attributes['smtp.reply.code']}`)
}

const needsCollector = unless(collectorMissing())

test(
  'a message is a trace, its commands are children, and it links to its session',
  needsCollector,
  async (context) => {
    const { collector, proxy } = await stage(context)
    assert.deepEqual(await session(proxy, [mail()]), ['250 250 354 250'])
    const spans = await spansOf(collector)
    const transaction = only(spans, 'smtp.transaction')
    const owner = only(spans, 'smtp.session')
    assert.equal(transaction.kind, 'SERVER')
    assert.equal(transaction.parentSpanId, '')
    assert.notEqual(transaction.traceId, owner.traceId)
    assert.deepEqual(
      transaction.links.map(({ spanId }) => spanId),
      [owner.spanId],
    )
    assert.deepEqual(childrenOf(transaction, spans), [
      'MAIL CLIENT 250',
      'RCPT CLIENT 250',
      'DATA CLIENT 354',
      'END-OF-MESSAGE CLIENT 250',
    ])
    assert.equal(transaction.resource['service.name'], 'ahasend-smtp-proxy')
  },
)

test('a refused message is an error whose type is the code', needsCollector, async (context) => {
  const { collector, proxy } = await stage(context)
  assert.deepEqual(await session(proxy, [mail({ from: 'fault+521-at-mail@example.com' })]), ['521'])
  const { status, attributes } = only(await spansOf(collector), 'smtp.transaction')
  assert.equal(status.code, 'ERROR')
  assert.equal(attributes['error.type'], '521')
})

test("a message with a traceparent joins the app's trace", needsCollector, async (context) => {
  const { collector, proxy } = await stage(context)
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
  const header = `traceparent: 00-${traceId}-00f067aa0ba902b7-01\r\ntracestate: vendor=value\r\n`
  assert.deepEqual(await session(proxy, [mail({ body: `${header}Subject: x\r\n\r\nx\r\n` })]), ['250 250 354 250'])
  const transaction = only(await spansOf(collector), 'smtp.transaction')
  assert.equal(transaction.traceId, traceId)
  assert.equal(transaction.parentSpanId, '00f067aa0ba902b7')
  assert.equal(transaction.traceState, 'vendor=value')
})

test('log records have the ids of their spans', needsCollector, async (context) => {
  const { collector, proxy } = await stage(context)
  await session(proxy, [mail()])
  const spans = await spansOf(collector)
  const logs = await collector.logs((records) => records.some(({ body }) => body === 'session'))
  for (const [body, name] of [
    ['transaction', 'smtp.transaction'],
    ['session', 'smtp.session'],
  ] as const) {
    const record = logs.find((candidate) => candidate.body === body)
    const { traceId, spanId } = only(spans, name)
    assert.deepEqual({ traceId: record?.traceId, spanId: record?.spanId }, { traceId, spanId })
  }
})

test('metrics arrive as cumulative values, the final ones at shutdown', needsCollector, async (context) => {
  const { collector, proxy } = await stage(context)
  await session(proxy, [mail(), mail(), mail({ from: 'fault+521-at-mail@example.com' })])
  assert.equal(await proxy.stop(), 0)
  const points = await collector.metrics()
  const last = new Map(
    points
      .filter(({ name, value }) => name === 'smtp.proxy.transactions' && value > 0)
      .map((point) => [String(point.attributes['error.type'] ?? point.attributes['smtp.transaction.outcome']), point]),
  )
  assert.deepEqual(
    [...last].map(([key, { value, kind, temporality, monotonic, unit }]) =>
      [key, value, kind, temporality, monotonic, unit].join(' '),
    ),
    ['accepted 2 sum CUMULATIVE true {transaction}', '521 1 sum CUMULATIVE true {transaction}'],
  )
})

test('queued items are delivered at shutdown', needsCollector, async (context) => {
  const { collector, simulator } = await stage(context)
  const never = { OTEL_BSP_SCHEDULE_DELAY: '60000', OTEL_BLRP_SCHEDULE_DELAY: '60000' }
  const env = { ...EXPORTING, ...never, OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint }
  await using proxy = await startBefore(simulator, env)
  await session(proxy, [mail()])
  await proxy.line(({ msg }) => msg === 'session')
  assert.equal(await proxy.stop(), 0)
  const names = (await collector.spans()).map(({ name }) => name)
  assert.ok(names.includes('smtp.transaction') && names.includes('smtp.session'), names.join(' '))
  assert.ok((await collector.logs()).some(({ body }) => body === 'session'))
})

test('traces are printed as trees', needsCollector, async (context) => {
  const { collector, proxy } = await stage(context)
  await session(proxy, [mail({ to: 'fault+553-at-rcpt@example.net' })])
  const text = printTree(await spansOf(collector)).replaceAll(/\b[0-9a-f]{32}\b/g, '<id>')
  assert.match(
    text,
    /^trace <id>\n +0\.0 ms +\d+\.\d ms {2}smtp\.transaction SERVER ERROR .*error\.type=553.* -> smtp\.session in trace <id>$/m,
  )
  assert.match(text, /^ +\d+\.\d ms +\d+\.\d ms {4}RCPT CLIENT ERROR .*smtp\.reply\.code=553/m)
})
