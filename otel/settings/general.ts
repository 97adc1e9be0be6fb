/** The rows of the variables that exist once. Those that exist for each signal: `table.ts`. */
import type { Group, Grouped } from '../../settings/documentation.ts'
import { anyText, choiceInAnyCase, integer, optional, ratio } from '../../settings/readers.ts'
import type { Setting } from '../../settings/table.ts'
import type { OtelSettings } from './effective.ts'
import { resourceAttributes, truth, words } from './values.ts'

/** The longest time that a variable in milliseconds may set: an hour. Arbitrary. */
export const MAX_MILLISECONDS = 3_600_000
/** Spans and log lines wait in memory, at some 2 KB each. */
const MAX_QUEUE = 100_000

const delay = integer(1, MAX_MILLISECONDS)
const queue = integer(1, MAX_QUEUE)

/** The purposes of the variables, those of `table.ts` included, in the order in which people read them. */
export const GROUPS = {
  general: { title: 'General', about: 'Whether anything is recorded, and how the proxy identifies itself.' },
  exporter: { title: 'OTLP exporter', about: 'Where the proxy sends traces, metrics and log lines by OTLP.' },
  traces: { title: 'Traces', about: 'Which messages and sessions are traced, and how spans are exported.' },
  metrics: { title: 'Metrics', about: 'Whether metrics are scraped, exported, or both.' },
  logs: { title: 'Logs', about: 'Whether log lines are exported in addition to standard output.' },
} as const satisfies Readonly<Record<string, Group>>

/** The key of a purpose. */
export type OtelGroup = keyof typeof GROUPS

/** The rows in the order in which people read them. */
export const SETTINGS = {
  disabled: {
    variable: 'OTEL_SDK_DISABLED',
    group: 'general',
    default: 'false',
    meaning: '`true` turns off metrics, traces and OTLP logs. The proxy still writes log lines to standard output.',
    read: truth,
    effective: ({ disabled }) => disabled,
  },
  serviceName: {
    variable: 'OTEL_SERVICE_NAME',
    group: 'general',
    default: '',
    meaning:
      'The resource attribute `service.name`. Overrides the one in `OTEL_RESOURCE_ATTRIBUTES`. If neither is set, ' +
      'it is `ahasend-smtp-proxy`.',
    read: optional(anyText),
    effective: ({ resource }) => resource['service.name'],
  },
  resourceAttributes: {
    variable: 'OTEL_RESOURCE_ATTRIBUTES',
    group: 'general',
    default: '',
    meaning:
      'Attributes of all exported telemetry: `deployment.environment.name=production,cloud.region=eu-west-1`. ' +
      '`service.instance.id` is a new random id at each start unless you set it here.',
    read: resourceAttributes,
    effective: ({ resource }) => Object.keys(resource).join(',') || undefined,
  },
  tracesExporter: {
    variable: 'OTEL_TRACES_EXPORTER',
    group: 'traces',
    default: '',
    meaning: '`otlp` or `none`. The default is `otlp` if an endpoint for traces is set, otherwise `none`.',
    read: optional(words('otlp')),
    effective: ({ traces }) => (traces ? 'otlp' : 'none'),
  },
  metricsExporter: {
    variable: 'OTEL_METRICS_EXPORTER',
    group: 'metrics',
    default: 'prometheus',
    meaning:
      '`prometheus` (the page `/metrics`), `otlp`, `prometheus,otlp` (or `both`), or `none`. `otlp` requires an ' +
      'endpoint.',
    read: (given) => words('prometheus', 'otlp')(given.toLowerCase() === 'both' ? 'prometheus,otlp' : given),
    effective: ({ metrics }) =>
      exporters(metrics.prometheus && 'prometheus', metrics.otlp === undefined ? undefined : 'otlp'),
  },
  logsExporter: {
    variable: 'OTEL_LOGS_EXPORTER',
    group: 'logs',
    default: 'none',
    meaning:
      '`otlp` exports log lines in addition to writing them to standard output, and requires an endpoint. `none` ' +
      'exports no log lines.',
    read: words('otlp'),
    effective: ({ logs }) => (logs ? 'otlp' : 'none'),
  },
  sampler: {
    variable: 'OTEL_TRACES_SAMPLER',
    group: 'traces',
    default: 'parentbased_traceidratio',
    meaning:
      'Which messages and sessions are traced: `always_on`, `always_off`, `traceidratio`, ' +
      '`parentbased_always_on`, `parentbased_always_off` or `parentbased_traceidratio`. Messages and sessions ' +
      'that failed, are in doubt or were slow (`PROXY_SLOW`) are always traced.',
    read: choiceInAnyCase(
      'always_on',
      'always_off',
      'traceidratio',
      'parentbased_always_on',
      'parentbased_always_off',
      'parentbased_traceidratio',
    ),
    effective: ({ traces }) => traces?.sampler,
  },
  samplerRatio: {
    variable: 'OTEL_TRACES_SAMPLER_ARG',
    group: 'traces',
    default: '0.1',
    meaning: 'The share of traces that a ratio sampler keeps, from 0 to 1.',
    read: ratio,
    effective: ({ traces }) => (traces?.sampler.endsWith('ratio') ? traces.ratio : undefined),
  },
  propagators: {
    variable: 'OTEL_PROPAGATORS',
    group: 'traces',
    default: 'tracecontext,baggage',
    meaning:
      'With `tracecontext`, a message with a `traceparent` header joins that trace. With `none`, every message ' +
      'starts its own trace. `baggage` is accepted but has no effect, because the proxy propagates no baggage.',
    read: words('tracecontext', 'baggage'),
    effective: ({ propagators }) => propagators.join(',') || 'none',
  },
  metricIntervalMs: {
    variable: 'OTEL_METRIC_EXPORT_INTERVAL',
    group: 'metrics',
    default: '60000',
    meaning: 'Milliseconds between two OTLP exports of metrics.',
    read: delay,
    effective: ({ metrics }) => metrics.otlp?.intervalMs,
  },
  metricTimeoutMs: {
    variable: 'OTEL_METRIC_EXPORT_TIMEOUT',
    group: 'metrics',
    default: '30000',
    meaning: 'Time limit for one export of metrics, in milliseconds. At most the interval.',
    read: delay,
    effective: ({ metrics }) => metrics.otlp?.exportTimeoutMs,
  },
  temporality: {
    variable: 'OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE',
    group: 'metrics',
    default: 'cumulative',
    meaning: '`cumulative`, `delta` or `lowmemory`. Prometheus requires `cumulative`.',
    read: choiceInAnyCase('cumulative', 'delta', 'lowmemory'),
    effective: ({ metrics }) => metrics.otlp?.temporality,
  },
  spanDelayMs: {
    variable: 'OTEL_BSP_SCHEDULE_DELAY',
    group: 'traces',
    default: '5000',
    meaning: 'Longest time that spans wait for a batch to fill, in milliseconds.',
    read: delay,
    effective: ({ traces }) => traces?.delayMs,
  },
  spanTimeoutMs: {
    variable: 'OTEL_BSP_EXPORT_TIMEOUT',
    group: 'traces',
    default: '30000',
    meaning: 'Time limit for one export of spans, in milliseconds.',
    read: delay,
    effective: ({ traces }) => traces?.exportTimeoutMs,
  },
  spanQueue: {
    variable: 'OTEL_BSP_MAX_QUEUE_SIZE',
    group: 'traces',
    default: '2048',
    meaning: 'Maximum number of spans that wait for export. Further spans are dropped and counted.',
    read: queue,
    effective: ({ traces }) => traces?.maxQueue,
  },
  spanBatch: {
    variable: 'OTEL_BSP_MAX_EXPORT_BATCH_SIZE',
    group: 'traces',
    default: '512',
    meaning: 'Maximum number of spans in one export. At most the queue size.',
    read: queue,
    effective: ({ traces }) => traces?.maxBatch,
  },
  logDelayMs: {
    variable: 'OTEL_BLRP_SCHEDULE_DELAY',
    group: 'logs',
    default: '1000',
    meaning: 'Longest time that log lines wait for a batch to fill, in milliseconds.',
    read: delay,
    effective: ({ logs }) => logs?.delayMs,
  },
  logTimeoutMs: {
    variable: 'OTEL_BLRP_EXPORT_TIMEOUT',
    group: 'logs',
    default: '30000',
    meaning: 'Time limit for one export of log lines, in milliseconds.',
    read: delay,
    effective: ({ logs }) => logs?.exportTimeoutMs,
  },
  logQueue: {
    variable: 'OTEL_BLRP_MAX_QUEUE_SIZE',
    group: 'logs',
    default: '2048',
    meaning: 'Maximum number of log lines that wait for export. Further lines are counted but not exported.',
    read: queue,
    effective: ({ logs }) => logs?.maxQueue,
  },
  logBatch: {
    variable: 'OTEL_BLRP_MAX_EXPORT_BATCH_SIZE',
    group: 'logs',
    default: '512',
    meaning: 'Maximum number of log lines in one export. At most the queue size.',
    read: queue,
    effective: ({ logs }) => logs?.maxBatch,
  },
} satisfies Readonly<Record<string, Setting<unknown, OtelSettings> & Grouped<OtelGroup>>>

function exporters(...names: readonly (string | false | undefined)[]): string {
  return names.filter((name) => typeof name === 'string').join(',') || 'none'
}
