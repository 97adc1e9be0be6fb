/** Checks beyond a single OpenTelemetry variable: variables that contradict each other, and variables without effect. */
import { type Environment, isSet } from '../../settings/environment.ts'
import { missing, mistake } from '../../settings/mistakes.ts'
import { unknownVariables } from '../../settings/names.ts'
import { isPair, pairFault } from '../../settings/pem.ts'
import type { Values } from '../../settings/table.ts'
import type { OtelSettings } from './effective.ts'
import { SETTINGS } from './general.ts'
import { OTLP_SETTINGS, ownVariable, SIGNALS, type Signal, TABLE } from './table.ts'

/** The settings that could be read. */
export type ReadValues = Partial<Values<typeof TABLE>>

/** Variables that contradict each other. */
export function contradictions(values: ReadValues, env: Environment): string[] {
  return [
    ...missingEndpoints(values, env),
    ...tooLarge('spanBatch', 'spanQueue', values, env),
    ...tooLarge('logBatch', 'logQueue', values, env),
    ...tooLarge('metricTimeoutMs', 'metricIntervalMs', values, env),
    ...new Set(SIGNALS.flatMap((signal) => badIdentity(signal, values, env))),
  ]
}

const EXPORTERS = { traces: 'tracesExporter', metrics: 'metricsExporter', logs: 'logsExporter' } as const

/** OTLP is selected, but no endpoint is set. */
function missingEndpoints(values: ReadValues, env: Environment): string[] {
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

/** A client's key without a certificate, or the reverse, or the key of another certificate. */
function badIdentity(signal: Signal, values: ReadValues, env: Environment): string[] {
  const [key, certificate] = [chosen('clientKey', signal, env), chosen('clientCertificate', signal, env)]
  if (key && !certificate) return [missing(OTLP_SETTINGS.clientCertificate.variable, TABLE[key].variable, 'a file')]
  if (!key && certificate) return [missing(OTLP_SETTINGS.clientKey.variable, TABLE[certificate].variable, 'a file')]
  const [keyFile, certificateFile] = [key && values[key], certificate && values[certificate]]
  if (!key || !keyFile || !certificateFile || isPair(certificateFile, keyFile)) return []
  return [mistake(TABLE[key].variable, pairFault(certificateFile, keyFile))]
}

/** The key of the variable that decides for a signal: its own, or the one for all; undefined when neither is set. */
function chosen<Key extends keyof typeof OTLP_SETTINGS>(key: Key, signal: Signal, env: Environment) {
  const keys = [`${signal}.${key}`, key] as const
  return keys.find((candidate) => isSet(TABLE[candidate].variable, env))
}

type Number = 'spanBatch' | 'spanQueue' | 'logBatch' | 'logQueue' | 'metricTimeoutMs' | 'metricIntervalMs'

/** A number above its bound. Only one that was set: a default is lowered to the bound. */
function tooLarge(key: Number, bound: Number, values: ReadValues, env: Environment): string[] {
  const [value, most] = [values[key], values[bound]]
  if (value === undefined || most === undefined || value <= most || !isSet(SETTINGS[key].variable, env)) return []
  const expected = `at most ${most}, the value of ${SETTINGS[bound].variable}`
  return [mistake(SETTINGS[key].variable, { got: String(value), expected, fix: 'Lower the one or raise the other.' })]
}

/** OpenTelemetry variables that are set and that this proxy does not know. Never contains their values. */
export function ignoredVariables(env: Environment): string[] {
  return unknownVariables(env, KNOWN_NAMES)
}

const KNOWN_NAMES = Object.values(TABLE).map(({ variable }) => variable)

/** A warning that names the OpenTelemetry variables that this proxy does not know; none if it knows all. */
export function unknownOtelVariables(env: Environment): string[] {
  const ignored = ignoredVariables(env)
  return ignored.length > 0
    ? [`${ignored.join(', ')}: not supported by this proxy and ignored. See --help all for supported variables.`]
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
