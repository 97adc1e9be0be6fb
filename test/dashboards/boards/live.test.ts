/**
 * The queries of the dashboards in a real Prometheus that scrapes a real proxy, while the simulated AhaSend produces every
 * failure that it knows. Each query returns data, or is on the list of queries that must return none.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { createTransport } from 'nodemailer'
import { DEFAULT_ACCOUNT, type Simulator, startSimulator } from '../../simulator/simulator.ts'
import { newBook } from '../../support/books/book.ts'
import { type Asked, filledIn, queriesOf, readDashboards, selectorsIn } from '../../support/monitoring/dashboards.ts'
import { type Prometheus, prometheusMissing, startPrometheus } from '../../support/monitoring/prometheus.ts'
import type { ProxyProcess } from '../../support/processes/proxy-process.ts'
import { failTls, loggedIn, startBefore } from '../../support/processes/running-proxy.ts'
import { unless } from '../../support/programs/programs.ts'
import { connectClient } from '../../support/sockets/scripted-peers.ts'
import { CLIENT_SETTINGS, STRANGER } from '../../support/traffic/mixed-mail.ts'
import { sendMixedMail } from '../../support/traffic/mixed-traffic.ts'

const dashboards = readDashboards()
const JOB = 'ahasend-smtp-proxy'

/**
 * Queries without data under this traffic, with the reason. For a new panel, produce its event in `before`, or add it here. A
 * graph of rare events shows only growth: produce the event once more after Prometheus has scraped the first one, as
 * `refuseAgain` does. A query that returns data must leave the list.
 */
const EMPTY: Readonly<Record<string, string>> = {
  'AhaSend: connections and limits / Failed DNS lookups / A': 'the resolver of this machine answers',
  'AhaSend: the proxy itself / Telemetry losses / A':
    'the log is read and nothing is exported, so no telemetry is lost',
  'AhaSend: the proxy itself / Telemetry losses / B': 'a failing observer would be a bug',
}

/** A proxy that Prometheus scrapes twice a second. */
interface Stage {
  readonly simulator: Simulator
  readonly proxy: ProxyProcess
  readonly prometheus: Prometheus
}

async function startProxyAndPrometheus(env: Readonly<Record<string, string>> = {}): Promise<Stage> {
  const simulator = await startSimulator({ ledger: 'records' })
  const proxy = await startBefore(simulator, { ...CLIENT_SETTINGS, ...env })
  const url = `http://127.0.0.1:${proxy.adminPort}/metrics`
  const prometheus = await startPrometheus({ targets: [{ job: JOB, url }] })
  await prometheus.waitFor(`up{job="${JOB}"} == 1`)
  return { simulator, proxy, prometheus }
}

async function stopAll({ simulator, proxy, prometheus }: Stage): Promise<void> {
  await proxy.stop('SIGKILL')
  await prometheus.stop()
  await simulator.close()
}

describe('with mail of every kind', unless(prometheusMissing()), () => {
  let stage: Stage

  before(async () => {
    // mixed mail plans each connection, so none is preconnected
    stage = await startProxyAndPrometheus({ PROXY_WARM_CONNECTIONS: '0' })
    await sendMixedMail(stage.proxy.port, stage.simulator, newBook(), 1)
    await becomeOpaque(stage.proxy)
    await refuseAgain(stage)
    await failTls(stage.proxy.port)
  })

  after(() => stopAll(stage))

  const isEmpty = ({ where }: Asked) => where in EMPTY

  for (const dashboard of dashboards) {
    for (const query of queriesOf(dashboard).filter((one) => !isEmpty(one))) {
      test(`${query.where} returns data`, async () => {
        const answer = stage.prometheus.waitFor(filledIn(query.expr), (samples) => samples.length > 0, 5000)
        await answer.catch((cause: unknown) =>
          assert.fail(`produce its event in \`before\`, or add it to EMPTY: ${cause}`),
        )
      })
    }

    for (const query of queriesOf(dashboard).filter(isEmpty)) {
      test(`${query.where} returns no data: ${EMPTY[query.where]}`, async () => {
        assert.deepEqual(await stage.prometheus.query(filledIn(query.expr)), [])
      })
    }

    test(`Prometheus scraped every metric and label of ${dashboard.title}`, async () => {
      for (const { where, expr } of queriesOf(dashboard)) await assertScraped(stage.prometheus, where, expr)
    })

    test(`every variable of ${dashboard.title} has values`, async () => {
      for (const { name, type, query } of dashboard.templating.list) {
        const [, of = '', label = ''] = /^label_values\((.*), (\w+)\)$/.exec(query) ?? []
        if (type !== 'query') continue
        const found = await stage.prometheus.series(filledIn(of))
        assert.ok(found.length > 0 && found.every((labels) => labels[label]), name)
      }
    })

    test(`Prometheus accepts the annotations of ${dashboard.title}`, async () => {
      const [restarts, alerts] = dashboard.annotations.list
      // the proxy is younger than the interval between two points
      const restarted = filledIn(`${restarts?.expr}`, { __interval_ms: '600000' })
      await stage.prometheus.waitFor(restarted, ({ length }) => length === 1, 5000)
      assert.deepEqual(await stage.prometheus.query(filledIn(`${alerts?.expr}`)), [], 'this Prometheus has no rules')
    })
  }

  test('every query on the list of empty queries exists', () => {
    const existing = new Set(dashboards.flatMap(queriesOf).map(({ where }) => where))
    for (const where of Object.keys(EMPTY))
      assert.ok(existing.has(where), `no dashboard has the query "${where}": remove it from EMPTY`)
  })
})

/** A session with an unknown command that may have a payload. */
async function becomeOpaque(proxy: ProxyProcess): Promise<void> {
  const [client] = await loggedIn(proxy, 1)
  await client!.send('FOO 10\r\npayload\r\n')
  assert.match(await client!.readReply(), /^5/)
  client!.destroy()
}

/** Another client outside PROXY_ALLOW, after the series of the first one was scraped: a graph shows only growth. */
async function refuseAgain({ proxy, prometheus }: Stage): Promise<void> {
  await prometheus.waitFor('smtp_proxy_session_duration_seconds_count{smtp_session_close_reason="not_allowed"}')
  const client = await connectClient({ port: proxy.port, localAddress: STRANGER })
  assert.match(await client.readReply(), /^421 /)
  client.destroy()
}

/** Fails unless each metric has series, and all of them have the labels of its selectors. Only failures have `error_type`. */
async function assertScraped(prometheus: Prometheus, where: string, expr: string): Promise<void> {
  for (const { name, labels } of selectorsIn(expr)) {
    const found = await prometheus.series(name)
    for (const label of labels) {
      const having = found.filter((one) => label in one)
      assert.ok(having.length > 0, `${where}: no series of ${name} has a label ${label}`)
      if (label !== 'error_type')
        assert.equal(having.length, found.length, `${where}: some series of ${name} have no label ${label}`)
    }
  }
}

describe('"Is mail flowing?"', unless(prometheusMissing()), () => {
  const [{ expr = '' } = {}] = dashboards.flatMap(queriesOf).filter(({ where }) => where.includes('Is mail flowing?'))
  /** The query over the last three seconds instead of the last five minutes. */
  const flowing = filledIn(expr)
    .replaceAll(/\b5m\b/g, '3s')
    .replaceAll('< 300', '< 3')
  let stage: Stage
  let sending = true
  let sent: Promise<void>

  before(async () => {
    stage = await startProxyAndPrometheus()
  })

  after(async () => {
    sending = false
    await sent
    await stopAll(stage)
  })

  const becomes = (wanted: (value: number) => boolean) =>
    stage.prometheus.waitFor(flowing, ([sample]) => sample !== undefined && wanted(sample.value), 20_000)

  test('is -1, "No mail", while no app sends', async () => {
    await becomes((value) => value === -1)
  })

  test('is 1, "Yes", while messages are accepted, or refused because of the message', async () => {
    sent = keepSending(stage.proxy.port, () => sending)
    await becomes((value) => value === 1)
  })

  test('is 0, "No", while the account is disabled', async () => {
    stage.simulator.faults.set('account-disabled')
    await becomes((value) => Math.abs(value) < 1e-9)
    stage.simulator.faults.clear()
    await becomes((value) => value === 1)
  })

  test('is 0, "No", while AhaSend sheds load, although no message is refused', async () => {
    stage.simulator.faults.set('load-shedding')
    await becomes((value) => Math.abs(value) < 1e-9)
    stage.simulator.faults.clear()
    await becomes((value) => value === 1)
  })

  test('is empty, "No proxy seen", as soon as the proxy is gone, whatever it measured before', async () => {
    await stage.proxy.stop('SIGKILL')
    await stage.prometheus.waitFor(flowing, (samples) => samples.length === 0, 20_000)
  })
})

describe('the first refusal of its kind', unless(prometheusMissing()), () => {
  let stage: Stage

  before(async () => {
    stage = await startProxyAndPrometheus({ PROXY_WARM_CONNECTIONS: '0' })
  })

  after(() => stopAll(stage))

  const rangeOf = (seconds: number) => ({
    __range: `${seconds}s`,
    __range_s: `${seconds}`,
    __rate_interval: `${seconds}s`,
  })
  /** The query of a panel over the last seconds. */
  const panel = (title: string, seconds: number) => {
    const [{ expr = '' } = {}] = dashboards.flatMap(queriesOf).filter(({ where }) => where.includes(` / ${title} / `))
    return filledIn(expr, rangeOf(seconds))
  }
  const refused = async (fault: string) => {
    stage.simulator.faults.set(fault, { times: 1 })
    await sendOne(stage.proxy.port, 'you@example.net')
  }

  test('counts as one in a proxy that just started', async () => {
    // a 521 to a command that had none before, so that its series begins with it
    await refused('521-at-ehlo')
    await stage.prometheus.waitFor(panel('Disabled (521)', 600), ([one]) => one?.value === 1)
  })

  test('counts as one in a proxy that is older than the time range', async () => {
    await stage.prometheus.waitFor('process_uptime_seconds offset 4s > 0')
    await refused('550-at-rcpt')
    const ofThisCode = ({ labels }: { readonly labels: Readonly<Record<string, string>> }) =>
      labels.smtp_reply_code === '550'
    for (const title of ['Who refused what, and why?', 'Refusals by code'])
      await stage.prometheus.waitFor(panel(title, 4), (samples) => samples.find(ofThisCode)?.value === 1, 5000)
  })

  test('no longer counts when it is older than the time range', async () => {
    const none = ([one]: readonly { readonly value: number }[]) => one?.value === 0
    await stage.prometheus.waitFor(panel('Is anything refused?', 4), none, 10_000)
  })
})

/** Sends twenty messages a second, each on its own connection, one in three to a recipient that is refused. */
async function keepSending(port: number, more: () => boolean): Promise<void> {
  for (let count = 0; more(); count += 1) {
    const to = count % 3 === 0 ? 'fault+553-at-rcpt@example.net' : 'you@example.net'
    await Promise.all([sendOne(port, to), pause(50)])
  }
}

async function sendOne(port: number, to: string): Promise<void> {
  const transport = createTransport({ host: '127.0.0.1', port, auth: DEFAULT_ACCOUNT })
  // the test expects failures
  await transport.sendMail({ from: 'app@example.com', to, text: 'one' }).catch(() => undefined)
  transport.close()
}
