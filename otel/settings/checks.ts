/** Checks beyond a single OpenTelemetry variable: variables that contradict each other, and variables without effect. */

import { mistake } from '../../settings/readers.ts'
import { type Documented, type Environment, isServiceLink } from '../../settings/tables.ts'
import type { OtelSettings } from './effective.ts'
import {
  OTEL_ROWS,
  OTLP_SETTINGS,
  ownVariable,
  type ReadSettings,
  SETTINGS,
  SIGNALS,
  type Signal,
  type Values,
} from './table.ts'

/** Variables that contradict each other. */
export function contradictions({ values }: ReadSettings, env: Environment): string[] {
  return [
    ...missingEndpoints(values, env),
    ...tooLarge('spanBatch', 'spanQueue', values, env),
    ...tooLarge('logBatch', 'logQueue', values, env),
    ...tooLarge('metricTimeoutMs', 'metricIntervalMs', values, env),
    ...new Set(SIGNALS.flatMap((signal) => lonelyFiles(signal, env))),
  ]
}

const EXPORTERS = { traces: 'tracesExporter', metrics: 'metricsExporter', logs: 'logsExporter' } as const

/** OTLP is selected, but no endpoint is set. */
function missingEndpoints(values: Partial<Values>, env: Environment): string[] {
  const { endpoint } = OTLP_SETTINGS
  return SIGNALS.filter((signal) => values[EXPORTERS[signal]]?.some((exporter) => exporter === 'otlp')).flatMap(
    (signal) => {
      const own = ownVariable(endpoint, signal)
      if (isSet(endpoint.variable, env) || isSet(own, env)) return []
      const fix = `Set ${endpoint.variable} (such as http://collector:4318) or ${own}.`
      return [mistake(SETTINGS[EXPORTERS[signal]].variable, { got: 'otlp', expected: 'an endpoint to export to', fix })]
    },
  )
}

/** A client's key without a certificate, or the reverse. */
function lonelyFiles(signal: Signal, env: Environment): string[] {
  const { clientKey, clientCertificate } = OTLP_SETTINGS
  const setter = (row: Documented) => [ownVariable(row, signal), row.variable].find((variable) => isSet(variable, env))
  const [key, certificate] = [setter(clientKey), setter(clientCertificate)]
  if ((key === undefined) === (certificate === undefined)) return []
  const absent = key === undefined ? clientKey : clientCertificate
  const expected = `a file, because ${key ?? certificate} is set`
  return [mistake(absent.variable, { got: 'nothing', expected, fix: 'Set both or neither.' })]
}

type Number = 'spanBatch' | 'spanQueue' | 'logBatch' | 'logQueue' | 'metricTimeoutMs' | 'metricIntervalMs'

/** A number above its bound. Only one that was set: a default is lowered to the bound. */
function tooLarge(key: Number, bound: Number, values: Partial<Values>, env: Environment): string[] {
  const [value, most] = [values[key], values[bound]]
  if (value === undefined || most === undefined || value <= most || !isSet(SETTINGS[key].variable, env)) return []
  const expected = `at most ${most}, the value of ${SETTINGS[bound].variable}`
  return [mistake(SETTINGS[key].variable, { got: String(value), expected, fix: 'Lower the one or raise the other.' })]
}

/** OpenTelemetry variables that are set and that this proxy does not know. Never contains their values. */
export function ignoredVariables(env: Environment): string[] {
  const known = new Set(OTEL_ROWS.map(({ variable }) => variable).concat(SIGNALS.flatMap(ownVariables)))
  return Object.entries(env)
    .filter(([name, value = '']) => name.startsWith('OTEL_') && value.trim() !== '' && !isServiceLink(name, value))
    .map(([name]) => name)
    .filter((name) => !known.has(name))
}

/** A warning that names the OpenTelemetry variables that this proxy does not know; none if it knows all. */
export function unknownOtelVariables(env: Environment): string[] {
  const ignored = ignoredVariables(env)
  return ignored.length > 0
    ? [`${ignored.join(', ')}: not supported by this proxy and ignored. See --help for supported variables.`]
    : []
}

/** Warnings about settings that are allowed but probably a mistake, for the log at start. */
export function otelWarnings(settings: OtelSettings, env: Environment): string[] {
  return [...unknownOtelVariables(env), ...idleVariables(settings, env), ...grpcPorts(env)]
}

/** Variables of one signal that is not exported by OTLP. */
function idleVariables(settings: OtelSettings, env: Environment): string[] {
  const exported = { traces: settings.traces, metrics: settings.metrics.otlp, logs: settings.logs }
  return SIGNALS.filter((signal) => exported[signal] === undefined).flatMap((signal) =>
    ownVariables(signal)
      .filter((variable) => isSet(variable, env))
      .map((variable) => `${variable} has no effect: ${reasonWhyIdle(signal)}.`),
  )
}

function reasonWhyIdle(signal: Signal): string {
  return `${signal} are not exported by OTLP. To export them, include otlp in ${SETTINGS[EXPORTERS[signal]].variable}`
}

/** Endpoints at the port of OTLP over gRPC, which does not understand HTTP. */
function grpcPorts(env: Environment): string[] {
  const { endpoint } = OTLP_SETTINGS
  return [endpoint.variable, ...SIGNALS.map((signal) => ownVariable(endpoint, signal))]
    .filter((variable) => URL.parse(env[variable]?.trim() ?? '')?.port === '4317')
    .map(
      (variable) =>
        `${variable}: port 4317 is usually for gRPC, which this proxy does not support. OTLP over HTTP usually uses port 4318.`,
    )
}

function ownVariables(signal: Signal): string[] {
  return Object.values(OTLP_SETTINGS).map((row) => ownVariable(row, signal))
}

function isSet(variable: string, env: Environment): boolean {
  return (env[variable]?.trim() ?? '') !== ''
}
