import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type AttributeDefinition,
  attributes,
  details,
  labelOf,
  type MetricDefinition,
  type MetricKey,
  metrics,
  scope,
} from '../../../otel/names/names.ts'

const definitions: readonly MetricDefinition[] = Object.values(metrics)
const attributeKeys = Object.keys(attributes) as (keyof typeof attributes)[]

/** The contract, repeated on purpose: other people's dashboards and alerts depend on these names. */
const contract: Readonly<Record<MetricKey, string>> = {
  replies:
    'counter {reply} smtp.command smtp.reply.code smtp.reply.cause smtp.reply.origin server.address smtp.client.name -> smtp_proxy_replies_total',
  repliesLost: 'counter {reply} smtp.reply.loss -> smtp_proxy_replies_lost_total',
  commandDuration: 'histogram s smtp.command server.address -> smtp_proxy_command_duration_seconds',
  transactions:
    'counter {transaction} smtp.transaction.outcome error.type server.address smtp.client.name -> smtp_proxy_transactions_total',
  transactionDuration: 'histogram s smtp.transaction.outcome server.address -> smtp_proxy_transaction_duration_seconds',
  recipients:
    'counter {recipient} smtp.recipient.verdict server.address smtp.client.name -> smtp_proxy_recipients_total',
  messageSize: 'histogram By smtp.transaction.outcome smtp.client.name -> smtp_proxy_message_size_bytes',
  messageRecipients: 'histogram {recipient} smtp.transaction.outcome -> smtp_proxy_message_recipients',
  sessionDuration:
    'histogram s smtp.session.close_reason server.address smtp.client.name -> smtp_proxy_session_duration_seconds',
  refusedCut: 'counter {connection} smtp.refused.cut -> smtp_proxy_refused_cut_total',
  sessionActive: 'updowncounter {session} smtp.client.name -> smtp_proxy_session_active',
  sessionMessages: 'histogram {message} server.address -> smtp_proxy_session_messages',
  sessionOpaque: 'counter {session} smtp.opaque.reason -> smtp_proxy_session_opaque_total',
  appTlsHandshakes:
    'counter {handshake} error.type smtp.listener smtp.client.name -> smtp_proxy_client_tls_handshakes_total',
  dials: 'counter {dial} error.type tls.resumed server.address -> smtp_proxy_upstream_dials_total',
  dialDuration: 'histogram s smtp.dial.phase server.address -> smtp_proxy_upstream_dial_duration_seconds',
  lookups: 'counter {lookup} error.type server.address -> smtp_proxy_upstream_lookups_total',
  preconnections:
    'counter {connection} smtp.preconnection.end server.address -> smtp_proxy_upstream_preconnections_total',
  io: 'counter By network.io.direction -> smtp_proxy_io_bytes_total',
  certificateNotAfter: 'gauge s tls.side -> smtp_proxy_certificate_not_after_seconds',
  observerFailures: 'counter {failure} -> smtp_proxy_observer_failures_total',
  loopTime: 'counter s smtp.loop nodejs.eventloop.state -> smtp_proxy_loop_time_seconds_total',
  loopDelay: 'histogram s smtp.loop -> smtp_proxy_loop_delay_seconds',
  loopHeap: 'updowncounter By smtp.loop -> smtp_proxy_loop_heap_bytes',
  telemetryLost: 'counter {record} telemetry.signal telemetry.loss -> smtp_proxy_telemetry_lost_total',
  telemetryExported: 'counter {record} telemetry.signal -> smtp_proxy_telemetry_exported_total',
}

const durations = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
const buckets: Readonly<Partial<Record<MetricKey, readonly number[]>>> = {
  commandDuration: durations,
  transactionDuration: durations,
  dialDuration: durations,
  loopDelay: durations,
  sessionDuration: [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 900, 3600],
  messageSize: [1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 10485760, 15728640, 20971520],
  messageRecipients: [1, 2, 5, 10, 20, 40, 50],
  sessionMessages: [1, 2, 5, 10, 50, 100, 500, 1000, 5000, 9000, 10000],
}

for (const key of Object.keys(metrics) as MetricKey[]) {
  test(`${metrics[key].name} is as in the contract`, () => {
    const metric: MetricDefinition = metrics[key]
    const described = [metric.kind, metric.unit, ...metric.attributes, '->', metric.prometheus].join(' ')
    assert.equal(described, contract[key])
    assert.deepEqual(metric.buckets, buckets[key])
  })
}

test('the contract lists exactly the metrics of the table', () => {
  assert.deepEqual(Object.keys(metrics).sort(), Object.keys(contract).sort())
})

test('names are unique and valid in OpenTelemetry', () => {
  const names = definitions.map((metric) => metric.name)
  assert.equal(new Set(names).size, names.length)
  for (const name of names) assert.match(name, /^smtp\.proxy(\.[a-z][a-z_]*)+$/)
})

test('the Prometheus name is the OpenTelemetry name, its unit, and _total for a counter', () => {
  const units: Readonly<Record<string, string>> = { s: '_seconds', By: '_bytes' }
  for (const { name, unit, kind, prometheus } of definitions) {
    const suffix = (units[unit] ?? '') + (kind === 'counter' ? '_total' : '')
    assert.equal(prometheus, name.replaceAll('.', '_') + suffix)
  }
})

test('exactly the histograms have buckets, in rising order', () => {
  for (const { name, kind, buckets: bounds } of definitions) {
    assert.equal(bounds !== undefined, kind === 'histogram', name)
    assert.deepEqual(
      bounds?.toSorted((one, other) => one - other),
      bounds,
      name,
    )
  }
})

test('every metric and attribute has a help text of whole sentences', () => {
  const sentences = [...definitions, ...Object.values<AttributeDefinition>(attributes)].map(({ help }) => help)
  for (const sentence of [...sentences, ...Object.values(details)]) assert.match(sentence, /^\S.*\.$/)
})

test('a label is the key with underscores', () => {
  assert.equal(labelOf('smtp.session.close_reason'), 'smtp_session_close_reason')
  for (const key of attributeKeys) assert.match(labelOf(key), /^[a-z_]+$/)
})

test('the scope has the version of the table: add one to its minor number when the table grows', () => {
  assert.deepEqual(scope, { name: 'ahasend-smtp-proxy', version: '1.4.0' })
})
