import packageJson from '../../package.json' with { type: 'json' }
import type { Environment } from '../../settings/environment.ts'
import type { ReadText } from '../../settings/readers.ts'
import { defined, parse, type Values, valuesInEffect } from '../../settings/table.ts'
import { contradictions } from './checks.ts'
import type { Batch, OtelSettings, Otlp } from './effective.ts'
import { type Signal, TABLE } from './table.ts'

/** The settings, or everything that is wrong with them: one or two sentences per mistake, without secrets. */
export type ParsedOtel = { readonly settings: OtelSettings } | { readonly mistakes: readonly string[] }

type OtelValues = Values<typeof TABLE>

/**
 * Reads what OpenTelemetry's variables ask for, as `parse` does. An empty value counts as unset, as OpenTelemetry
 * specifies. Unlike there, an unknown value is a mistake.
 */
export function parseOtel(env: Environment, readText?: ReadText): ParsedOtel {
  const parsed = parse(TABLE, env, { check: (values) => contradictions(values, env), readText })
  return 'mistakes' in parsed ? parsed : { settings: toSettings(parsed.values) }
}

/** The values in effect by variable, for the start log line; what has no effect is left out. */
export function describeOtel(settings: OtelSettings): Record<string, string | number | boolean> {
  return valuesInEffect(settings.disabled ? { disabled: TABLE.disabled } : TABLE, settings)
}

function toSettings(values: OtelValues): OtelSettings {
  const { tracesExporter = ['otlp'], metricsExporter, logsExporter } = values
  const traces = tracesExporter.includes('otlp') ? otlpOf('traces', values) : undefined
  const metrics = metricsExporter.includes('otlp') ? otlpOf('metrics', values) : undefined
  const logs = logsExporter.includes('otlp') ? otlpOf('logs', values) : undefined
  return {
    disabled: values.disabled,
    resource: resourceOf(values),
    propagators: values.propagators,
    ...(traces && { traces: { ...traces, ...spanBatch(values), sampler: values.sampler, ratio: values.samplerRatio } }),
    metrics: {
      prometheus: metricsExporter.includes('prometheus'),
      ...(metrics && { otlp: { ...metrics, ...metricTimes(values) } }),
    },
    ...(logs && { logs: { ...logs, ...logBatch(values) } }),
  }
}

function resourceOf({ serviceName, resourceAttributes }: OtelValues): OtelSettings['resource'] {
  return {
    'service.name': packageJson.name,
    ...resourceAttributes,
    ...(serviceName && { 'service.name': serviceName }),
  }
}

function spanBatch({ spanDelayMs, spanTimeoutMs, spanQueue, spanBatch }: OtelValues): Batch {
  const maxBatch = Math.min(spanBatch, spanQueue)
  return { delayMs: spanDelayMs, exportTimeoutMs: spanTimeoutMs, maxQueue: spanQueue, maxBatch }
}

function logBatch({ logDelayMs, logTimeoutMs, logQueue, logBatch }: OtelValues): Batch {
  const maxBatch = Math.min(logBatch, logQueue)
  return { delayMs: logDelayMs, exportTimeoutMs: logTimeoutMs, maxQueue: logQueue, maxBatch }
}

function metricTimes({ metricIntervalMs, metricTimeoutMs, temporality }: OtelValues) {
  const exportTimeoutMs = Math.min(metricTimeoutMs, metricIntervalMs)
  return { intervalMs: metricIntervalMs, exportTimeoutMs, temporality }
}

/** How a signal is exported; undefined where no endpoint is set. */
function otlpOf(signal: Signal, values: OtelValues): Otlp | undefined {
  const url = values[`${signal}.endpoint`] ?? (values.endpoint && `${values.endpoint}v1/${signal}`)
  if (url === undefined) return undefined
  return {
    url,
    // the exporters also read the variables, and always add the headers for all signals to those for one
    headers: { ...values.headers, ...values[`${signal}.headers`] },
    timeoutMs: values[`${signal}.timeoutMs`] ?? values.timeoutMs,
    compression: values[`${signal}.compression`] ?? values.compression,
    ...defined({
      authorities: values[`${signal}.authorities`] ?? values.authorities,
      clientKey: values[`${signal}.clientKey`] ?? values.clientKey,
      clientCertificate: values[`${signal}.clientCertificate`] ?? values.clientCertificate,
    }),
  }
}
