/**
 * THE table of OpenTelemetry's variables that this proxy honours. Only the OTLP exporters read any of them by themselves
 * (`OTEL_EXPORTER_OTLP_*`, and they ignore what they do not understand), so all of them are read here and passed on.
 */

import { integer, path, type Reader } from '../../settings/readers.ts'
import type { Documented } from '../../settings/tables.ts'
import type { OtelSettings, Otlp } from './effective.ts'
import {
  baseEndpoint,
  endpoint,
  headers,
  protocol,
  ratio,
  resourceAttributes,
  shownUrl,
  text,
  truth,
  word,
  words,
} from './values.ts'

type Effective = string | number | boolean | undefined

/** One variable; its default is text for `read`. */
export interface Row<T> extends Documented {
  readonly read: Reader<T>
  /** The value in effect, for the start log line; undefined = none. */
  readonly effective: (settings: OtelSettings) => Effective
}

const MAX_MILLISECONDS = 3_600_000
/** Spans and log lines wait in memory, at some 2 KB each. */
const MAX_QUEUE = 100_000

const delay = integer(1, MAX_MILLISECONDS)
const queue = integer(1, MAX_QUEUE)

export const SETTINGS = {
  disabled: {
    variable: 'OTEL_SDK_DISABLED',
    default: 'false',
    meaning: '`true` turns off metrics, traces and OTLP logs. The proxy still writes log lines to standard output.',
    read: truth,
    effective: ({ disabled }) => disabled,
  },
  serviceName: {
    variable: 'OTEL_SERVICE_NAME',
    default: '',
    meaning:
      'The resource attribute `service.name`. Overrides the one in `OTEL_RESOURCE_ATTRIBUTES`. If neither is set, ' +
      'it is `ahasend-smtp-proxy`.',
    read: text,
    effective: ({ resource }) => resource['service.name'],
  },
  resourceAttributes: {
    variable: 'OTEL_RESOURCE_ATTRIBUTES',
    default: '',
    meaning:
      'Attributes of all exported telemetry: `deployment.environment.name=production,cloud.region=eu-west-1`. ' +
      '`service.instance.id` is a new random id at each start unless you set it here.',
    read: resourceAttributes,
    effective: ({ resource }) => Object.keys(resource).join(',') || undefined,
  },
  tracesExporter: {
    variable: 'OTEL_TRACES_EXPORTER',
    default: '',
    meaning: '`otlp` or `none`. The default is `otlp` if an endpoint for traces is set, otherwise `none`.',
    read: words('otlp'),
    effective: ({ traces }) => (traces ? 'otlp' : 'none'),
  },
  metricsExporter: {
    variable: 'OTEL_METRICS_EXPORTER',
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
    default: 'none',
    meaning:
      '`otlp` exports log lines in addition to writing them to standard output, and requires an endpoint. `none` ' +
      'exports no log lines.',
    read: words('otlp'),
    effective: ({ logs }) => (logs ? 'otlp' : 'none'),
  },
  sampler: {
    variable: 'OTEL_TRACES_SAMPLER',
    default: 'parentbased_traceidratio',
    meaning:
      'Which messages and sessions are traced: `always_on`, `always_off`, `traceidratio`, `parentbased_always_on`, ' +
      '`parentbased_always_off` or `parentbased_traceidratio`. Those that failed, are in doubt or were slow ' +
      '(`PROXY_SLOW`) are always traced.',
    read: word(
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
    default: '0.1',
    meaning: 'The share of traces that a ratio sampler keeps, from 0 to 1.',
    read: ratio,
    effective: ({ traces }) => (traces?.sampler.endsWith('ratio') ? traces.ratio : undefined),
  },
  propagators: {
    variable: 'OTEL_PROPAGATORS',
    default: 'tracecontext,baggage',
    meaning:
      'With `tracecontext`, a message with a `traceparent` header joins that trace. With `none`, every message ' +
      'starts its own trace. `baggage` is accepted but has no effect, because the proxy passes nothing on.',
    read: words('tracecontext', 'baggage'),
    effective: ({ propagators }) => propagators.join(',') || 'none',
  },
  metricIntervalMs: {
    variable: 'OTEL_METRIC_EXPORT_INTERVAL',
    default: '60000',
    meaning: 'Milliseconds between two OTLP exports of metrics.',
    read: delay,
    effective: ({ metrics }) => metrics.otlp?.intervalMs,
  },
  metricTimeoutMs: {
    variable: 'OTEL_METRIC_EXPORT_TIMEOUT',
    default: '30000',
    meaning: 'Time limit for one export of metrics, in milliseconds. At most the interval.',
    read: delay,
    effective: ({ metrics }) => metrics.otlp?.exportTimeoutMs,
  },
  temporality: {
    variable: 'OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE',
    default: 'cumulative',
    meaning: '`cumulative`, `delta` or `lowmemory`. Prometheus requires `cumulative`.',
    read: word('cumulative', 'delta', 'lowmemory'),
    effective: ({ metrics }) => metrics.otlp?.temporality,
  },
  spanDelayMs: {
    variable: 'OTEL_BSP_SCHEDULE_DELAY',
    default: '5000',
    meaning: 'Longest time that spans wait for a batch to fill, in milliseconds.',
    read: delay,
    effective: ({ traces }) => traces?.delayMs,
  },
  spanTimeoutMs: {
    variable: 'OTEL_BSP_EXPORT_TIMEOUT',
    default: '30000',
    meaning: 'Time limit for one export of spans, in milliseconds.',
    read: delay,
    effective: ({ traces }) => traces?.exportTimeoutMs,
  },
  spanQueue: {
    variable: 'OTEL_BSP_MAX_QUEUE_SIZE',
    default: '2048',
    meaning: 'Maximum number of spans that wait for export. Further spans are dropped and counted.',
    read: queue,
    effective: ({ traces }) => traces?.maxQueue,
  },
  spanBatch: {
    variable: 'OTEL_BSP_MAX_EXPORT_BATCH_SIZE',
    default: '512',
    meaning: 'Maximum number of spans in one export. At most the queue size.',
    read: queue,
    effective: ({ traces }) => traces?.maxBatch,
  },
  logDelayMs: {
    variable: 'OTEL_BLRP_SCHEDULE_DELAY',
    default: '1000',
    meaning: 'Longest time that log lines wait for a batch to fill, in milliseconds.',
    read: delay,
    effective: ({ logs }) => logs?.delayMs,
  },
  logTimeoutMs: {
    variable: 'OTEL_BLRP_EXPORT_TIMEOUT',
    default: '30000',
    meaning: 'Time limit for one export of log lines, in milliseconds.',
    read: delay,
    effective: ({ logs }) => logs?.exportTimeoutMs,
  },
  logQueue: {
    variable: 'OTEL_BLRP_MAX_QUEUE_SIZE',
    default: '2048',
    meaning: 'Maximum number of log lines that wait for export. Further lines are counted but not exported.',
    read: queue,
    effective: ({ logs }) => logs?.maxQueue,
  },
  logBatch: {
    variable: 'OTEL_BLRP_MAX_EXPORT_BATCH_SIZE',
    default: '512',
    meaning: 'Maximum number of log lines in one export. At most the queue size.',
    read: queue,
    effective: ({ logs }) => logs?.maxBatch,
  },
} satisfies Readonly<Record<string, Row<unknown>>>

/** A variable that exists for all signals and for each: the signal's own goes before that for all. */
export interface OtlpRow<T> extends Documented {
  readonly read: Reader<T>
  /** How a signal's own variable is read, where that differs. */
  readonly readOwn?: Reader<T>
  readonly effective: (otlp: Otlp) => Effective
}

export const OTLP_SETTINGS = {
  endpoint: {
    variable: 'OTEL_EXPORTER_OTLP_ENDPOINT',
    default: '',
    meaning:
      'URL of an OpenTelemetry collector that accepts OTLP over HTTP, such as `http://collector:4318`. The proxy ' +
      'appends `/v1/traces`, `/v1/metrics` and `/v1/logs`. Without an endpoint, nothing is exported by OTLP. ' +
      'Variables for one signal override this variable and those below: `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, ' +
      '`OTEL_EXPORTER_OTLP_METRICS_HEADERS`, `OTEL_EXPORTER_OTLP_LOGS_TIMEOUT` and so on. The proxy uses the ' +
      'endpoint of one signal without appending a path.',
    read: baseEndpoint,
    readOwn: endpoint,
    effective: ({ url }) => shownUrl(url),
  },
  headers: {
    variable: 'OTEL_EXPORTER_OTLP_HEADERS',
    default: '',
    meaning:
      'HTTP headers for every export, such as `authorization=Bearer%20abc,x-tenant=7`. Headers for one signal are ' +
      'added to these. Log lines never contain the values.',
    read: headers,
    effective: ({ headers }) => Object.keys(headers).join(',') || undefined,
  },
  timeoutMs: {
    variable: 'OTEL_EXPORTER_OTLP_TIMEOUT',
    default: '10000',
    meaning: 'Time limit for one export with its retries, in milliseconds.',
    read: delay,
    effective: ({ timeoutMs }) => timeoutMs,
  },
  compression: {
    variable: 'OTEL_EXPORTER_OTLP_COMPRESSION',
    default: 'none',
    meaning: '`gzip` or `none`.',
    read: word('gzip', 'none'),
    effective: ({ compression }) => compression,
  },
  protocol: {
    variable: 'OTEL_EXPORTER_OTLP_PROTOCOL',
    default: 'http/protobuf',
    meaning: '`http/protobuf` is the only supported protocol.',
    read: protocol,
    effective: () => 'http/protobuf',
  },
  authorities: {
    variable: 'OTEL_EXPORTER_OTLP_CERTIFICATE',
    default: '',
    meaning: "PEM file of the certificate authorities to trust for the collector, instead of Node's.",
    read: path,
    effective: ({ authorities }) => authorities?.path,
  },
  clientKey: {
    variable: 'OTEL_EXPORTER_OTLP_CLIENT_KEY',
    default: '',
    meaning: 'PEM file of the unencrypted private key with which the proxy identifies itself to the collector.',
    read: path,
    effective: ({ clientKey }) => clientKey?.path,
  },
  clientCertificate: {
    variable: 'OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE',
    default: '',
    meaning: 'PEM file of the certificate for that key, followed by its chain.',
    read: path,
    effective: ({ clientCertificate }) => clientCertificate?.path,
  },
} satisfies Readonly<Record<string, OtlpRow<unknown>>>

/** The kinds of telemetry, in the order in which settings name them. */
export const SIGNALS = ['traces', 'metrics', 'logs'] as const

/** The signal's own variable of one that exists for all. */
export function ownVariable({ variable }: Documented, signal: (typeof SIGNALS)[number]): string {
  return variable.replace('OTLP_', `OTLP_${signal.toUpperCase()}_`)
}

/** The rows in the order in which people read them. */
export const OTEL_ROWS: readonly Documented[] = [...Object.values(SETTINGS), ...Object.values(OTLP_SETTINGS)]

function exporters(...names: readonly (string | false | undefined)[]): string {
  return names.filter((name) => typeof name === 'string').join(',') || 'none'
}

/** What a table reads as, by its keys. */
type Read<Table> = { readonly [Key in keyof Table]: Table[Key] extends { read: Reader<infer T> } ? T : never }

export type Values = Read<typeof SETTINGS>
export type OtlpValues = Read<typeof OTLP_SETTINGS>
export type Signal = (typeof SIGNALS)[number]

/** All settings that could be read. The others are absent, so that they are reported only once. */
export interface ReadSettings {
  readonly values: Partial<Values>
  /** Without defaults for those of one signal. */
  readonly otlp: Readonly<Record<Signal | 'all', Partial<OtlpValues>>>
}
