/** A real Prometheus scrapes a real proxy process that relays mail to a simulated AhaSend. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { type MetricDefinition, metrics } from '../../../otel/names/names.ts'
import { type Outcome, run } from '../../clients/command.ts'
import { mail, send } from '../../simulator/client.ts'
import { startSimulator } from '../../simulator/simulator.ts'
import { writeTemporaryFiles } from '../../support/files/temporary-files.ts'
import {
  type Prometheus,
  prometheusMissing,
  type Sample,
  startPrometheus,
} from '../../support/monitoring/prometheus.ts'
import type { ProxyProcess } from '../../support/processes/proxy-process.ts'
import { loggedIn, startBefore } from '../../support/processes/running-proxy.ts'
import { fileOf, missing, unless } from '../../support/programs/programs.ts'

/** A proxy after three sessions: two accepted messages; one refused at MAIL; one with one of two recipients refused. */
async function busyProxy(context: TestContext): Promise<ProxyProcess> {
  const simulator = await startSimulator()
  context.after(() => simulator.close())
  const proxy = await startBefore(simulator, { PROXY_CLIENTS: 'billing=127.0.0.1/32', PROXY_WARM_CONNECTIONS: '0' })
  context.after(() => proxy.stop('SIGKILL'))
  const [good, disabled, choosy] = await loggedIn(proxy, 3)
  const [from = '', to = '', data = '', body = ''] = mail()
  const refused = 'RCPT TO:<fault+553-at-rcpt@example.net>'
  assert.equal(await send(good!, [...mail(), ...mail()]), '250 250 354 250 250 250 354 250')
  assert.equal(await send(disabled!, mail({ from: 'fault+521-at-mail@example.com' })), '521')
  assert.equal(await send(choosy!, [from, to, refused]), '250 250 553')
  assert.equal(await send(choosy!, [data, body]), '354 250')
  for (const client of [good, disabled, choosy]) {
    await send(client!, ['QUIT'])
    client!.destroy()
  }
  await proxy.line(() => proxy.lines.filter(({ msg }) => msg === 'session').length === 3)
  return proxy
}

/** What Prometheus must return after these sessions. */
const EXPECTED: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  'sum by (smtp_transaction_outcome, error_type) (smtp_proxy_transactions_total) > 0': {
    'accepted ': 3,
    'permfail 521': 1,
  },
  'sum by (smtp_recipient_verdict) (smtp_proxy_recipients_total) > 0': { accepted: 3, permfail: 1 },
  'sum by (smtp_command, smtp_reply_code) (smtp_proxy_replies_total{smtp_command=~"MAIL|RCPT|END-OF-MESSAGE"}) > 0': {
    'END-OF-MESSAGE 250': 3,
    'MAIL 250': 3,
    'MAIL 521': 1,
    'RCPT 250': 3,
    'RCPT 553': 1,
  },
  'sum by (smtp_session_close_reason) (smtp_proxy_session_duration_seconds_count) > 0': { quit: 3 },
  'smtp_proxy_session_active{smtp_client_name="billing"}': { billing: 0 },
  'smtp_proxy_message_size_bytes_sum{smtp_client_name="billing"}': { 'billing accepted': 3 * 26 },
  'sum by (le) (smtp_proxy_message_recipients_bucket{le=~"1.0|2.0"})': { '1.0': 3, '2.0': 4 },
  'sum by (smtp_command) (smtp_proxy_command_duration_seconds_count{smtp_command="DATA"})': { DATA: 3 },
  'sum by (smtp_dial_phase) (smtp_proxy_upstream_dial_duration_seconds_count{smtp_dial_phase="total"})': { total: 3 },
  'sum(smtp_proxy_upstream_dials_total{error_type=""})': { '': 3 },
}

/** Values by their joined label values, in the order of the query's grouping, otherwise of the label names. */
function byLabels(samples: readonly Sample[], expression: string): Record<string, number> {
  const order = /sum by \(([^)]*)\)/.exec(expression)?.[1]?.split(', ')
  const key = ({ labels }: Sample) => {
    const { __name__, instance, job, server_address, ...rest } = labels
    return (order ?? Object.keys(rest).sort()).map((label) => rest[label] ?? '').join(' ')
  }
  return Object.fromEntries(samples.map((sample) => [key(sample), sample.value]))
}

test(
  'Prometheus reads all metrics of the table, with the values of these sessions',
  unless(prometheusMissing()),
  async (context) => {
    const proxy = await busyProxy(context)
    const url = `http://127.0.0.1:${proxy.adminPort}/metrics`
    await using prometheus = await startPrometheus({ targets: [{ job: 'proxy', url }] })
    await prometheus.waitFor('up{job="proxy"} == 1')
    for (const { kind, prometheus: name } of Object.values<MetricDefinition>(metrics)) {
      const series = kind === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name]
      for (const one of series) await prometheus.waitFor(one)
    }
    for (const [expression, expected] of Object.entries(EXPECTED)) await assertIs(prometheus, expression, expected)
  },
)

/** Retries, because after a slow scrape there is no value until the next one. */
async function assertIs(prometheus: Prometheus, expression: string, expected: Record<string, number>): Promise<void> {
  let found: Record<string, number> = {}
  const look = (samples: readonly Sample[]) => {
    found = byLabels(samples, expression)
    return isDeepStrictEqual(found, expected)
  }
  await prometheus.waitFor(expression, look).catch((error) => {
    assert.deepEqual(found, expected, expression)
    throw error
  })
}

/** promtool complains about this name, but it is that of OpenTelemetry's conventions. */
const KNOWN_ADVICE = /^process_unix_file_descriptor_count .* should not have "_count" suffix\n/m

test('promtool accepts the scrape page', unless(missing('promtool')), async (context) => {
  const page = await (await busyProxy(context)).metrics()
  const { code, stdout, stderr } = await checkMetrics(page)
  const advice = stderr.replace(KNOWN_ADVICE, '')
  assert.deepEqual({ stdout, advice }, { stdout: '', advice: '' })
  assert.ok(code === 0 || stderr !== '', `promtool ended with ${code}`)
})

/** Runs `promtool check metrics`, which reads a page from standard input. Its exit code is 0, or 3 with advice. */
async function checkMetrics(page: string): Promise<Outcome> {
  const { paths, remove } = writeTemporaryFiles({ 'page.txt': page })
  try {
    return await run({ file: fileOf('promtool'), args: ['check', 'metrics'], env: {}, stdinFile: paths['page.txt'] })
  } finally {
    remove()
  }
}
