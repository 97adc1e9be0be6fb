import { randomUUID } from 'node:crypto'
import { defaultResource, type Resource, resourceFromAttributes } from '@opentelemetry/resources'
import { type IMetricReader, MeterProvider } from '@opentelemetry/sdk-metrics'
import packageJson from '../package.json' with { type: 'json' }
import { Delivery } from './export/delivery.ts'
import { listenToSdk } from './export/diagnostics.ts'
import { exportLogs, exportMetrics, exportSpans } from './export/exporters.ts'
import { createLogExport, type LogExport } from './export/log-export.ts'
import type { LogEntry } from './export/logger.ts'
import { createLossReport, type Warn } from './export/loss-report.ts'
import { type CountedDeliveries, createLosses, type Losses, type Signal, uncounted } from './export/losses.ts'
import { type Configured, seriesLimit } from './metrics/instruments.ts'
import { createMetrics, type Metrics } from './metrics/metrics.ts'
import { createPrometheus } from './metrics/prometheus.ts'
import { startRuntimeMetrics } from './metrics/runtime.ts'
import { samplerOf } from './records/sampler.ts'
import { startTraces, type Traces } from './records/traces.ts'
import type { OtelSettings } from './settings/effective.ts'

export interface SdkOptions extends Configured {
  readonly settings: OtelSettings
  /** Mails that took longer, in milliseconds, are always traced. */
  readonly slowMs: number
  /** Writes a line of the log about telemetry that was lost. Called rarely. */
  readonly warn?: Warn
}

/** Telemetry at work. */
export interface Sdk {
  /** Takes the events of the proxy. */
  readonly telemetry: Metrics
  /** Counts what is lost elsewhere, in the same metrics. */
  readonly losses: Losses
  /** Absent when spans are not exported. */
  readonly traces?: Traces
  /** Takes log lines to export them; absent when they are not. Never waits, never throws. */
  readonly emit?: (entry: LogEntry) => void
  /** The scrape page, in Prometheus' text format, or a sentence why there is none. Rejects after `shutdown`. */
  page(): Promise<string>
  /**
   * Hands over what is left, in 3 seconds at most; what is not delivered by then is counted and told as lost. Never
   * rejects: telemetry does not decide how the proxy ends.
   */
  shutdown(): Promise<void>
}

/** Starts what the settings ask for. Nothing is awaited: a receiver that is not there is found out later, and counted. */
export function start(options: SdkOptions): Sdk {
  if (options.settings.disabled) return disabled
  const books = openBooks(options.warn ?? (() => {}))
  const pipes = connect(options.settings, books, seriesLimit(options))
  const resource = describe(options.settings)
  const meters = startMeters(resource, pipes, books.losses)
  const traces = startTracing(resource, pipes, books.losses, options)
  const logs = pipes.lines && createLogExport(resource, pipes.lines.entrance)
  let ending: Promise<void> | undefined
  return {
    telemetry: createMetrics(meters.provider, options),
    losses: books.losses,
    ...(traces && { traces }),
    ...(logs && { emit: logs.emit }),
    page: meters.page,
    shutdown() {
      ending ??= end({ books, pipes, meters, traces, logs })
      return ending
    },
  }
}

type Books = ReturnType<typeof openBooks>

/** Where it is written down what became of everything, signal by signal. */
function openBooks(warn: Warn) {
  const losses = createLosses()
  const report = createLossReport(warn)
  const deliveryOf = (signal: Signal) => new Delivery(signal, losses, report.of(signal))
  const deliveries = { traces: deliveryOf('traces'), metrics: deliveryOf('metrics'), logs: deliveryOf('logs') }
  const stopListening = listenToSdk({ rejected: (signal, items) => deliveries[signal].rejected(items), warn })
  const close = () => {
    report.flush()
    stopListening()
  }
  return { losses, deliveries, close }
}

type Pipes = ReturnType<typeof connect>

function connect({ traces, metrics, logs }: OtelSettings, { deliveries }: Books, limit: number) {
  return {
    spans: traces && exportSpans(traces, deliveries.traces),
    points: metrics.otlp && exportMetrics(metrics.otlp, deliveries.metrics, limit),
    lines: logs && exportLogs(logs, deliveries.logs),
    prometheus: metrics.prometheus ? createPrometheus(limit) : undefined,
  }
}

type Meters = ReturnType<typeof startMeters>

function startMeters(resource: Resource, { points, prometheus }: Pipes, losses: CountedDeliveries) {
  const readers: IMetricReader[] = []
  if (prometheus) readers.push(prometheus.reader)
  if (points) readers.push(points.entrance)
  const provider = new MeterProvider({ resource, readers })
  losses.expose(provider)
  const runtime = readers.length > 0 ? startRuntimeMetrics(provider) : undefined
  const noPage = `# no metrics here: OTEL_METRICS_EXPORTER is ${points ? 'otlp' : 'none'}\n`
  return { provider, runtime, page: prometheus?.page ?? (async () => noPage) }
}

function startTracing(
  resource: Resource,
  { spans }: Pipes,
  losses: Losses,
  { settings, slowMs }: SdkOptions,
): Traces | undefined {
  if (!settings.traces || !spans) return undefined
  const joinTraces = settings.propagators.includes('tracecontext')
  const sampler = samplerOf(settings.traces)
  return startTraces({ resource, processors: [spans.entrance], sampler, joinTraces, slowMs, losses })
}

/** Who measures. What the environment says wins. No detectors: they would tell command lines, users and hosts. */
function describe({ resource }: OtelSettings): Resource {
  const own = { 'service.version': packageJson.version, 'service.instance.id': randomUUID() }
  return defaultResource().merge(resourceFromAttributes({ ...own, ...resource }))
}

/** For the last spans and log lines. With `LAST_METRICS_MS` well under the grace that containers are given to stop. */
const LAST_RECORDS_MS = 2000
/** For the last metrics, which tell what became of those. */
const LAST_METRICS_MS = 1000

interface Running {
  readonly books: Books
  readonly pipes: Pipes
  readonly meters: Meters
  readonly traces: Traces | undefined
  readonly logs: LogExport | undefined
}

async function end({ books, pipes, meters, traces, logs }: Running): Promise<void> {
  await within(LAST_RECORDS_MS, traces?.shutdown(), logs?.shutdown())
  pipes.spans?.close()
  pipes.lines?.close()
  await within(LAST_METRICS_MS, meters.provider.shutdown())
  pipes.points?.close()
  meters.runtime?.stop()
  books.close()
}

/** Resolves when all have ended, however, or when the time is over. */
async function within(limitMs: number, ...ends: readonly (Promise<unknown> | undefined)[]): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, limitMs)
  await Promise.race([Promise.allSettled(ends), late])
  clearTimeout(timer)
}

const disabled: Sdk = {
  telemetry: {
    open: () => () => {},
    dial() {},
    observerFailed() {},
    observeLiveBytes() {},
    observeRefusedCuts() {},
    setListenerCertificate() {},
    observeLoop() {},
  },
  losses: uncounted,
  page: async () => '# no metrics: OTEL_SDK_DISABLED is set\n',
  shutdown: async () => {},
}
