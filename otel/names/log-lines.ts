/** The log lines: when each one is written, and which fields it can have. */
import { DIAL, DIAL_FAILURE, MESSAGE, type RecordKey, SESSION } from './records.ts'

const TRACE = ['trace_id', 'span_id', 'trace_flags'] as const satisfies readonly RecordKey[]

/** The fields of log lines that are not attributes. */
export const logFields = {
  level: '`debug`, `info`, `warn`, `error` or `fatal`.',
  time: 'When the line was written, in UTC (ISO 8601).',
  msg: 'The name of the line.',
  dial: 'The last attempt to connect to an upstream, with the fields of the line `dial failed`.',
  version: 'The version of the proxy.',
  node: 'The version of Node.',
  config: 'The settings in effect by name, without secrets.',
  ignored: 'Variables that begin with `OTEL_` and have no effect.',
  listener: 'The URL of the listener, or `admin`.',
  address: 'The address of the listener.',
  port: 'The port of the listener.',
  setting: 'The setting that the line is about.',
  sessions: 'Number of open sessions; in the lines about file descriptors, the maximum number of sessions.',
  needed: 'Number of file descriptors that these sessions need.',
  limit: 'The file descriptor limit of the process.',
  signal: 'The signal that was received.',
  cut: 'Number of sessions that were cut.',
  seconds: 'The longest time that the proxy waits, in seconds.',
  notAfter: 'When the certificate expires (ISO 8601).',
  error: 'The message of the error.',
  reason: 'What was suppressed, or why telemetry was lost.',
  suppressed: 'Number of lines that were not written.',
  lost: 'Number of lost spans, data points or log lines.',
  dropped: 'Number of lines that were not written.',
  detail: 'The sentence of the OpenTelemetry SDK, without values.',
  type: 'The type of the error. Its message may quote a client, so it is not logged.',
  code: 'The code of the error.',
  stack: 'Where the error occurred.',
} as const satisfies Readonly<Record<string, string>>

/** The key of a field of log lines. */
export type LogField = RecordKey | keyof typeof logFields

/** A log line. */
export interface LogLineDefinition {
  readonly levels: readonly string[]
  readonly help: string
  /** Besides `level`, `time` and `msg`. */
  readonly fields: readonly LogField[]
}

const FILE_DESCRIPTORS = ['setting', 'sessions', 'needed', 'limit', 'advice'] as const

/** The log lines by their `msg`. Warnings about settings, and the reason of a failed start, are sentences without fields. */
export const logLines = {
  transaction: {
    levels: ['info', 'warn'],
    help: 'A message ended. `warn` if it was refused or is in doubt.',
    fields: [...MESSAGE, 'duration_ms', ...TRACE],
  },
  session: {
    levels: ['info', 'warn'],
    help: 'A connection of an app ended. `warn` if it was refused, found no upstream or failed to establish TLS.',
    fields: [...SESSION, 'advice', 'duration_ms', 'dial', ...TRACE],
  },
  'dial failed': {
    levels: ['warn'],
    help: 'An attempt to connect to an upstream failed.',
    fields: ['smtp.session.id', ...DIAL, ...DIAL_FAILURE, 'advice', 'duration_ms'],
  },
  'lookup failed': {
    levels: ['warn'],
    help: "A DNS lookup of an upstream's name failed. At most one line a minute for each name.",
    fields: ['server.address', 'error.type', 'smtp.dial.detail', 'smtp.dial.answer_age', 'advice'],
  },
  dialled: {
    levels: ['debug'],
    help: 'An attempt to connect to an upstream succeeded.',
    fields: ['smtp.session.id', ...DIAL, 'duration_ms'],
  },
  start: {
    levels: ['info'],
    help: 'The proxy starts.',
    fields: ['version', 'node', 'config', 'ignored'],
  },
  listening: {
    levels: ['info'],
    help: 'A listener, or the admin server, is open.',
    fields: ['listener', 'address', 'port'],
  },
  'systemd not notified': {
    levels: ['error'],
    help: 'The proxy listens, but could not report it to systemd (`Type=notify`), which stops it after the start timeout.',
    fields: ['error'],
  },
  'PROXY_MAX_SESSIONS lowered to fit the file descriptor limit': {
    levels: ['info'],
    help: 'The setting is not set, and its default exceeds the file descriptor limit.',
    fields: FILE_DESCRIPTORS,
  },
  'file descriptor limit too low for PROXY_MAX_SESSIONS': {
    levels: ['warn'],
    help: 'The proxy can run out of file descriptors before it reaches the setting.',
    fields: FILE_DESCRIPTORS,
  },
  'certificate reloaded': {
    levels: ['info'],
    help: 'New connections get the new certificate.',
    fields: ['notAfter'],
  },
  'certificate unchanged': {
    levels: ['info'],
    help: 'A SIGHUP found the same certificate.',
    fields: ['notAfter'],
  },
  'certificate not reloaded, the old one stays in use': {
    levels: ['error'],
    help: 'The files changed, but do not contain a certificate and its key.',
    fields: ['error', 'notAfter'],
  },
  'nothing to reload: no certificate is configured': { levels: ['info'], help: 'A SIGHUP had no effect.', fields: [] },
  'connection not accepted': {
    levels: ['error'],
    help: 'The operating system could not accept a connection, for example because no file descriptor was left.',
    fields: ['listener', 'error'],
  },
  'listener lost': {
    levels: ['fatal'],
    help: 'A listener failed. The proxy stops with exit code 1.',
    fields: ['listener', 'error'],
  },
  drain: {
    levels: ['info'],
    help: 'A signal stops the proxy, and in-flight messages finish first.',
    fields: ['signal', 'sessions'],
  },
  'sessions cut at the drain timeout': {
    levels: ['warn'],
    help: 'Messages did not finish within `PROXY_DRAIN_TIMEOUT`.',
    fields: ['cut'],
  },
  'waiting for the last scrape': {
    levels: ['info'],
    help: 'Sessions were cut, and the metrics that count them were not scraped yet.',
    fields: ['seconds'],
  },
  'stopped immediately': { levels: ['warn'], help: 'A second signal ended the drain.', fields: ['signal'] },
  stop: { levels: ['info'], help: 'The proxy has stopped.', fields: [] },
  crash: {
    levels: ['fatal'],
    help: 'An unexpected error (a bug). The proxy stops with exit code 1.',
    fields: ['type', 'stack'],
  },
  'lines suppressed': {
    levels: ['warn'],
    help: 'More than ten lines of one kind in a second were not written.',
    fields: ['reason', 'suppressed'],
  },
  'log lines dropped: stdout was not read fast enough': {
    levels: ['warn'],
    help: 'The reader of standard output was too slow.',
    fields: ['dropped'],
  },
  'telemetry lost': {
    levels: ['warn'],
    help: 'Spans, data points or log lines were lost; at most one line per minute, signal and reason.',
    fields: ['telemetry.signal', 'telemetry.loss', 'lost', 'reason'],
  },
  'telemetry failed': {
    levels: ['error'],
    help: 'A bug in the telemetry. Mail is not affected.',
    fields: ['type', 'code', 'stack'],
  },
  'OpenTelemetry SDK warning': {
    levels: ['warn'],
    help: 'A warning of the OpenTelemetry SDK.',
    fields: ['detail'],
  },
  'OpenTelemetry SDK warnings suppressed': {
    levels: ['warn'],
    help: 'More than ten of these warnings in a second were not written.',
    fields: ['suppressed'],
  },
} as const satisfies Readonly<Record<string, LogLineDefinition>>
