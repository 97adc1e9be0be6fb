/**
 * The rules in a real Prometheus that scrapes a real proxy, while the simulated AhaSend produces every failure that it knows:
 * every series that a rule selects exists, and every rule can be evaluated.
 */
import assert from 'node:assert/strict'
import net from 'node:net'
import { after, before, describe, test } from 'node:test'
import { rulesOf } from '../../../dashboards/alerts/alerts.ts'
import { prometheusRules } from '../../../dashboards/generate/alert-files.ts'
import { AUTH_PLAIN, ask, mail, send } from '../../simulator/client.ts'
import { type Simulator, startSimulator } from '../../simulator/simulator.ts'
import { newBook } from '../../support/books/book.ts'
import { writeTemporaryFiles } from '../../support/files/temporary-files.ts'
import { stageMissing } from '../../support/monitoring/alert-stage.ts'
import { configFor, startAlertmanager } from '../../support/monitoring/alertmanager.ts'
import { selectorsIn } from '../../support/monitoring/dashboards.ts'
import { type Prometheus, startPrometheus } from '../../support/monitoring/prometheus.ts'
import { startProbe } from '../../support/processes/probe-process.ts'
import { startBefore } from '../../support/processes/running-proxy.ts'
import { unless } from '../../support/programs/programs.ts'
import { listenOnLoopback } from '../../support/sockets/listen.ts'
import { connectClient } from '../../support/sockets/scripted-peers.ts'
import { makeAuthority } from '../../support/tls/certificates.ts'
import { CLIENT_SETTINGS } from '../../support/traffic/mixed-mail.ts'
import { sendMixedMail } from '../../support/traffic/mixed-traffic.ts'

const { recordings, alerts } = rulesOf()
const named = [...recordings.short, ...recordings.long, ...alerts]
/** Without ALERTS, which exists while an alert fires: see live.test.ts. */
const selectors = new Set(
  named
    .flatMap(({ expr }) => selectorsIn(expr))
    .filter(({ name }) => name !== 'ALERTS')
    .map(({ name, conditions }) => `${name}{${conditions}}`),
)

/** Sessions of one address. Mixed mail needs fewer. */
const MOST_SESSIONS = 20
/** The address from which the proxy expects PROXY headers. */
const BALANCER = '127.0.0.4'

/** A port without a listener. */
const DEAD_URL = 'http://127.0.0.1:1/'

/** Prometheus with the metrics of a proxy after all kinds of mail, and with those of Alertmanager. */
async function startStage(stack: AsyncDisposableStack): Promise<Prometheus> {
  const simulator = stack.use(await startSimulator())
  const { certPem, keyPem } = await (await makeAuthority()).issue()
  const files = writeTemporaryFiles({ 'tls.crt': certPem, 'tls.key': keyPem })
  stack.defer(() => files.remove())
  const proxy = stack.use(
    await startBefore(simulator, {
      ...CLIENT_SETTINGS,
      PROXY_WARM_CONNECTIONS: '0',
      PROXY_MAX_SESSIONS_PER_CLIENT: `${MOST_SESSIONS}`,
      PROXY_TRUST_PROXY_PROTOCOL: BALANCER,
      PROXY_TLS_CERT_FILE: files.paths['tls.crt'],
      PROXY_TLS_KEY_FILE: files.paths['tls.key'],
    }),
  )
  // with a receiver, so that Alertmanager exports its counters; no alert is sent
  const alertmanager = stack.use(await startAlertmanager(JSON.stringify(configFor({ ALERT_WEBHOOK_URL: DEAD_URL }))))
  const targets = [
    { job: 'ahasend-smtp-proxy', url: `http://127.0.0.1:${proxy.adminPort}/metrics` },
    { job: 'alertmanager', url: `http://${alertmanager.address}/metrics` },
    ...(await failingProbes(stack)).map((url) => ({ job: 'ahasend-smtp-proxy-probe', url })),
  ]
  const options = { targets, rules: prometheusRules({ timeScale: 1 / 60 }) }
  const prometheus = stack.use(await startPrometheus(options))
  await sendMixedMail(proxy.port, simulator, newBook(), 1)
  for (const [fault, text] of LIMITS) await refusedMail(proxy.port, simulator, fault, text)
  await refusedLogin(proxy.port)
  await loginRefusedTemporarily(proxy.port, simulator)
  await idleDisconnect(proxy.port, simulator)
  await aboveTheLimit(proxy.port)
  await withoutHeader(proxy.port)
  return prometheus
}

/** Two probes: nothing listens for the first, and the login of the second is refused. Returns the URLs of their metrics. */
async function failingProbes(stack: AsyncDisposableStack): Promise<readonly string[]> {
  const server = net.createServer((socket) => {
    socket.write('220 probed.example\r\n')
    socket
      .on('error', () => {})
      .on('data', (line) => {
        socket.write(`${line}`.startsWith('EHLO') ? '250 AUTH PLAIN\r\n' : '535 5.7.8 no\r\n')
      })
  })
  const port = await listenOnLoopback(server)
  stack.defer(() => void server.close())
  const login = { PROBE_USER: 'probe', PROBE_PASSWORD: 'wrong' }
  const targets = ['smtp://127.0.0.1:1', `smtp://127.0.0.1:${port}`]
  const probes = await Promise.all(targets.map((target) => startProbe({ ...login, PROBE_TARGET: target })))
  return probes.map((probe) => `http://127.0.0.1:${stack.use(probe).metricsPort}/metrics`)
}

/** Refusals at limits that take long to reach. */
const LIMITS = [
  ['552-at-end-of-message', '5.3.4 message too big'],
  ['421-at-rcpt', '4.5.3 too many recipients on this connection'],
] as const

async function refusedMail(port: number, { faults }: Simulator, fault: string, text: string): Promise<void> {
  faults.set(fault, { text, times: 1 })
  const client = await connectClient({ port })
  await client.readReply()
  await send(client, ['EHLO app.example', AUTH_PLAIN, ...mail()])
  client.destroy()
  assert.deepEqual(faults.list(), [])
}

async function refusedLogin(port: number): Promise<void> {
  const client = await connectClient({ port })
  await client.readReply()
  await ask(client, 'EHLO app.example')
  const login = Buffer.from('\0app\0wrong').toString('base64')
  assert.match(await ask(client, `AUTH PLAIN ${login}`), /^535 /)
  client.destroy()
}

async function loginRefusedTemporarily(port: number, { faults }: Simulator): Promise<void> {
  faults.set('454-at-auth', { times: 1 })
  const client = await connectClient({ port })
  await client.readReply()
  assert.match(await send(client, ['EHLO app.example', AUTH_PLAIN]), /^250 454/)
  client.destroy()
}

async function idleDisconnect(port: number, { faults }: Simulator): Promise<void> {
  // longer than any step of a dial, which must not count as idle
  faults.set('idle-2000')
  const client = await connectClient({ port })
  assert.match(await client.readReply(), /^220 /)
  assert.match(await client.readReply(), /^421 .* idle too long/)
  client.destroy()
}

async function aboveTheLimit(port: number): Promise<void> {
  const open = { length: MOST_SESSIONS + 1 }
  const clients = await Promise.all(Array.from(open, () => connectClient({ port, limitMs: 20_000 })))
  for (const client of clients) await client.readReply()
  for (const client of clients) client.destroy()
}

async function withoutHeader(port: number): Promise<void> {
  const client = await connectClient({ port, localAddress: BALANCER })
  await client.send('EHLO app.example\r\n')
  await client.closed()
  client.destroy()
}

interface EvaluatedRules {
  readonly data: {
    readonly groups: readonly {
      readonly rules: readonly { readonly name: string; readonly health: string; readonly lastError?: string }[]
    }[]
  }
}

describe('after all kinds of mail', unless(stageMissing()), () => {
  const stack = new AsyncDisposableStack()
  let prometheus: Prometheus

  before(async () => {
    prometheus = await startStage(stack)
  })

  after(() => stack.disposeAsync())

  for (const selector of selectors) {
    test(`${selector} exists`, async () => {
      await prometheus.waitFor(selector, ({ length }) => length > 0, 5000)
    })
  }

  for (const { name } of [...recordings.short, ...recordings.long]) {
    test(`${name} is recorded`, async () => {
      await prometheus.waitFor(name, ({ length }) => length > 0, 10_000)
    })
  }

  test('every rule was evaluated without an error', async () => {
    const response = await fetch(`${prometheus.url}/api/v1/rules`)
    const { data } = (await response.json()) as EvaluatedRules
    const evaluated = data.groups.flatMap((group) => group.rules)
    assert.equal(evaluated.length, named.length)
    assert.deepEqual(
      evaluated.filter(({ health }) => health !== 'ok'),
      [],
    )
  })
})
