/**
 * A metric has the same name and labels whether Prometheus scrapes it or receives it over OTLP. One real Prometheus does both
 * with one proxy, and the test compares the series.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { mail, send } from '../../simulator/client.ts'
import { startSimulator } from '../../simulator/simulator.ts'
import {
  type Labels,
  type Prometheus,
  prometheusMissing,
  type Sample,
  startPrometheus,
} from '../../support/monitoring/prometheus.ts'
import type { ProxyProcess } from '../../support/processes/proxy-process.ts'
import { loggedIn, startBefore } from '../../support/processes/running-proxy.ts'
import { unless } from '../../support/programs/programs.ts'

/** The `job` of scraped and of received series. That of received series is the name of the service. */
const JOBS = { scraped: 'scraped', received: 'pushed' } as const

/**
 * Keys that are not valid labels, and two that become the same label. No key has two invalid characters in a row: they become
 * one underscore on the page, as OpenTelemetry specifies, and by default two in Prometheus' receiver.
 */
const RESOURCE = 'cloud.region=eu-west-1,9lives=yes,deploy-env=one,deploy.env=two'

const PUSHING = {
  OTEL_SERVICE_NAME: JOBS.received,
  OTEL_RESOURCE_ATTRIBUTES: RESOURCE,
  OTEL_METRICS_EXPORTER: 'prometheus,otlp',
  OTEL_METRIC_EXPORT_INTERVAL: '500',
  OTEL_METRIC_EXPORT_TIMEOUT: '500',
}

/** Series that Prometheus adds for each scrape. */
const ABOUT_SCRAPING = /^(up|scrape_)/

/** A series as text, without the labels that differ: `job`, `instance`, and the service labels that they are made of. */
function seriesOf({ __name__ = '', job, instance, service_name, service_instance_id, ...labels }: Labels): string {
  const pairs = Object.entries(labels).toSorted(([one], [other]) => (one < other ? -1 : 1))
  return `${__name__}{${pairs.map(([key, value]) => `${key}="${key === 'le' ? boundOf(value) : value}"`).join(',')}}`
}

/**
 * Prometheus stores a bound of 1 as `1.0` if scraped and as `1` if received over OTLP. histogram_quantile treats both alike,
 * but a query for `le="1"` finds only one of them.
 */
function boundOf(le: string): string {
  return le === '+Inf' ? le : String(Number(le))
}

/** The sorted series of a job whose names match `wanted`, with their values if `values` is set. */
function seriesBy(job: string, samples: readonly Sample[], wanted: RegExp, values: boolean): string[] {
  const own = samples.filter(({ labels: { job: by, __name__ = '' } }) => by === job && wanted.test(__name__))
  const shown = own.filter(({ labels: { __name__ = '' } }) => !ABOUT_SCRAPING.test(__name__))
  return shown.map(({ labels, value }) => seriesOf(labels) + (values ? ` ${value}` : '')).sort()
}

type Enough = (samples: readonly Sample[]) => boolean

/** Waits until both jobs have the same series, and fails with the difference if they never do. */
async function assertSame(
  ask: (enough: Enough) => Promise<unknown>,
  wanted: RegExp,
  values: boolean,
): Promise<readonly string[]> {
  let both: { readonly scraped: string[]; readonly received: string[] } = { scraped: [], received: [] }
  const look = (samples: readonly Sample[]) => {
    both = {
      scraped: seriesBy(JOBS.scraped, samples, wanted, values),
      received: seriesBy(JOBS.received, samples, wanted, values),
    }
    return both.scraped.length > 0 && both.scraped.join('\n') === both.received.join('\n')
  }
  await ask(look).catch(() => assert.deepEqual(both.received, both.scraped))
  return both.scraped
}

/** Series whose values no longer change when all sessions have ended. */
const SETTLED = /^smtp_proxy_(replies|command|transaction|recipients|message|session|upstream|io)/

async function startBoth(context: TestContext): Promise<{ prometheus: Prometheus; proxy: ProxyProcess }> {
  const simulator = await startSimulator()
  context.after(() => simulator.close())
  const prometheus = await startPrometheus()
  context.after(() => prometheus.stop())
  const endpoint = { OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: prometheus.otlpMetricsEndpoint }
  const proxy = await startBefore(simulator, { ...PUSHING, ...endpoint })
  context.after(() => proxy.stop('SIGKILL'))
  await prometheus.scrape([{ job: JOBS.scraped, url: `http://127.0.0.1:${proxy.adminPort}/metrics` }])
  return { prometheus, proxy }
}

/** One session with an accepted and a refused message. Resolves when the proxy has logged the session. */
async function oneSession(proxy: ProxyProcess): Promise<void> {
  const [client] = await loggedIn(proxy, 1)
  assert.equal(await send(client!), '250 250 354 250')
  assert.equal(await send(client!, mail({ to: 'fault+553-at-rcpt@example.net' })), '250 553')
  await send(client!, ['QUIT'])
  client!.destroy()
  await proxy.line(({ msg }) => msg === 'session')
}

test(
  'scraped and received series are the same, with values and resource',
  unless(prometheusMissing()),
  async (context) => {
    const { prometheus, proxy } = await startBoth(context)
    await oneSession(proxy)
    const ask = (enough: Enough) => prometheus.waitFor(`{job=~"${JOBS.scraped}|${JOBS.received}"}`, enough)
    await assertSame(ask, SETTLED, true)
    const series = await assertSame(ask, /./, false)
    for (const prefix of ['smtp_proxy_', 'nodejs_', 'v8js_', 'process_', 'target_info'])
      assert.ok(
        series.some((one) => one.startsWith(prefix)),
        prefix,
      )
  },
)
