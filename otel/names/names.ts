/**
 * The table of names: every metric, attribute and span, with its unit and its values. Instruments, log lines, spans,
 * dashboards, alerts and documents take their names only from here. The table may grow, but nothing in it is renamed,
 * because other people's queries depend on it.
 *
 * OpenTelemetry has no conventions for SMTP yet. Names that are specific to SMTP begin with `smtp.`; all others follow
 * OpenTelemetry's conventions.
 */
import type { AttributeKey, attributes } from './attributes.ts'
import { durations, type MetricDefinition } from './definition.ts'
import type { ProbeMetricKey, probeMetrics } from './probe.ts'
import type { RuntimeAttributeKey } from './runtime.ts'

export * from './attributes.ts'
export type { MetricDefinition } from './definition.ts'
export * from './probe.ts'
export * from './runtime.ts'
export * from './values.ts'

/** The instrumentation scope. Its version is the version of this table: an extension increments the minor version. */
export const scope = { name: 'ahasend-smtp-proxy', version: '1.4.0' } as const

const lifetimes = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 900, 3600] as const
/** Up to AhaSend's limit of 20 MiB. */
const sizes = [1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 10485760, 15728640, 20971520] as const
/** Up to AhaSend's limit of 50 recipients per message. */
const recipients = [1, 2, 5, 10, 20, 40, 50] as const
/** Up to AhaSend's limit of 10,000 messages per connection. */
const messages = [1, 2, 5, 10, 50, 100, 500, 1000, 5000, 9000, 10000] as const

/** The metrics of the proxy. */
export const metrics = {
  replies: {
    name: 'smtp.proxy.replies',
    kind: 'counter',
    unit: '{reply}',
    help: 'SMTP replies.',
    attributes: [
      'smtp.command',
      'smtp.reply.code',
      'smtp.reply.cause',
      'smtp.reply.origin',
      'server.address',
      'smtp.client.name',
    ],
    prometheus: 'smtp_proxy_replies_total',
  },
  repliesLost: {
    name: 'smtp.proxy.replies.lost',
    kind: 'counter',
    unit: '{reply}',
    help: 'Replies that the client did not receive, or probably did not read.',
    attributes: ['smtp.reply.loss'],
    prometheus: 'smtp_proxy_replies_lost_total',
  },
  commandDuration: {
    name: 'smtp.proxy.command.duration',
    kind: 'histogram',
    unit: 's',
    help: 'Time from a command to its reply. CONNECT: from the connection to the greeting.',
    attributes: ['smtp.command', 'server.address'],
    buckets: durations,
    prometheus: 'smtp_proxy_command_duration_seconds',
  },
  transactions: {
    name: 'smtp.proxy.transactions',
    kind: 'counter',
    unit: '{transaction}',
    help: 'Messages, however they ended.',
    attributes: ['smtp.transaction.outcome', 'error.type', 'server.address', 'smtp.client.name'],
    prometheus: 'smtp_proxy_transactions_total',
  },
  transactionDuration: {
    name: 'smtp.proxy.transaction.duration',
    kind: 'histogram',
    unit: 's',
    help: 'Time from MAIL to the end of the message.',
    attributes: ['smtp.transaction.outcome', 'server.address'],
    buckets: durations,
    prometheus: 'smtp_proxy_transaction_duration_seconds',
  },
  recipients: {
    name: 'smtp.proxy.recipients',
    kind: 'counter',
    unit: '{recipient}',
    help: 'Recipients that the upstream answered.',
    attributes: ['smtp.recipient.verdict', 'server.address', 'smtp.client.name'],
    prometheus: 'smtp_proxy_recipients_total',
  },
  messageSize: {
    name: 'smtp.proxy.message.size',
    kind: 'histogram',
    unit: 'By',
    help: 'Size of messages on the wire. Only messages whose body began.',
    attributes: ['smtp.transaction.outcome', 'smtp.client.name'],
    buckets: sizes,
    prometheus: 'smtp_proxy_message_size_bytes',
  },
  messageRecipients: {
    name: 'smtp.proxy.message.recipients',
    kind: 'histogram',
    unit: '{recipient}',
    help: 'Recipients per message that the upstream answered, whatever the verdict.',
    attributes: ['smtp.transaction.outcome'],
    buckets: recipients,
    prometheus: 'smtp_proxy_message_recipients',
  },
  sessionDuration: {
    name: 'smtp.proxy.session.duration',
    kind: 'histogram',
    unit: 's',
    help: 'Lifetime of client connections.',
    attributes: ['smtp.session.close_reason', 'server.address', 'smtp.client.name'],
    buckets: lifetimes,
    prometheus: 'smtp_proxy_session_duration_seconds',
  },
  refusedCut: {
    name: 'smtp.proxy.refused.cut',
    kind: 'counter',
    unit: '{connection}',
    help: 'Refused connections that the proxy closed before their clients did.',
    attributes: ['smtp.refused.cut'],
    prometheus: 'smtp_proxy_refused_cut_total',
  },
  sessionActive: {
    name: 'smtp.proxy.session.active',
    kind: 'updowncounter',
    unit: '{session}',
    help: 'Open sessions.',
    attributes: ['smtp.client.name'],
    prometheus: 'smtp_proxy_session_active',
  },
  sessionMessages: {
    name: 'smtp.proxy.session.messages',
    kind: 'histogram',
    unit: '{message}',
    help: 'Messages per session. AhaSend allows 10000.',
    attributes: ['server.address'],
    buckets: messages,
    prometheus: 'smtp_proxy_session_messages',
  },
  sessionOpaque: {
    name: 'smtp.proxy.session.opaque',
    kind: 'counter',
    unit: '{session}',
    help: 'Sessions that the proxy relays but can no longer follow.',
    attributes: ['smtp.opaque.reason'],
    prometheus: 'smtp_proxy_session_opaque_total',
  },
  appTlsHandshakes: {
    name: 'smtp.proxy.client.tls.handshakes',
    kind: 'counter',
    unit: '{handshake}',
    help: 'TLS handshakes of apps. Without error_type: successful ones.',
    attributes: ['error.type', 'smtp.listener', 'smtp.client.name'],
    prometheus: 'smtp_proxy_client_tls_handshakes_total',
  },
  dials: {
    name: 'smtp.proxy.upstream.dials',
    kind: 'counter',
    unit: '{dial}',
    help: 'Attempts to connect to an upstream. Without error_type: successful ones.',
    attributes: ['error.type', 'tls.resumed', 'server.address'],
    prometheus: 'smtp_proxy_upstream_dials_total',
  },
  dialDuration: {
    name: 'smtp.proxy.upstream.dial.duration',
    kind: 'histogram',
    unit: 's',
    help: 'Duration of attempts to connect to an upstream, by phase.',
    attributes: ['smtp.dial.phase', 'server.address'],
    buckets: durations,
    prometheus: 'smtp_proxy_upstream_dial_duration_seconds',
  },
  lookups: {
    name: 'smtp.proxy.upstream.lookups',
    kind: 'counter',
    unit: '{lookup}',
    help: 'DNS lookups of upstream names. Without error_type: successful ones.',
    attributes: ['error.type', 'server.address'],
    prometheus: 'smtp_proxy_upstream_lookups_total',
  },
  preconnections: {
    name: 'smtp.proxy.upstream.preconnections',
    kind: 'counter',
    unit: '{connection}',
    help: 'Preconnected upstream connections, by how their wait ended.',
    attributes: ['smtp.preconnection.end', 'server.address'],
    prometheus: 'smtp_proxy_upstream_preconnections_total',
  },
  io: {
    name: 'smtp.proxy.io',
    kind: 'counter',
    unit: 'By',
    help: 'Bytes relayed, without TLS overhead.',
    attributes: ['network.io.direction'],
    prometheus: 'smtp_proxy_io_bytes_total',
  },
  certificateNotAfter: {
    name: 'smtp.proxy.certificate.not_after',
    kind: 'gauge',
    unit: 's',
    help: 'When the certificate expires, in seconds since 1970. Of the upstreams seen within a day: the earliest date.',
    attributes: ['tls.side'],
    prometheus: 'smtp_proxy_certificate_not_after_seconds',
  },
  observerFailures: {
    name: 'smtp.proxy.observer.failures',
    kind: 'counter',
    unit: '{failure}',
    help: 'Failures of the telemetry itself. Mail is not affected.',
    attributes: [],
    prometheus: 'smtp_proxy_observer_failures_total',
  },
  loopTime: {
    name: 'smtp.proxy.loop.time',
    kind: 'counter',
    unit: 's',
    help: 'Time that an event loop that relays mail was busy or waited for events.',
    attributes: ['smtp.loop', 'nodejs.eventloop.state'],
    prometheus: 'smtp_proxy_loop_time_seconds_total',
  },
  loopDelay: {
    name: 'smtp.proxy.loop.delay',
    kind: 'histogram',
    unit: 's',
    help: 'Longest delay in each second of an event loop that relays mail.',
    attributes: ['smtp.loop'],
    buckets: durations,
    prometheus: 'smtp_proxy_loop_delay_seconds',
  },
  loopHeap: {
    name: 'smtp.proxy.loop.heap',
    kind: 'updowncounter',
    unit: 'By',
    help: 'Used heap of an event loop that relays mail.',
    attributes: ['smtp.loop'],
    prometheus: 'smtp_proxy_loop_heap_bytes',
  },
  telemetryLost: {
    name: 'smtp.proxy.telemetry.lost',
    kind: 'counter',
    unit: '{record}',
    help: 'Lost spans, data points and log lines. Mail is not affected.',
    attributes: ['telemetry.signal', 'telemetry.loss'],
    prometheus: 'smtp_proxy_telemetry_lost_total',
  },
  telemetryExported: {
    name: 'smtp.proxy.telemetry.exported',
    kind: 'counter',
    unit: '{record}',
    help: 'Spans, data points and log lines that an OTLP receiver accepted.',
    attributes: ['telemetry.signal'],
    prometheus: 'smtp_proxy_telemetry_exported_total',
  },
} as const satisfies Record<string, MetricDefinition>

/** The key of a metric in `metrics`. */
export type MetricKey = keyof typeof metrics

type KeysOf<Metric extends MetricKey> = (typeof metrics)[Metric]['attributes'][number]

type ValueOf<Key extends AttributeKey> = (typeof attributes)[Key] extends { readonly values: readonly (infer Value)[] }
  ? Value
  : Key extends 'smtp.reply.code' | 'smtp.loop'
    ? number
    : string

type ValuesOf<Keys extends AttributeKey> = {
  readonly [Key in Exclude<Keys, 'error.type'>]: ValueOf<Key>
} & { readonly [Key in Extract<Keys, 'error.type'>]?: string }

/** The attributes of one measurement of a metric. Only `error.type` is optional. */
export type AttributesOf<Metric extends MetricKey> = ValuesOf<KeysOf<Metric>>

/** The same for a metric of the probe. */
export type ProbeAttributesOf<Metric extends ProbeMetricKey> = ValuesOf<
  (typeof probeMetrics)[Metric]['attributes'][number]
>

/** The Prometheus label of an attribute key. */
export function labelOf(key: AttributeKey | RuntimeAttributeKey): string {
  return key.replaceAll('.', '_')
}
