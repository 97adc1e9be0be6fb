import { randomUUID } from 'node:crypto'
import { defaultResource, type Resource, resourceFromAttributes } from '@opentelemetry/resources'
import type { IMetricReader } from '@opentelemetry/sdk-metrics'
import packageJson from '../package.json' with { type: 'json' }
import { Delivery } from './export/delivery.ts'
import { listenToSdk } from './export/diagnostics.ts'
import { exportLogs, exportMetrics, exportSpans } from './export/exporters.ts'
import { createLogExport, type LogExport } from './export/log-export.ts'
import type { LogEntry } from './export/logger.ts'
import { createLossReport, type Warn } from './export/loss-report.ts'
import { type CountedDeliveries, createLosses, type Losses, type Signal, uncounted } from './export/losses.ts'
import { type Configured, seriesLimit } from './instruments/instruments.ts'
import { createMeterProvider } from './instruments/meter-provider.ts'
import { createMetrics, type Metrics } from './metrics/metrics.ts'
import { createPrometheus } from './metrics/prometheus.ts'
import { startRuntimeMetrics } from './metrics/runtime.ts'
import { samplerOf } from './records/sampler.ts'
import { startTraces, type Traces } from './records/traces.ts'
import type { OtelSettings } from './settings/effective.ts'

/** What `start` needs besides the configured label values. */
export interface SdkOptions extends Configured {
  readonly settings: OtelSettings
  /** Messages that take longer, in milliseconds, are always traced. */
  readonly slowMs: number
  /** Writes a log line about lost telemetry. Rarely called. */
  readonly warn: Warn
}

/** The running telemetry. */
export interface Sdk {
  /** Receives the events of the proxy. */
  readonly telemetry: Metrics
  /** Counts losses that happen elsewhere in the same metrics. */
  readonly losses: Losses
  /** Absent if spans are not exported. */
  readonly traces?: Traces
  /** Exports log lines. Absent if they are not exported. Never blocks or throws. */
  readonly emit?: (entry: LogEntry) => void
  /** The resource attribute `service.instance.id`. Absent if OTEL_SDK_DISABLED is set. */
  readonly instanceId?: string
  /** The scrape page in Prometheus' text format, or a sentence that says why there is none. Rejects after `shutdown`. */
  page(): Promise<string>
  /**
   * Exports what is left within 3 seconds. What is not delivered by then is counted and logged as lost. Never rejects:
   * telemetry must not decide how the proxy ends.
   */
  shutdown(): Promise<void>
}

/** Starts what the settings select, without waiting: an unreachable receiver is noticed and counted later. */
export function start(options: SdkOptions): Sdk {
  if (options.settings.disabled) return disabled
  const accounting = startAccounting(options.warn)
  const outputs = createOutputs(options.settings, accounting, seriesLimit(options))
  const resource = createResource(options.settings)
  const metrics = startMetrics(resource, outputs, accounting.losses)
  const traces = startTracing(resource, outputs, accounting.losses, options)
  const logs = outputs.logs && createLogExport(resource, outputs.logs.input)
  let stopped: Promise<void> | undefined
  return {
    telemetry: createMetrics(metrics.provider, options),
    losses: accounting.losses,
    instanceId: String(resource.attributes['service.instance.id']),
    ...(traces && { traces }),
    ...(logs && { emit: logs.emit }),
    page: metrics.page,
    shutdown() {
      stopped ??= stop({ accounting, outputs, metrics, traces, logs })
      return stopped
    },
  }
}

type Accounting = ReturnType<typeof startAccounting>

/** Counts and reports what becomes of the telemetry of each signal. */
function startAccounting(warn: Warn) {
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

type Outputs = ReturnType<typeof createOutputs>

function createOutputs({ traces, metrics, logs }: OtelSettings, { deliveries }: Accounting, limit: number) {
  return {
    traces: traces && exportSpans(traces, deliveries.traces),
    metrics: metrics.otlp && exportMetrics(metrics.otlp, deliveries.metrics, limit),
    logs: logs && exportLogs(logs, deliveries.logs),
    prometheus: metrics.prometheus ? createPrometheus(limit) : undefined,
  }
}

type RunningMetrics = ReturnType<typeof startMetrics>

function startMetrics(resource: Resource, { metrics, prometheus }: Outputs, losses: CountedDeliveries) {
  const readers: IMetricReader[] = []
  if (prometheus) readers.push(prometheus.reader)
  if (metrics) readers.push(metrics.input)
  const provider = createMeterProvider({ resource, readers })
  losses.expose(provider)
  const runtime = readers.length > 0 ? startRuntimeMetrics(provider) : undefined
  const noPage = `# no metrics here: OTEL_METRICS_EXPORTER is ${metrics ? 'otlp' : 'none'}\n`
  return { provider, runtime, page: prometheus?.page ?? (async () => noPage) }
}

function startTracing(
  resource: Resource,
  { traces }: Outputs,
  losses: Losses,
  { settings, slowMs }: SdkOptions,
): Traces | undefined {
  if (!settings.traces || !traces) return undefined
  const joinTraces = settings.propagators.includes('tracecontext')
  const sampler = samplerOf(settings.traces)
  return startTraces({ resource, processors: [traces.input], sampler, joinTraces, slowMs, losses })
}

/** Describes this process. The environment takes precedence. Detectors would report command lines, users and hosts. */
function createResource({ resource }: OtelSettings): Resource {
  const own = { 'service.version': packageJson.version, 'service.instance.id': randomUUID() }
  return defaultResource().merge(resourceFromAttributes({ ...own, ...resource }))
}

/** The time for the last spans and log lines. With `LAST_METRICS_MS` well below the usual grace period of containers. */
const LAST_RECORDS_MS = 2000
/** The time for the last metrics, which include the losses of those spans and log lines. */
const LAST_METRICS_MS = 1000

interface Running {
  readonly accounting: Accounting
  readonly outputs: Outputs
  readonly metrics: RunningMetrics
  readonly traces: Traces | undefined
  readonly logs: LogExport | undefined
}

async function stop({ accounting, outputs, metrics, traces, logs }: Running): Promise<void> {
  await within(LAST_RECORDS_MS, traces?.shutdown(), logs?.shutdown())
  outputs.traces?.close()
  outputs.logs?.close()
  await within(LAST_METRICS_MS, metrics.provider.shutdown())
  outputs.metrics?.close()
  metrics.runtime?.stop()
  accounting.close()
}

/** Resolves when all `ends` have settled or the time is over. */
async function within(limitMs: number, ...ends: readonly (Promise<unknown> | undefined)[]): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, limitMs)
  await Promise.race([Promise.allSettled(ends), late])
  clearTimeout(timer)
}

/** The telemetry if OTEL_SDK_DISABLED is set. */
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
