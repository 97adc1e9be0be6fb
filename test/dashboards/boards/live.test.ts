/**
 * The queries of the dashboards in a real Prometheus that scrapes a real proxy, while the simulated AhaSend produces every
 * failure that it knows. Each query returns data, or is on the list of queries that must return none.
 */
import assert from 'node:assert/strict'
import net from 'node:net'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { createTransport } from 'nodemailer'
import { AUTH_PLAIN, ask } from '../../simulator/client.ts'
import { DEFAULT_ACCOUNT, type Simulator, startSimulator } from '../../simulator/simulator.ts'
import { newBook } from '../../support/books/book.ts'
import { type Asked, filledIn, queriesOf, readDashboards, selectorsIn } from '../../support/monitoring/dashboards.ts'
import { type Prometheus, prometheusMissing, startPrometheus } from '../../support/monitoring/prometheus.ts'
import { type ProbeProcess, startProbe } from '../../support/processes/probe-process.ts'
import type { ProxyProcess } from '../../support/processes/proxy-process.ts'
import { failTls, loggedIn, startBefore } from '../../support/processes/running-proxy.ts'
import { unless } from '../../support/programs/programs.ts'
import { listenOnLoopback } from '../../support/sockets/listen.ts'
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
  'AhaSend: connections and limits / Failed dials by reason / B': 'the resolver of this machine answers',
  'AhaSend: the proxy itself / Telemetry losses / A':
    'the log is read and nothing is exported, so no telemetry is lost',
  'AhaSend: the proxy itself / Telemetry losses / B': 'a failing observer would be a bug',
}

/** A proxy that Prometheus scrapes twice a second. */
interface Stage {
  readonly simulator: Simulator
  readonly proxy: ProxyProcess
  readonly prometheus: Prometheus
  readonly probe: ProbeProcess
  readonly probed: AsyncDisposableStack
}

async function startProxyAndPrometheus(env: Readonly<Record<string, string>> = {}): Promise<Stage> {
  const simulator = await startSimulator({ ledger: 'records' })
  const proxy = await startBefore(simulator, { ...CLIENT_SETTINGS, ...env })
  const probed = new AsyncDisposableStack()
  const probe = await startProbed(probed)
  const targets = [
    { job: JOB, url: `http://127.0.0.1:${proxy.adminPort}/metrics` },
    { job: `${JOB}-probe`, url: `http://127.0.0.1:${probe.metricsPort}/metrics` },
  ]
  const prometheus = await startPrometheus({ targets })
  await prometheus.waitFor('sum(up) == 2')
  return { simulator, proxy, prometheus, probe, probed }
}

async function stopAll({ simulator, proxy, prometheus, probed }: Stage): Promise<void> {
  await probed.disposeAsync()
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
    await probeThrice(stage)
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

/**
 * A probe of a server that accepts only the second connection. The traffic of this test plans each connection to the proxy,
 * so the probe must not use it.
 */
async function startProbed(stack: AsyncDisposableStack): Promise<ProbeProcess> {
  let connections = 0
  const server = net.createServer((socket) => {
    connections += 1
    socket.write(connections === 2 ? '220 probed.example\r\n' : '421 4.3.2 not now\r\n')
    socket
      .on('error', () => {})
      .on('data', (line) => socket.write(`${line}`.startsWith('QUIT') ? '221 bye\r\n' : '250 ok\r\n'))
  })
  const port = await listenOnLoopback(server)
  stack.defer(() => void server.close())
  return stack.use(
    await startProbe({ PROBE_TARGET: `smtp://127.0.0.1:${port}`, PROBE_INTERVAL: '10s', PROBE_TIMEOUT: '10s' }),
  )
}

/** A rate shows only growth, and a graph of failures only those of now: a run failed, one succeeded, and one failed. */
async function probeThrice({ prometheus, probe }: Stage): Promise<void> {
  await probe.line(({ msg }) => msg === 'probe succeeds again', 60_000)
  await prometheus.waitFor('sum(smtp_proxy_probe_runs_total{error_type="421"}) == 2')
}

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
    stage = await startProxyAndPrometheus({ PROXY_LISTEN: 'smtp://127.0.0.1:0,smtp://127.0.0.1:0?client=probe' })
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

  test('is -1, "No mail", while only the probe connects, whether or not its login is refused', async () => {
    const [, port = 0] = stage.proxy.ports
    for (let run = 0; run < 5; run += 1) {
      await probeOnce(port)
      stage.simulator.faults.set('454-at-auth', { times: 1 })
      await probeOnce(port)
    }
    const of = (client: string) => `sum(smtp_proxy_session_duration_seconds_count{smtp_client_name${client}"probe"})`
    await stage.prometheus.waitFor(`${of('=')} == 10 unless ${of('!=')}`)
    const [sample] = await stage.prometheus.query(flowing)
    assert.equal(sample?.value, -1)
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

/** What the probe does, in short. */
async function probeOnce(port: number): Promise<void> {
  const client = await connectClient({ port })
  await client.readReply()
  const commands = ['EHLO probe.example', AUTH_PLAIN, 'MAIL FROM:<probe@example.com>', 'RSET', 'QUIT']
  for (const command of commands) await ask(client, command)
  await client.end()
}

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
