/** The building blocks of panel queries. live.test.ts runs them in Prometheus. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  countInRange,
  growth,
  measured,
  ofProxies,
  orZero,
  perMinute,
  quantile,
  RANGE,
  RATE_INTERVAL,
  RECENT,
  select,
  selectWholeProxies,
  sum,
  whileScraped,
} from '../../../dashboards/promql/queries.ts'

const PROXIES = 'job=~"$job", instance=~"$instance"'
const SCRAPED = `group(smtp_proxy_session_active{${PROXIES}})`

const QUERIES: readonly (readonly [name: string, query: string, expected: string])[] = [
  [
    'a metric without these labels has no condition on app and upstream',
    select.series('io'),
    `smtp_proxy_io_bytes_total{${PROXIES}}`,
  ],
  [
    'a metric with a label for the upstream has a condition on it',
    select.count('dialDuration'),
    `smtp_proxy_upstream_dial_duration_seconds_count{${PROXIES}, server_address=~"$server"}`,
  ],
  [
    'a metric with both labels has both conditions, and the probe is not an app',
    select.series('transactions'),
    `smtp_proxy_transactions_total{${PROXIES}, server_address=~"$server", smtp_client_name=~"$client", smtp_client_name!="probe"}`,
  ],
  [
    'whole proxies have no condition on app and upstream, except that the probe is not an app',
    selectWholeProxies.series('transactions'),
    `smtp_proxy_transactions_total{${PROXIES}, smtp_client_name!="probe"}`,
  ],
  ['a rate per minute', perMinute('io'), `60 * rate(smtp_proxy_io_bytes_total{${PROXIES}}[$__rate_interval])`],
  ['a sum without labels', sum('x'), 'sum(x)'],
  ['a sum by labels', sum('x', 'smtp.reply.code', 'instance'), 'sum by (smtp_reply_code, instance) (x)'],
  [
    'a quantile at each point of a graph',
    quantile(0.5, RATE_INTERVAL, 'loopDelay', {}, 'instance'),
    `histogram_quantile(0.5, sum by (instance, le) (rate(${select.bucket('loopDelay')}[$__rate_interval])))`,
  ],
  [
    'a quantile over the time range',
    quantile(1, RANGE, 'messageRecipients'),
    `histogram_quantile(1, sum by (le) (increase(${select.bucket('messageRecipients')}[$__range])))`,
  ],
  ['zero instead of no series', orZero('x'), `x or on () (0 * ${SCRAPED})`],
  ['no value without a proxy', whileScraped('x'), `(x) and on () ${SCRAPED}`],
  ['-1 instead of NaN', measured('x'), `((x) > -0.5 and on () ${SCRAPED}) or on () (-1 * ${SCRAPED})`],
  [
    'a process metric of proxies only',
    ofProxies('x'),
    `x and on (job, instance) smtp_proxy_session_active{${PROXIES}}`,
  ],
]

for (const [name, query, expected] of QUERIES) test(name, () => assert.equal(query, expected))

test('a count in the time range includes the first event, and is 0 without events', () => {
  const query = countInRange('observerFailures', {})
  assert.match(query, / < \$__range_s\) > increase\(/)
  assert.ok(query.endsWith(`or on () (0 * ${SCRAPED})`), query)
})

test('a count of the last five minutes compares the uptime with 300 seconds', () => {
  assert.match(growth(RECENT, 'observerFailures'), /process_uptime_seconds\{[^}]*\} < 300\) > increase\([^[]*\[5m\]\)/)
})
