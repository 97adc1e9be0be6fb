/**
 * A metric has one name and the same labels, whether Prometheus scrapes it or receives it by OTLP: both ways lead from
 * one proxy into one real Prometheus, and what it stored is compared.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { mail, send } from '../../simulator/client.ts'
import { startSimulator } from '../../simulator/simulator.ts'
import { unless } from '../../support/programs.ts'
import {
  type Labels,
  type Prometheus,
  prometheusMissing,
  type Sample,
  startPrometheus,
} from '../../support/prometheus.ts'
import type { ProxyProcess } from '../../support/proxy-process.ts'
import { loggedIn, startBefore } from '../../support/running-proxy.ts'

/** The `job` of what is scraped, and of what is received: there it is the name of the service. */
const JOBS = { scraped: 'scraped', received: 'pushed' } as const

/**
 * With keys that are no labels, and two that become the same one. None has two such characters in a row: those become
 * one underscore on the page, as OpenTelemetry specifies, and two in Prometheus' receiver unless it is told otherwise.
 */
const RESOURCE = 'cloud.region=eu-west-1,9lives=yes,deploy-env=one,deploy.env=two'

const PUSHING = {
  OTEL_SERVICE_NAME: JOBS.received,
  OTEL_RESOURCE_ATTRIBUTES: RESOURCE,
  OTEL_METRICS_EXPORTER: 'prometheus,otlp',
  OTEL_METRIC_EXPORT_INTERVAL: '500',
  OTEL_METRIC_EXPORT_TIMEOUT: '500',
}

/** Made by Prometheus itself for each page that it scrapes. */
const ABOUT_SCRAPING = /^(up|scrape_)/

/** A series as text, without the labels that say which way it came: `job` and `instance` are made of the service's. */
function seriesOf({ __name__ = '', job, instance, service_name, service_instance_id, ...labels }: Labels): string {
  const pairs = Object.entries(labels).toSorted(([one], [other]) => (one < other ? -1 : 1))
  return `${__name__}{${pairs.map(([key, value]) => `${key}="${key === 'le' ? boundOf(value) : value}"`).join(',')}}`
}

/**
 * Prometheus writes a bound of 1 as `1.0` when it scrapes and as `1` when it receives OTLP. Both are the same to
 * histogram_quantile; a query that asks for `le="1"` finds one of them.
 */
function boundOf(le: string): string {
  return le === '+Inf' ? le : String(Number(le))
}

/** The series of one way that `wanted` accepts, sorted, with their values if these are wanted. */
function cameBy(job: string, samples: readonly Sample[], wanted: RegExp, values: boolean): string[] {
  const own = samples.filter(({ labels: { job: by, __name__ = '' } }) => by === job && wanted.test(__name__))
  const shown = own.filter(({ labels: { __name__ = '' } }) => !ABOUT_SCRAPING.test(__name__))
  return shown.map(({ labels, value }) => seriesOf(labels) + (values ? ` ${value}` : '')).sort()
}

type Enough = (samples: readonly Sample[]) => boolean

/** Waits until both ways tell the same, and fails with the difference when they never do. */
async function assertSame(
  ask: (enough: Enough) => Promise<unknown>,
  wanted: RegExp,
  values: boolean,
): Promise<readonly string[]> {
  let ways: { readonly scraped: string[]; readonly received: string[] } = { scraped: [], received: [] }
  const look = (samples: readonly Sample[]) => {
    ways = {
      scraped: cameBy(JOBS.scraped, samples, wanted, values),
      received: cameBy(JOBS.received, samples, wanted, values),
    }
    return ways.scraped.length > 0 && ways.scraped.join('\n') === ways.received.join('\n')
  }
  await ask(look).catch(() => assert.deepEqual(ways.received, ways.scraped))
  return ways.scraped
}

/** Series whose values stand still once all sessions have ended. */
const SETTLED = /^smtp_proxy_(replies|command|transaction|recipients|message|session|upstream|io)/

async function bothWays(context: TestContext): Promise<{ prometheus: Prometheus; proxy: ProxyProcess }> {
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

/** One session with a mail that is accepted and one that is not. Resolves when the proxy has told of its end. */
async function oneSession(proxy: ProxyProcess): Promise<void> {
  const [client] = await loggedIn(proxy, 1)
  assert.equal(await send(client!), '250 250 354 250')
  assert.equal(await send(client!, mail({ to: 'fault+553-at-rcpt@example.net' })), '250 553')
  await send(client!, ['QUIT'])
  client!.destroy()
  await proxy.line(({ msg }) => msg === 'session')
}

test('scraped and received are the same series, values and resource', unless(prometheusMissing()), async (context) => {
  const { prometheus, proxy } = await bothWays(context)
  await oneSession(proxy)
  const ask = (enough: Enough) => prometheus.waitFor(`{job=~"${JOBS.scraped}|${JOBS.received}"}`, enough)
  await assertSame(ask, SETTLED, true)
  const series = await assertSame(ask, /./, false)
  for (const prefix of ['smtp_proxy_', 'nodejs_', 'v8js_', 'process_', 'target_info'])
    assert.ok(
      series.some((one) => one.startsWith(prefix)),
      prefix,
    )
})
