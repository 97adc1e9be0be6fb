/**
 * THE table of OpenTelemetry's variables that this proxy honours. Only the OTLP exporters read any of them by themselves
 * (`OTEL_EXPORTER_OTLP_*`, and they ignore what they do not understand), so all of them are read here and passed on.
 */
import type { Documented, Grouped } from '../../settings/documentation.ts'
import { shownUrl } from '../../settings/mistakes.ts'
import { certificateFile, keyFile } from '../../settings/pem.ts'
import { choiceInAnyCase, integer, optional, type Reader } from '../../settings/readers.ts'
import type { Setting } from '../../settings/table.ts'
import type { OtelSettings, Otlp } from './effective.ts'
import { MAX_MILLISECONDS, type OtelGroup, SETTINGS } from './general.ts'
import { baseEndpoint, endpoint, headers, protocol } from './values.ts'

/** A variable that exists for all signals and for each: the signal's own overrides the one for all. */
interface OtlpSetting<T> extends Setting<T>, Grouped<OtelGroup> {
  /** How a signal's own variable is read, where that differs. */
  readonly readOwn?: Reader<T>
  /** The value in effect for one signal. */
  readonly ofSignal: (otlp: Otlp) => string | number | undefined
}

export const OTLP_SETTINGS = {
  endpoint: {
    variable: 'OTEL_EXPORTER_OTLP_ENDPOINT',
    group: 'exporter',
    default: '',
    meaning:
      'URL of the OTLP receiver, such as `http://collector:4318`. The receiver must accept OTLP over HTTP. The ' +
      'proxy appends `/v1/traces`, `/v1/metrics` and `/v1/logs`. Without an endpoint, nothing is exported by ' +
      'OTLP. Variables for one signal override this variable and those below: ' +
      '`OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, `OTEL_EXPORTER_OTLP_METRICS_HEADERS`, ' +
      '`OTEL_EXPORTER_OTLP_LOGS_TIMEOUT` and so on. The proxy uses the endpoint of one signal without ' +
      'appending a path.',
    read: optional(baseEndpoint),
    readOwn: optional(endpoint),
    ofSignal: ({ url }) => shownUrl(url),
  },
  headers: {
    variable: 'OTEL_EXPORTER_OTLP_HEADERS',
    group: 'exporter',
    default: '',
    meaning:
      'HTTP headers for every export, such as `authorization=Bearer%20abc,x-tenant=7`. Headers for one signal are ' +
      'added to these. Log lines never contain the values.',
    read: headers,
    ofSignal: ({ headers }) => Object.keys(headers).join(',') || undefined,
  },
  timeoutMs: {
    variable: 'OTEL_EXPORTER_OTLP_TIMEOUT',
    group: 'exporter',
    default: '10000',
    meaning: 'Time limit for one export with its retries, in milliseconds.',
    read: integer(1, MAX_MILLISECONDS),
    ofSignal: ({ timeoutMs }) => timeoutMs,
  },
  compression: {
    variable: 'OTEL_EXPORTER_OTLP_COMPRESSION',
    group: 'exporter',
    default: 'none',
    meaning: '`gzip` or `none`.',
    read: choiceInAnyCase('gzip', 'none'),
    ofSignal: ({ compression }) => compression,
  },
  protocol: {
    variable: 'OTEL_EXPORTER_OTLP_PROTOCOL',
    group: 'exporter',
    default: 'http/protobuf',
    meaning: '`http/protobuf` is the only supported protocol.',
    read: protocol,
    ofSignal: () => 'http/protobuf',
  },
  authorities: {
    variable: 'OTEL_EXPORTER_OTLP_CERTIFICATE',
    group: 'exporter',
    default: '',
    meaning: "PEM file of the certificate authorities to trust for the OTLP receiver, instead of Node's.",
    read: optional(certificateFile),
    ofSignal: ({ authorities }) => authorities?.path,
  },
  clientKey: {
    variable: 'OTEL_EXPORTER_OTLP_CLIENT_KEY',
    group: 'exporter',
    default: '',
    meaning: 'PEM file of the unencrypted private key with which the proxy identifies itself to the OTLP receiver.',
    read: optional(keyFile),
    ofSignal: ({ clientKey }) => clientKey?.path,
  },
  clientCertificate: {
    variable: 'OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE',
    group: 'exporter',
    default: '',
    meaning: 'PEM file of the certificate for that key, followed by its chain.',
    read: optional(certificateFile),
    ofSignal: ({ clientCertificate }) => clientCertificate?.path,
  },
} satisfies Readonly<Record<string, OtlpSetting<unknown>>>

/** The kinds of telemetry, in the order in which settings name them. */
export const SIGNALS = ['traces', 'metrics', 'logs'] as const

export type Signal = (typeof SIGNALS)[number]

/** The rows in the order in which people read them. */
export const OTEL_ROWS: readonly Grouped<OtelGroup>[] = [...Object.values(SETTINGS), ...Object.values(OTLP_SETTINGS)]

/** A signal's own variable of one that exists for all. */
export function ownVariable({ variable }: Documented, signal: Signal): string {
  return variable.replace('OTLP_', `OTLP_${signal.toUpperCase()}_`)
}

/** The key of a signal's own variable of one that exists for all. */
type OwnKey = `${Signal}.${keyof typeof OTLP_SETTINGS}`

/** The rows of the signals' own variables. They have no defaults, and they alone are described: they are what is in effect. */
type OwnSettings = {
  readonly [Key in OwnKey]: Key extends `${Signal}.${infer Row extends keyof typeof OTLP_SETTINGS}`
    ? (typeof OTLP_SETTINGS)[Row] extends { read: Reader<infer T> }
      ? Setting<T | undefined, OtelSettings>
      : never
    : never
}

const OWN_SETTINGS = Object.fromEntries(
  SIGNALS.flatMap((signal) =>
    Object.entries<OtlpSetting<unknown>>(OTLP_SETTINGS).map(([key, row]) => [
      `${signal}.${key}`,
      ownSetting(row, signal),
    ]),
  ),
) as OwnSettings

function ownSetting(row: OtlpSetting<unknown>, signal: Signal): Setting<unknown, OtelSettings> {
  return {
    variable: ownVariable(row, signal),
    default: '',
    meaning: row.meaning,
    read: optional(row.readOwn ?? row.read),
    effective: (settings) => {
      const otlp = signal === 'metrics' ? settings.metrics.otlp : settings[signal]
      return otlp && row.ofSignal(otlp)
    },
  }
}

/** Every variable, also those of one signal. */
export const TABLE = { ...SETTINGS, ...OTLP_SETTINGS, ...OWN_SETTINGS }
