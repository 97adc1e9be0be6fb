/**
 * The histograms of this project and those of the SDK report the same: the same random sessions are recorded with both, and
 * the scrape pages and the OTLP exports are compared. `SEED=... node --test test/otel/instruments/meter-provider.test.ts` repeats
 * a run.
 */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { MeterProvider as ApiMeterProvider } from '@opentelemetry/api'
import { JsonMetricsSerializer, ProtobufMetricsSerializer } from '@opentelemetry/otlp-transformer'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  AggregationTemporality,
  InstrumentType,
  MeterProvider,
  MetricReader,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics'
import { createMeterProvider, type MetersOptions } from '../../../otel/instruments/meter-provider.ts'
import { createMetrics, type Metrics } from '../../../otel/metrics/metrics.ts'
import { createPrometheus } from '../../../otel/metrics/prometheus.ts'
import { closeReasons, dialErrors } from '../../../otel/names/names.ts'
import { reply, SessionStory } from '../../support/telemetry/session-events.ts'
import { SeededRandom } from '../../support/traffic/seeded-random.ts'

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32))
const CONFIGURED = {
  servers: ['send.example', 'send-us.example'],
  listeners: ['smtp://127.0.0.1:2525'],
  clients: ['billing', 'shop'],
}
const CUMULATIVE: readonly InstrumentType[] = []

/** Collects on demand, as an OTLP exporter does. */
class Reader extends MetricReader {
  constructor(delta: readonly InstrumentType[], limit: number) {
    super({
      aggregationTemporalitySelector: (type) =>
        delta.includes(type) ? AggregationTemporality.DELTA : AggregationTemporality.CUMULATIVE,
      cardinalitySelector: () => limit,
    })
  }

  async metrics(): Promise<ResourceMetrics> {
    return (await this.collect()).resourceMetrics
  }

  protected override async onForceFlush(): Promise<void> {}

  protected override async onShutdown(): Promise<void> {}
}

/** Metrics with a scrape page and an OTLP reader. `make` creates the provider. */
function recorded(make: (options: MetersOptions) => ApiMeterProvider, delta: readonly InstrumentType[], limit = 2000) {
  const prometheus = createPrometheus(limit)
  const reader = new Reader(delta, limit)
  const resource = resourceFromAttributes({ 'service.name': 'test' })
  const provider = make({ resource, readers: [prometheus.reader, reader] })
  const metrics = createMetrics(provider, CONFIGURED)
  return { metrics, page: prometheus.page, otlp: () => reader.metrics() }
}

/** The SDK's histograms. */
const reference = ({ readers, ...options }: MetersOptions) => new MeterProvider({ ...options, readers: [...readers] })

/** A time in milliseconds, up to 128 s, whose sums in seconds are exact whatever the order of addition. */
const time = (dice: SeededRandom) => dice.below(2 ** dice.below(17)) * (1000 / 512)

/** The events of a random session. */
function randomSession(dice: SeededRandom): SessionStory {
  const story = new SessionStory({
    clientName: dice.one(['other', ...CONFIGURED.clients]),
    serverAddress: dice.one(CONFIGURED.servers),
  })
  const resolved = { resolve: time(dice), connect: time(dice), total: time(dice) }
  const failed = dice.chance(0.2) && { error: dice.one(dialErrors) }
  story.dials({ serverAddress: dice.one(CONFIGURED.servers), phases: resolved, ...failed })
  story.greeted(reply(dice.one([220, 421, 554])), time(dice)).exchange('EHLO', reply(250), time(dice))
  for (let left = dice.below(4); left > 0; left -= 1) randomMessage(story, dice)
  return story.closed(dice.one(closeReasons), dice.below(9999), dice.below(9999))
}

function randomMessage(story: SessionStory, dice: SeededRandom): void {
  story.mail(reply(250), time(dice))
  for (let left = dice.below(60); left > 0; left -= 1) story.rcpt(reply(dice.one([250, 250, 450, 553])), time(dice))
  const size = dice.below(2 ** dice.below(26))
  const end = dice.below(4)
  if (end === 0) return void story.reset()
  story.data(time(dice))
  if (end === 1)
    return void story.exchange('END-OF-MESSAGE', reply(552), time(dice)).refused('END-OF-MESSAGE', reply(552), size)
  if (end === 2) return void story.inDoubt('upstream_lost', size)
  story.accepted(size, [], time(dice))
}

/** Runs random sessions in all of `receivers`, and `look` from time to time. The clock moves on. */
async function play(context: TestContext, receivers: readonly Metrics[], look: () => Promise<void>): Promise<void> {
  context.diagnostic(`SEED=${seed}`)
  const dice = new SeededRandom(seed)
  context.mock.timers.enable({ apis: ['Date'], now: 1_800_000_000_000 })
  for (let session = 0; session < 300; session += 1) {
    context.mock.timers.tick(dice.below(1000))
    const story = randomSession(dice)
    for (const telemetry of receivers) story.tell(telemetry)
    const figures = { active: 1, idle: 1, heap: 1, delay: time(dice) / 1000 }
    for (const { observeLoop } of receivers) observeLoop(0, figures)
    if (dice.chance(0.02)) await look()
  }
  await look()
}

/** The metrics as JSON and as protobuf. */
function asSent(metrics: ResourceMetrics): readonly (string | Buffer)[] {
  const protobuf = ProtobufMetricsSerializer.serializeRequest(metrics)
  const json = JsonMetricsSerializer.serializeRequest(metrics)
  return [Buffer.from(json ?? []).toString(), Buffer.from(protobuf ?? [])]
}

describe('The same random sessions, with the histograms of the SDK and with ours', () => {
  test('have the same scrape page, byte for byte', async (context) => {
    const sdk = recorded(reference, CUMULATIVE)
    const ours = recorded(createMeterProvider, CUMULATIVE)
    let looks = 0
    await play(context, [sdk.metrics, ours.metrics], async () => {
      looks += 1
      const pages = await Promise.all([ours.page(), sdk.page()])
      assert.equal(pages[0], pages[1])
    })
    assert.ok(looks > 1)
    assert.match(await ours.page(), /smtp_proxy_session_messages_sum\{server_address="send-us.example"\} [1-9]/)
  })

  for (const [preference, delta] of [
    ['cumulative', CUMULATIVE],
    ['delta', [InstrumentType.COUNTER, InstrumentType.OBSERVABLE_COUNTER, InstrumentType.HISTOGRAM]],
    ['lowmemory', [InstrumentType.COUNTER, InstrumentType.HISTOGRAM]],
  ] as const) {
    test(`are exported over OTLP as the same JSON and protobuf, with the preference ${preference}`, async (context) => {
      const sdk = recorded(reference, delta)
      const ours = recorded(createMeterProvider, delta)
      await play(context, [sdk.metrics, ours.metrics], async () => {
        assert.deepEqual(asSent(await ours.otlp()), asSent(await sdk.otlp()))
      })
    })
  }

  test('overflow in the same way', async (context) => {
    const sdk = recorded(reference, CUMULATIVE, 8)
    const ours = recorded(createMeterProvider, CUMULATIVE, 8)
    const histograms = (page: string) => page.split('\n').filter((line) => /_(sum|count|bucket)\{/.test(line))
    await play(context, [sdk.metrics, ours.metrics], async () => {})
    const page = histograms(await ours.page())
    assert.deepEqual(page, histograms(await sdk.page()))
    assert.match(page.join('\n'), /smtp_proxy_session_duration_seconds_count\{otel_metric_overflow="true"\}/)
  })
})

/** A reader with one histogram, in a scope without other instruments. */
function oneHistogram(delta: readonly InstrumentType[] = CUMULATIVE) {
  const reader = new Reader(delta, 2000)
  const provider = createMeterProvider({ readers: [reader] })
  const histogram = provider.getMeter('scope', '1').createHistogram('duration')
  return { reader, provider, histogram }
}

test('a scope that has only histograms is reported', async () => {
  const { reader, histogram } = oneHistogram()
  assert.deepEqual((await reader.metrics()).scopeMetrics, [])
  histogram.record(1)
  const [scope] = (await reader.metrics()).scopeMetrics
  assert.equal(scope?.scope.name, 'scope')
  assert.equal(scope?.metrics.length, 1)
})

test('a name and a version are one meter; other scopes are reported separately', async () => {
  const { reader, provider, histogram } = oneHistogram()
  assert.equal(provider.getMeter('scope', '1'), provider.getMeter('scope', '1'))
  histogram.record(1)
  provider.getMeter('scope', '2').createHistogram('duration').record(1)
  provider.getMeter('other').createCounter('count').add(1)
  const { scopeMetrics } = await reader.metrics()
  assert.deepEqual(
    scopeMetrics.map(({ scope, metrics }) => [scope.name, scope.version, metrics.length]),
    [
      ['scope', '1', 1],
      ['scope', '2', 1],
      ['other', '', 1],
    ],
  )
})

test('errors of callbacks are reported', async () => {
  const { reader, provider } = oneHistogram()
  provider
    .getMeter('scope', '1')
    .createObservableGauge('gauge')
    .addCallback(() => {
      throw new Error('broken')
    })
  assert.equal((await reader.collect()).errors.length, 1)
})

test('shutdown shuts the readers down', async () => {
  const { reader, provider } = oneHistogram()
  await provider.shutdown()
  await assert.rejects(reader.collect(), /shutdown/)
})

test('if a reader wants differences, the histograms are the SDK’s', () => {
  const { provider } = oneHistogram([InstrumentType.HISTOGRAM])
  assert.ok(provider instanceof MeterProvider)
})
