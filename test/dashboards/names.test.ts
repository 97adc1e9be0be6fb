/** Selectors: the name of a metric and the conditions on its labels, in PromQL. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labels, labelsOf, metric, within, withoutProbe } from '../../dashboards/names.ts'

const all = within('')

const SELECTORS: readonly (readonly [selector: string, expected: string])[] = [
  [all.series('replies'), 'smtp_proxy_replies_total{}'],
  [all.series('replies', { 'smtp.reply.code': 521 }), 'smtp_proxy_replies_total{smtp_reply_code="521"}'],
  [all.series('dials', { 'error.type': { not: '' } }), 'smtp_proxy_upstream_dials_total{error_type!=""}'],
  [
    all.series('replies', { 'smtp.command': { oneOf: ['EHLO', 'HELO'] } }),
    'smtp_proxy_replies_total{smtp_command=~"EHLO|HELO"}',
  ],
  [
    all.series('dials', { 'error.type': { noneOf: ['', 'tls_failed'] } }),
    'smtp_proxy_upstream_dials_total{error_type!~"|tls_failed"}',
  ],
  [
    all.series('replies', { 'smtp.reply.code': { matches: '4..' } }),
    'smtp_proxy_replies_total{smtp_reply_code=~"4.."}',
  ],
  [
    all.series('replies', { 'smtp.reply.code': { matchesNot: '2..' } }),
    'smtp_proxy_replies_total{smtp_reply_code!~"2.."}',
  ],
  // a value in a list is no regular expression; a backslash is escaped for PromQL's string too
  [
    all.series('replies', { 'smtp.client.name': { oneOf: ['a.b', 'c|d'] } }),
    String.raw`smtp_proxy_replies_total{smtp_client_name=~"a\\.b|c\\|d"}`,
  ],
  [all.series('replies', { 'smtp.client.name': 'a"b' }), String.raw`smtp_proxy_replies_total{smtp_client_name="a\"b"}`],
  [all.bucket('messageSize'), 'smtp_proxy_message_size_bytes_bucket{}'],
  [all.count('messageSize'), 'smtp_proxy_message_size_bytes_count{}'],
  [all.sum('messageSize'), 'smtp_proxy_message_size_bytes_sum{}'],
  [within('job="a"').series('uptime'), 'process_uptime_seconds{job="a"}'],
  [
    within((key) => `x="${key}"`).series('io', { 'network.io.direction': 'transmit' }),
    'smtp_proxy_io_bytes_total{x="io", network_io_direction="transmit"}',
  ],
]

for (const [selector, expected] of SELECTORS) test(expected, () => assert.equal(selector, expected))

test('the condition that excludes the probe, for metrics that have a label for the app', () => {
  assert.equal(withoutProbe('replies'), 'smtp_client_name!="probe"')
  assert.equal(withoutProbe('dials'), '')
  assert.equal(withoutProbe('uptime'), '')
})

test('labels are joined for by, on and ignoring', () => {
  assert.equal(labels('job', 'server.address', 'le'), 'job, server_address, le')
})

test('a metric has its Prometheus name and its labels', () => {
  assert.equal(metric('uptime'), 'process_uptime_seconds')
  assert.deepEqual(labelsOf('dials'), ['error_type', 'tls_resumed', 'server_address'])
})
