import { readFileSync } from 'node:fs'
import packageJson from '../../package.json' with { type: 'json' }
import { mistake, type Reader } from '../../settings/readers.ts'
import type { Environment } from '../../settings/tables.ts'
import { contradictions } from './checks.ts'
import type { Batch, OtelSettings, Otlp } from './effective.ts'
import { type Kind, type PemFiles, type ReadText, readPemFiles } from './files.ts'
import {
  OTLP_SETTINGS,
  type OtlpRow,
  type OtlpValues,
  ownVariable,
  type ReadSettings,
  type Row,
  SETTINGS,
  SIGNALS,
  type Signal,
  type Values,
} from './table.ts'

/** The settings, or everything that is wrong with them: one or two sentences per mistake, without secrets. */
export type ParsedOtel = { readonly settings: OtelSettings } | { readonly mistakes: readonly string[] }

/**
 * Reads what OpenTelemetry's variables ask for. Returns all mistakes at once; each names the variable, its value,
 * what is expected and what to do. An empty value counts as unset, as OpenTelemetry specifies. Unlike there, an unknown
 * value is a mistake. Never throws. Tests replace the file system with `readText`.
 */
export function parseOtel(env: Environment, readText: ReadText = (path) => readFileSync(path, 'utf8')): ParsedOtel {
  const { read, mistakes: unreadable } = readAll(env)
  const { files, mistakes: bad } = readPemFiles(read, readText)
  const mistakes = [...unreadable, ...contradictions(read, env), ...bad]
  if (mistakes.length > 0) return { mistakes }
  return { settings: toSettings(read.values as Values, read.otlp, files) }
}

function readAll(env: Environment): { readonly read: ReadSettings; readonly mistakes: readonly string[] } {
  const mistakes: string[] = []
  const values = readTable<Values>(SETTINGS, env, mistakes)
  const all = readTable<OtlpValues>(OTLP_SETTINGS, env, mistakes)
  const [traces, metrics, logs] = SIGNALS.map((signal) => readTable<OtlpValues>(ownRows(signal), env, mistakes))
  return { read: { values, otlp: { all, traces: traces!, metrics: metrics!, logs: logs! } }, mistakes }
}

interface Readable {
  readonly variable: string
  readonly default?: string
  readonly read: Reader<unknown>
}

/** The rows of one signal's own variables; without defaults, those that are unset are absent. */
function ownRows(signal: Signal): Readonly<Record<string, Readable>> {
  const rows = Object.entries<OtlpRow<unknown>>(OTLP_SETTINGS)
  return Object.fromEntries(
    rows.map(([key, row]) => [key, { variable: ownVariable(row, signal), read: row.readOwn ?? row.read }]),
  )
}

function readTable<T>(table: Readonly<Record<string, Readable>>, env: Environment, mistakes: string[]): Partial<T> {
  const entries = Object.entries(table).flatMap(([key, row]) => {
    const text = env[row.variable]?.trim() || row.default
    if (text === undefined) return []
    const reading = row.read(text)
    if ('value' in reading) return [[key, reading.value]]
    mistakes.push(...reading.faults.map((fault) => mistake(row.variable, fault, row.default || undefined)))
    return []
  })
  return Object.fromEntries(entries) as Partial<T>
}

function toSettings(values: Values, otlp: ReadSettings['otlp'], files: PemFiles): OtelSettings {
  const of = (signal: Signal) => otlpOf(signal, otlp, files)
  const traces =
    values.tracesExporter === undefined || values.tracesExporter.includes('otlp') ? of('traces') : undefined
  const metrics = values.metricsExporter?.includes('otlp') ? of('metrics') : undefined
  const logs = values.logsExporter?.includes('otlp') ? of('logs') : undefined
  return {
    disabled: values.disabled,
    resource: resourceOf(values),
    propagators: values.propagators ?? [],
    ...(traces && { traces: { ...traces, ...spanBatch(values), sampler: values.sampler, ratio: values.samplerRatio } }),
    metrics: {
      prometheus: values.metricsExporter?.includes('prometheus') ?? false,
      ...(metrics && { otlp: { ...metrics, ...metricTimes(values) } }),
    },
    ...(logs && { logs: { ...logs, ...logBatch(values) } }),
  }
}

function resourceOf({ serviceName, resourceAttributes }: Values): OtelSettings['resource'] {
  return {
    'service.name': packageJson.name,
    ...resourceAttributes,
    ...(serviceName && { 'service.name': serviceName }),
  }
}

function spanBatch({ spanDelayMs, spanTimeoutMs, spanQueue, spanBatch }: Values): Batch {
  const maxBatch = Math.min(spanBatch, spanQueue)
  return { delayMs: spanDelayMs, exportTimeoutMs: spanTimeoutMs, maxQueue: spanQueue, maxBatch }
}

function logBatch({ logDelayMs, logTimeoutMs, logQueue, logBatch }: Values): Batch {
  const maxBatch = Math.min(logBatch, logQueue)
  return { delayMs: logDelayMs, exportTimeoutMs: logTimeoutMs, maxQueue: logQueue, maxBatch }
}

function metricTimes({ metricIntervalMs, metricTimeoutMs, temporality }: Values) {
  const exportTimeoutMs = Math.min(metricTimeoutMs, metricIntervalMs)
  return { intervalMs: metricIntervalMs, exportTimeoutMs, temporality }
}

/** How a signal is exported; undefined where no endpoint is set. */
function otlpOf(signal: Signal, { all, ...own }: ReadSettings['otlp'], files: PemFiles): Otlp | undefined {
  const url = own[signal].endpoint ?? (all.endpoint && `${all.endpoint}v1/${signal}`)
  if (url === undefined) return undefined
  // the exporters also read the variables, and always add the headers for all signals to those for one
  const headers = { ...all.headers, ...own[signal].headers }
  const { timeoutMs, compression, ...paths } = { ...all, ...own[signal] } as OtlpValues
  const file = (kind: Kind) => files[kind].get(paths[kind] ?? '')
  const [authorities, clientKey, clientCertificate] = [
    file('authorities'),
    file('clientKey'),
    file('clientCertificate'),
  ]
  return {
    url,
    headers,
    timeoutMs,
    compression,
    ...(authorities && { authorities }),
    ...(clientKey && { clientKey }),
    ...(clientCertificate && { clientCertificate }),
  }
}

/** The values in effect by variable, for the start log line, without secrets; what is without effect is left out. */
export function describeOtel(settings: OtelSettings): Record<string, string | number | boolean> {
  if (settings.disabled) return { [SETTINGS.disabled.variable]: true }
  const own = SIGNALS.flatMap((signal) =>
    describeOtlp(signal, signal === 'metrics' ? settings.metrics.otlp : settings[signal]),
  )
  const general = Object.values<Row<unknown>>(SETTINGS).map(({ variable, effective }) => [
    variable,
    effective(settings),
  ])
  return Object.fromEntries([...general, ...own].filter(([, value]) => value !== undefined))
}

function describeOtlp(signal: Signal, otlp: Otlp | undefined): (readonly [string, unknown])[] {
  const rows = Object.values<OtlpRow<unknown>>(OTLP_SETTINGS)
  return otlp === undefined ? [] : rows.map((row) => [ownVariable(row, signal), row.effective(otlp)])
}
