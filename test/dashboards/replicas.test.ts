/**
 * Dashboards and alerts with several proxies: a real Prometheus scrapes three proxies in front of one simulated AhaSend.
 * Each panel shows all proxies together, each alert about AhaSend fires once, and a proxy that dies is no outage.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { prometheusRules } from '../../dashboards/generate/alert-files.ts'
import { mail, send } from '../simulator/client.ts'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'
import { newBook } from '../support/books/book.ts'
import { App } from '../support/monitoring/alert-stage.ts'
import { filledIn, queriesOf, readDashboards } from '../support/monitoring/dashboards.ts'
import { type Prometheus, prometheusMissing, startPrometheus } from '../support/monitoring/prometheus.ts'
import type { ProxyProcess } from '../support/processes/proxy-process.ts'
import { loggedIn, startBefore } from '../support/processes/running-proxy.ts'
import { unless } from '../support/programs/programs.ts'
import { CLIENT_SETTINGS } from '../support/traffic/mixed-mail.ts'
import { sendMixedMail } from '../support/traffic/mixed-traffic.ts'
import { until } from '../support/waiting/until.ts'

const JOB = 'ahasend-smtp-proxy'
const PROXIES = 3
/** A minute of the rules takes a second. */
const SCALE = 1 / 60

interface Stage {
  readonly simulator: Simulator
  readonly proxies: readonly ProxyProcess[]
  readonly prometheus: Prometheus
}

async function startStage(stack: AsyncDisposableStack, env: Readonly<Record<string, string>>): Promise<Stage> {
  const simulator = stack.use(await startSimulator())
  const proxies: ProxyProcess[] = []
  for (let index = 0; index < PROXIES; index += 1) proxies.push(stack.use(await startBefore(simulator, env)))
  const targets = proxies.map(({ adminPort }) => ({ job: JOB, url: `http://127.0.0.1:${adminPort}/metrics` }))
  const rules = prometheusRules({ timeScale: SCALE })
  const prometheus = stack.use(await startPrometheus({ targets, rules, scrapeIntervalMs: 1000 }))
  await prometheus.waitFor(`sum(up) == ${PROXIES}`)
  return { simulator, proxies, prometheus }
}

/**
 * A time from now on, in seconds since 1970, at which no scrape had failed: on a slow machine, some exceed their timeout.
 * Prometheus knows that a second later.
 */
function timeOfScrapes(prometheus: Prometheus): Promise<number> {
  const from = Date.now() / 1000
  return until('all proxies are scraped', async () => {
    const then = Date.now() / 1000 - 1
    return then > from && (await prometheus.query(`sum(up) == ${PROXIES}`, then)).length > 0 && then
  })
}

function instanceOf({ adminPort }: ProxyProcess): string {
  return `127.0.0.1:${adminPort}`
}

/** Panels, or single queries of a panel, whose values add up. The others are shares, quantiles, and the lowest or highest. */
const ADDED = new Set([
  "Within AhaSend's limits?",
  'Idle disconnects',
  'Disabled (521)',
  '421 except idle',
  'In doubt',
  'Is anything refused?',
  'Who must act?',
  'Who refused what, and why?',
  'Refusals by code',
  '421 by cause',
  'Messages by outcome',
  'By cause',
  'By command',
  'By app and cause',
  'Recipients by verdict',
  'Sessions refused by the proxy',
  'Why do sessions end?',
  'How long do sessions last?',
  'Failed dials by reason',
  'Opaque sessions',
  'Bytes relayed',
  // all columns but the share that was accepted
  ...['A', 'C', 'D', 'E', 'F', 'G'].map((column) => `Apps, in the selected time range / ${column}`),
  'Open sessions / A',
  'Proxies seen / A',
])

/** Five minutes: longer than the test, so that all queries see everything. */
const RANGES = { __range: '5m', __range_s: '300', __rate_interval: '5m' }

describe('Panels and rules with three proxies', unless(prometheusMissing()), () => {
  const stack = new AsyncDisposableStack()
  let stage: Stage
  /** All queries are evaluated at this time, in seconds since 1970. */
  let at = 0

  before(async () => {
    stage = await startStage(stack, { ...CLIENT_SETTINGS, PROXY_WARM_CONNECTIONS: '0' })
    const { simulator, proxies, prometheus } = stage
    for (const [index, { port }] of proxies.entries()) await sendMixedMail(port, simulator, newBook(), index + 1)
    const ended = 'count(sum by (instance) (smtp_proxy_session_duration_seconds_count) > 100)'
    await prometheus.waitFor(`${ended} == ${PROXIES} and sum(smtp_proxy_session_active) == 0`)
    at = await timeOfScrapes(prometheus)
  })
  after(() => stack.disposeAsync())

  /** The values of a query for these instances, by their labels. */
  const valuesOf = async (expr: string, instance: string) => {
    const samples = await stage.prometheus.query(filledIn(expr, { ...RANGES, instance }), at)
    return new Map(samples.map(({ labels, value }) => [JSON.stringify(Object.entries(labels).sort()), value]))
  }

  for (const dashboard of readDashboards())
    test(`"${dashboard.title}" shows them together`, async () => {
      let compared = 0
      for (const { where, expr } of queriesOf(dashboard)) {
        const all = await valuesOf(expr, '.+')
        const each = await Promise.all(stage.proxies.map((proxy) => valuesOf(expr, instanceOf(proxy))))
        for (const [labels, value] of all) {
          const single = each.flatMap((one) => one.get(labels) ?? [])
          if (labels === '[]') assert.equal(single.length, PROXIES, `${where}: ${labels}`)
          assertTogether(where, `${labels} ${value} of ${single.join(', ')}`, value, single)
          if (single.length > 1) compared += 1
        }
      }
      assert.ok(compared > 5, `${compared} values of several proxies`)
    })

  test('every rule can be evaluated', async () => {
    const rules = await evaluatedRules(stage.prometheus)
    assert.ok(rules.length > 100)
    assert.deepEqual(
      rules.filter(({ health }) => health !== 'ok'),
      [],
    )
  })

  test('recordings and alerts about AhaSend have no series of a single proxy', async () => {
    const recordings = await stage.prometheus.series('{__name__=~"job.*:.+"}')
    const alerts = await stage.prometheus.series('ALERTS{alertname=~"AhaSend.+"}')
    assert.ok(recordings.length > 50 && alerts.length > 5, `${recordings.length} recordings, ${alerts.length} alerts`)
    const single = [...recordings, ...alerts].filter(({ instance }) => instance !== undefined)
    const names = single.map((labels) => labels.alertname ?? labels.__name__ ?? '')
    assert.deepEqual(
      names.filter((name) => !name.startsWith('job_instance') && !ABOUT_ONE_PROXY.includes(name)),
      [],
    )
  })
})

/** Alerts about one proxy, besides those whose name begins with SmtpProxy. */
const ABOUT_ONE_PROXY: readonly unknown[] = ['AhaSendUnreachable']

interface Rule {
  readonly name: string
  readonly health: 'ok' | 'err' | 'unknown'
  readonly lastError?: string
}

/** All rules, after Prometheus has evaluated each of them. */
async function evaluatedRules({ url }: Prometheus): Promise<Rule[]> {
  return await until('all rules are evaluated', async () => {
    const answer = await fetch(`${url}/api/v1/rules`)
    const { data } = (await answer.json()) as { data: { groups: readonly { readonly rules: readonly Rule[] }[] } }
    const rules = data.groups.flatMap((group) => group.rules)
    return rules.every(({ health }) => health !== 'unknown') && rules
  })
}

/** A value for all proxies is the sum of the values for each, or lies between them. */
function assertTogether(where: string, shown: string, value: number, single: readonly number[]): void {
  const [, title = '', letter = ''] = where.split(' / ')
  const sum = single.reduce((total, one) => total + one, 0)
  const margin = Math.abs(value) * 1e-9 + 1e-9
  if (ADDED.has(title) || ADDED.has(`${title} / ${letter}`))
    assert.ok(Math.abs(value - sum) <= margin, `${where}: ${shown}`)
  else if (!Number.isNaN(value)) assert.ok(isWithin(value, single, margin), `${where}: ${shown}`)
}

function isWithin(value: number, single: readonly number[], margin: number): boolean {
  const known = single.filter((one) => !Number.isNaN(one))
  return value >= Math.min(...known) - margin && value <= Math.max(...known) + margin
}

describe('Alerts with three proxies', unless(prometheusMissing()), () => {
  const stack = new AsyncDisposableStack()
  let stage: Stage

  before(async () => {
    const env = { PROXY_CLIENTS: 'billing=127.0.0.1', PROXY_WARM_CONNECTIONS: '0' }
    stage = await startStage(stack, env)
    for (const proxy of stage.proxies) stack.use(new App(proxy, 400))
    const accepted = 'smtp_proxy_transactions_total{smtp_transaction_outcome="accepted"}'
    await stage.prometheus.waitFor(`min(sum by (instance) (${accepted})) > 5`)
  })
  after(() => stack.disposeAsync())

  const firing = (alert: string, matchers = '') =>
    `ALERTS{alertname="${alert}", alertstate="firing"${matchers && `, ${matchers}`}}`

  /** Sends a message through each of these proxies, from this sender. */
  const refusedBy = async (proxies: readonly ProxyProcess[], from: string) => {
    for (const proxy of proxies) {
      const [client] = await loggedIn(proxy, 1)
      assert.match(await send(client!, mail({ from })), /^5/)
      client!.destroy()
    }
  }

  test('a 521 that two proxies relay is one alert, which counts both', async () => {
    await refusedBy(stage.proxies.slice(0, 2), 'fault+521-at-mail@example.com')
    const replies = 'smtp_proxy_replies_total{smtp_reply_cause="account_disabled"}'
    await stage.prometheus.waitFor(`count(sum by (instance) (${replies}) > 0) == 2`)
    const [alert, ...others] = await stage.prometheus.waitFor(firing('AhaSendAccountDisabled'))
    assert.deepEqual(others, [])
    assert.equal(alert?.labels.smtp_client_name, 'billing')
    assert.equal(alert?.labels.instance, undefined)
    // one refusal alone is at most 1.5: Prometheus extrapolates
    await stage.prometheus.waitFor('sum(job_server_client:smtp_proxy_account_disabled:increase1h) > 1.5')
  })

  test('a proxy that is killed is a warning about this proxy, and no outage', async () => {
    const { proxies, prometheus } = stage
    const [dead] = proxies as [ProxyProcess]
    await dead.stop('SIGKILL')
    const down = await prometheus.waitFor(firing('SmtpProxyDown', 'severity="warning"'))
    assert.deepEqual(
      down.map(({ labels }) => labels.instance),
      [instanceOf(dead)],
    )
    // five minutes of the rules later
    await prometheus.waitFor(`${firing('SmtpProxyDown', 'severity="warning"')} offset 5s`)
    const others = 'ALERTS{alertname!="AhaSendAccountDisabled", severity="critical", alertstate="firing"}'
    // not now, but soon: on a slow machine, scrapes of the other proxies may exceed their timeout for a moment
    await prometheus.waitFor(others, ({ length }) => length === 0)
  })

  test('mail is still flowing, and "Proxies seen" counts those that are left', async () => {
    const queries = readDashboards().flatMap(queriesOf)
    const shownBy = async (panel: string) => {
      const { expr = '' } = queries.find(({ where }) => where.includes(` / ${panel}`)) ?? {}
      return (await stage.prometheus.query(filledIn(expr)))[0]?.value
    }
    assert.equal(await shownBy('Proxies seen / A'), PROXIES - 1)
    assert.ok((await shownBy('Is mail flowing? / A'))! > 0.9)
  })

  test('proxies that are all dead are critical', async () => {
    for (const proxy of stage.proxies) await proxy.stop('SIGKILL')
    const down = await stage.prometheus.waitFor(firing('SmtpProxyDown', 'severity="critical"'))
    assert.equal(down.length, 1)
  })
})
