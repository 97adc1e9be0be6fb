/**
 * How much CPU does telemetry cost per message? Replays the events of messages on persistent connections into each part
 * of telemetry and into an observer that does nothing, in interleaved rounds. Prints the median CPU time per message in
 * microseconds, and its ratio to the cost of relaying a message (measured by `bench/ledger.ts`; `--relay-us`).
 *
 *   node --expose-gc bench/telemetry.ts [--mails 20000] [--rounds 9] [--relay-us 100]
 *
 * Spans pass the SDK's batch processor and the OTLP serializer and are then dropped: no collector is measured.
 */
import { parseArgs } from 'node:util'
import { ExportResultCode } from '@opentelemetry/core'
import { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  type Sampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace'
import { createLogger } from '../otel/export/logger.ts'
import { uncounted } from '../otel/export/losses.ts'
import { createMeterProvider } from '../otel/instruments/meter-provider.ts'
import { createMetrics } from '../otel/metrics/metrics.ts'
import { createPrometheus } from '../otel/metrics/prometheus.ts'
import { Log } from '../otel/records/log.ts'
import { createRecords } from '../otel/records/recorder.ts'
import { startTraces } from '../otel/records/traces.ts'
import { combine, type Telemetry } from '../proxy/events/observer.ts'
import { reply, SessionStory } from '../test/support/telemetry/session-events.ts'
import { median } from './compare/figures/statistics.ts'
import { showProgress } from './progress.ts'

const { values } = parseArgs({
  options: {
    mails: { type: 'string', default: '20000' },
    rounds: { type: 'string', default: '9' },
    'relay-us': { type: 'string', default: '100' },
  },
})
const MAILS = Number(values.mails)
const MAILS_PER_SESSION = 100

const noTelemetry: Telemetry = { open: () => () => {}, dial() {}, observerFailed() {} }

/** Serializes spans as the OTLP exporter does, and drops them. */
const serializing: SpanExporter = {
  export(spans, done) {
    ProtobufTraceSerializer.serializeRequest(spans)
    done({ code: ExportResultCode.SUCCESS })
  },
  shutdown: async () => {},
  forceFlush: async () => {},
}

function metrics(): Telemetry {
  const provider = createMeterProvider({ readers: [createPrometheus().reader] })
  return createMetrics(provider, {
    servers: ['send.example'],
    listeners: ['smtp://127.0.0.1:2525'],
    clients: ['billing'],
  })
}

function records(level: 'info' | 'silent', sampler?: Sampler): Telemetry {
  const { logger } = createLogger({ level, losses: uncounted, destination: { write() {} } })
  const processor = new BatchSpanProcessor({ exporter: serializing, maxQueueSize: 100_000, scheduledDelayMillis: 50 })
  const traces =
    sampler &&
    startTraces({
      resource: resourceFromAttributes({ 'service.name': 'bench' }),
      processors: [processor],
      sampler,
      joinTraces: true,
      slowMs: 10_000,
      losses: uncounted,
    })
  return createRecords({ log: new Log(logger, uncounted), traces, recordAddresses: 'none' })
}

const VARIANTS: readonly (readonly [string, Telemetry])[] = [
  ['an observer that does nothing', noTelemetry],
  ['metrics', combine(metrics())],
  ['log lines (at info)', combine(records('info'))],
  ['spans, none sampled', combine(records('silent', new AlwaysOffSampler()))],
  ['spans, one message in ten', combine(records('silent', new TraceIdRatioBasedSampler(0.1)))],
  ['spans, every message', combine(records('silent', new AlwaysOnSampler()))],
  ['all, one message in ten', combine(metrics(), records('info', new TraceIdRatioBasedSampler(0.1)))],
  ['all, every message', combine(metrics(), records('info', new AlwaysOnSampler()))],
]

const session = new SessionStory().dials().greeted().exchange('EHLO', reply(250)).authenticated()
for (let mail = 0; mail < MAILS_PER_SESSION; mail++) {
  session.mail().rcpt().data().accepted(2000, ['0123456789abcdef0123456789abcdef'])
}
session.exchange('QUIT', reply(221)).closed('quit', 2300, 700)

/** Microseconds of CPU per message, including the batch processor, whose timers run before the measurement ends. */
async function measure(telemetry: Telemetry): Promise<number> {
  globalThis.gc?.()
  const before = process.cpuUsage()
  for (let mail = 0; mail < MAILS; mail += MAILS_PER_SESSION) {
    session.tell(telemetry)
    await new Promise(setImmediate)
  }
  await new Promise((settle) => setTimeout(settle, 200))
  const { user, system } = process.cpuUsage(before)
  return (user + system) / MAILS
}

const progress = showProgress('rounds', Number(values.rounds) + 1)
const figures = VARIANTS.map((): number[] => [])
for (let round = 0; round <= Number(values.rounds); round++) {
  progress(round)
  for (const [index, [, telemetry]] of VARIANTS.entries()) {
    const us = await measure(telemetry)
    if (round > 0) figures[index]!.push(us) // the first round warms up
  }
}
const nothing = median(figures[0]!)
const relay = Number(values['relay-us'])
console.log(`${MAILS} messages per round, ${values.rounds} rounds, medians; relaying a message: ${relay} us`)
for (const [index, [name]] of VARIANTS.entries()) {
  const us = median(figures[index]!)
  const spread = `${Math.min(...figures[index]!).toFixed(1)} to ${Math.max(...figures[index]!).toFixed(1)}`
  const ratio = (relay + us - nothing) / relay
  console.log(`${name.padEnd(32)} ${us.toFixed(1).padStart(6)} us per message (${spread})  x${ratio.toFixed(2)}`)
}
process.exit()
