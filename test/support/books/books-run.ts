/** One run of the proxy with all telemetry, and the books of all sources. */
import assert from 'node:assert/strict'
import { metrics } from '../../../otel/names/names.ts'
import { parseMetrics, type Sample, sum } from '../../demo/metrics.ts'
import { type Simulator, startSimulator } from '../../simulator/simulator.ts'
import { type Collector, startCollector } from '../otlp/collector.ts'
import type { LogRecord, Span } from '../otlp/otlp-json.ts'
import type { LogLine, ProxyProcess } from '../processes/proxy-process.ts'
import { assertSilent, startBefore } from '../processes/running-proxy.ts'
import { CLIENT_SETTINGS } from '../traffic/mixed-mail.ts'
import { until } from '../waiting/until.ts'
import {
  type Book,
  bookOfLines,
  bookOfPage,
  bookOfPoints,
  bookOfRecords,
  bookOfSpans,
  newBook,
  samplesOf,
} from './book.ts'
import { bookOfLedger } from './ledger-book.ts'

/** The sources: scrape page, metrics over OTLP, spans, log lines, log records over OTLP, simulated AhaSend, apps. */
export type Source = 'page' | 'points' | 'spans' | 'lines' | 'records' | 'ledger' | 'apps'

/** The result of a run. */
export interface Run {
  readonly books: Readonly<Record<Source, Book>>
  /** The scrape page after the last session has ended. */
  readonly page: string
  /** The last metrics over OTLP, as samples of a page. They include the end of the process. */
  readonly last: readonly Sample[]
  readonly spans: readonly Span[]
  readonly lines: readonly LogLine[]
  readonly records: readonly LogRecord[]
}

/** Sends messages, and records them in the book `apps`. */
export type Traffic = (stage: {
  readonly proxy: ProxyProcess
  readonly simulator: Simulator
  readonly apps: Book
}) => Promise<void>

/** Nothing is preconnected: a preconnected dial belongs to no session. */
const SETTINGS = {
  ...CLIENT_SETTINGS,
  PROXY_LOG_LEVEL: 'info',
  PROXY_WARM_CONNECTIONS: '0',
  OTEL_TRACES_SAMPLER: 'always_on',
  OTEL_BSP_SCHEDULE_DELAY: '200',
  OTEL_BSP_MAX_QUEUE_SIZE: '20000',
  OTEL_METRICS_EXPORTER: 'otlp,prometheus',
  // only the last export, at the end, counts; earlier ones could arrive late on a machine that stalls
  OTEL_METRIC_EXPORT_INTERVAL: '3600000',
  OTEL_METRIC_EXPORT_TIMEOUT: '10000',
  OTEL_LOGS_EXPORTER: 'otlp',
  OTEL_BLRP_SCHEDULE_DELAY: '200',
  OTEL_BLRP_MAX_QUEUE_SIZE: '20000',
}

/** Starts the proxy between a simulated AhaSend and a Collector, sends the traffic, and stops the proxy. */
export async function run(env: Readonly<Record<string, string>>, send: Traffic): Promise<Run> {
  await using simulator = await startSimulator({ seed: 1 })
  await using collector = await startCollector()
  const settings = { ...SETTINGS, ...env, OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint }
  await using proxy = await startBefore(simulator, settings)
  const apps = newBook()
  await send({ proxy, simulator, apps })
  const active = async () => sum(parseMetrics(await proxy.metrics()), metrics.sessionActive.prometheus)
  await until('no session is active', async () => (await active()) === 0)
  const page = await proxy.metrics()
  assert.equal(await proxy.stop(), 0)
  await until('the simulator has closed all sessions', () => {
    const { opened, closed } = simulator.ledger.summary().sessions
    return closed === opened
  })
  assertSilent(proxy)
  return { page, lines: proxy.lines, ...(await arrived(collector, { page, proxy, simulator, apps })) }
}

async function arrived(
  collector: Collector,
  { page, proxy, simulator, apps }: Parameters<Traffic>[0] & { readonly page: string },
) {
  const [points, spans, records] = [await collector.metrics(), await collector.spans(), await collector.logs()]
  const books = {
    page: bookOfPage(page),
    points: bookOfPoints(points),
    spans: bookOfSpans(spans),
    lines: bookOfLines(proxy.lines),
    records: bookOfRecords(records),
    ledger: bookOfLedger(simulator.ledger),
    apps,
  }
  return { books, last: samplesOf(points), spans, records }
}
