/** The incidents of live.test.ts and the alerts that they raise. */
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import type { AlertName, Severity } from '../../../dashboards/alerts/alert.ts'
import { prometheusRules } from '../../../dashboards/generate/alert-files.ts'
import { AUTH_PLAIN, ask, mail, send } from '../../simulator/client.ts'
import { rehearse } from '../../simulator/rehearsals.ts'
import { DEFAULT_ACCOUNT, type Simulator, startSimulator } from '../../simulator/simulator.ts'
import { writeTemporaryFiles } from '../../support/files/temporary-files.ts'
import { App } from '../../support/monitoring/alert-stage.ts'
import { type Prometheus, startPrometheus } from '../../support/monitoring/prometheus.ts'
import { exhaustDescriptors } from '../../support/processes/file-descriptors.ts'
import { type ProbeProcess, startProbe } from '../../support/processes/probe-process.ts'
import type { ProxyProcess } from '../../support/processes/proxy-process.ts'
import { enterTls, failTls, idleUntilClosed, loggedIn, startBefore } from '../../support/processes/running-proxy.ts'
import { connectClient } from '../../support/sockets/scripted-peers.ts'
import { makeAuthority } from '../../support/tls/certificates.ts'

/** An alert and its severity. */
export type Raised = `${AlertName} ${Severity}`

const SCALE = 1 / 60
const JOB = 'ahasend-smtp-proxy'
const DAY_MS = 86_400_000
/** The address of an app that is not in PROXY_CLIENTS. It sends no mail. */
const STRANGER = '127.0.0.2'
/** A port without a listener. */
const DEAD_PORT = 1
const MOST_SESSIONS = 150
/** The address from which the proxy expects PROXY headers. */
const BALANCER = '127.0.0.9'
export const LIMIT_MS = 60_000

export interface Stage {
  readonly simulator: Simulator
  readonly proxy: ProxyProcess
  readonly prometheus: Prometheus
  readonly probe: ProbeProcess
}

/** Mail flows, certificates expire tomorrow, spans are lost, and one of two proxies is dead. */
export async function startStage(stack: AsyncDisposableStack): Promise<Stage> {
  const authority = await makeAuthority()
  const certificate = await authority.issue({ notAfter: new Date(Date.now() + DAY_MS) })
  const files = writeTemporaryFiles({ 'tls.crt': certificate.certPem, 'tls.key': certificate.keyPem })
  stack.defer(() => files.remove())
  const simulator = stack.use(await startSimulator({ authority, certificate }))
  const proxy = stack.use(
    await startBefore(simulator, {
      PROXY_LISTEN: 'smtp://127.0.0.1:0,smtp://127.0.0.1:0?client=probe',
      PROXY_CLIENTS: 'billing=127.0.0.1',
      PROXY_WARM_CONNECTIONS: '0',
      PROXY_MAX_SESSIONS: `${MOST_SESSIONS}`,
      PROXY_TRUST_PROXY_PROTOCOL: BALANCER,
      PROXY_TLS_CERT_FILE: files.paths['tls.crt'],
      PROXY_TLS_KEY_FILE: files.paths['tls.key'],
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${DEAD_PORT}`,
      OTEL_EXPORTER_OTLP_TIMEOUT: '500',
      OTEL_BSP_SCHEDULE_DELAY: '100',
    }),
  )
  const probe = stack.use(
    await startProbe({
      PROBE_TARGET: `smtp://127.0.0.1:${proxy.ports[1]}`,
      PROBE_USER: DEFAULT_ACCOUNT.user,
      PROBE_PASSWORD: DEFAULT_ACCOUNT.pass,
      PROBE_FROM: 'probe@example.com',
      PROBE_INTERVAL: '10s',
      PROBE_TIMEOUT: '10s',
      PROBE_TLS: 'unverified',
    }),
  )
  const targetOf = (job: string, port: number) => ({ job, url: `http://127.0.0.1:${port}/metrics` })
  const proxies = [proxy.adminPort, DEAD_PORT].map((port) => targetOf(JOB, port))
  const targets = [...proxies, targetOf(`${JOB}-probe`, probe.metricsPort)]
  const prometheus = stack.use(await startPrometheus({ targets, rules: prometheusRules({ timeScale: SCALE }) }))
  stack.use(new App(proxy, 400))
  const accepted = 'smtp_proxy_transactions_total{smtp_transaction_outcome="accepted"}'
  await prometheus.waitFor(`sum(${accepted}) > 20 and sum(${accepted} offset 6s) > 0`)
  await enterTls(proxy.port, STRANGER)
  return { simulator, proxy, prometheus, probe }
}

/** Alerts that fire from the start, without a button. */
export const FROM_THE_START: readonly Raised[] = [
  'AhaSendCertificateExpiring critical',
  'AhaSendCertificateExpiring warning',
  'SmtpProxyCertificateExpiring critical',
  'SmtpProxyCertificateExpiring warning',
  'SmtpProxyTelemetryLost warning',
  'SmtpProxyDown warning',
  'SmtpProxyWatchdog none',
]

/** The alerts that each button of the page of faults raises. The time does not matter. */
export const BUTTONS: Readonly<Record<string, readonly Raised[]>> = {
  'all-well': [],
  'one-521': ['AhaSendAccountDisabled critical'],
  'load-shedding': [
    'AhaSendLoadShedding critical',
    'AhaSendLoadShedding warning',
    'SmtpProxyErrorBudgetBurning warning',
  ],
  'internal-error': ['AhaSendInternalErrors critical', 'AhaSendInternalErrors warning'],
  'temporary-errors': ['AhaSendTemporaryErrors critical', 'AhaSendTemporaryErrors warning'],
  'account-disabled': ['AhaSendAccountDisabled critical'],
  'close-after-the-dot': ['AhaSendMailInDoubt warning'],
  'domain-not-configured': ['AhaSendDomainNotConfigured warning'],
  'message-format': ['AhaSendMessageFormatRejected warning'],
  'recipients-rejected': ['AhaSendRecipientsRejected warning'],
  'wrong-credentials': ['AhaSendCredentialsRejected critical', 'AhaSendCredentialsRejected warning'],
  unreachable: ['AhaSendUnreachable critical', 'AhaSendUnreachable warning'],
  'slow-replies': ['AhaSendSlowFinalReplies warning'],
  'idle-disconnects': ['AhaSendIdleDisconnects info'],
}

/** What apps must do while a button is active, to raise its alerts. */
export const TRAFFIC: Readonly<Record<string, (stage: Stage) => Promise<void>>> = {
  'one-521': async ({ simulator, prometheus }) => {
    const refused = 'sum by (smtp_client_name) (smtp_proxy_replies_total{smtp_reply_cause="account_disabled"}) > 0'
    const [first] = await prometheus.waitFor(refused)
    if (first?.labels.smtp_client_name !== 'probe') return
    // the probe's message came first, and the alert is about apps; the next message of the probe is seconds away
    rehearse('one-521', simulator.faults)
    await prometheus.waitFor(refused, ({ length }) => length === 2)
  },
  'slow-replies': async ({ proxy }) => {
    await Promise.all(Array.from({ length: 20 }, () => sendOne(proxy, {})))
  },
  'idle-disconnects': async ({ proxy, prometheus }) => {
    const idle = 'sum(smtp_proxy_replies_total{smtp_reply_cause="idle_timeout"})'
    for (const total of [100, 200, 300, 400, 500]) {
      await idleUntilClosed(proxy.port, 100)
      await prometheus.waitFor(`${idle} >= ${total}`)
    }
  },
}

/** Incidents without a button. */
export const INCIDENTS: readonly {
  readonly name: string
  readonly raises: readonly Raised[]
  readonly happens: (stage: Stage) => Promise<void>
}[] = [
  {
    // after the buttons: the error budget is silent for half an hour after an alert that names the reason
    name: 'AhaSend refuses logins temporarily',
    raises: ['SmtpProxyErrorBudgetBurning critical'],
    happens: async ({ simulator }) => simulator.faults.set('454-at-auth'),
  },
  {
    name: 'AhaSend closes sessions without a reply',
    raises: ['AhaSendDroppingSessions critical'],
    happens: async ({ simulator }) => simulator.faults.set('close-at-ehlo'),
  },
  {
    name: 'a message of 17 MiB',
    raises: ['AhaSendMessageSizeLimit info'],
    happens: ({ proxy }) =>
      sendOne(proxy, { body: `Subject: large\r\n\r\n${`${'x'.repeat(998)}\r\n`.repeat(17_800)}` }),
  },
  {
    name: 'a message that is too large',
    raises: ['AhaSendMessageSizeLimit warning'],
    happens: async ({ proxy, simulator }) => {
      simulator.faults.set('552-at-end-of-message', { text: '5.3.4 message too big', times: 1 })
      await sendOne(proxy, {})
    },
  },
  {
    name: 'messages to 45 and to 51 recipients',
    raises: ['AhaSendRecipientLimit info', 'AhaSendRecipientLimit warning'],
    happens: async ({ proxy }) => {
      await sendToMany(proxy, 45)
      await sendToMany(proxy, 51)
    },
  },
  {
    name: 'a connection that reaches its limit',
    raises: ['AhaSendConnectionLimit warning'],
    happens: async ({ proxy, simulator }) => {
      simulator.faults.set('421-at-rcpt', { text: '4.5.3 too many recipients on this connection', times: 1 })
      await sendOne(proxy, {})
    },
  },
  {
    name: 'a message that is queued for some of its recipients',
    raises: ['AhaSendPartiallyQueued warning'],
    happens: async ({ proxy, simulator }) => {
      simulator.faults.set('250-at-end-of-message', { text: `PARTIAL ids=${'0'.repeat(32)}`, times: 1 })
      await sendOne(proxy, {})
    },
  },
  {
    name: 'sessions that the proxy cannot parse',
    raises: ['SmtpProxySessionsOpaque warning'],
    happens: async ({ proxy, prometheus }) => {
      for (const total of [3, 20]) {
        for (const client of await loggedIn(proxy, 10)) {
          await client.send('FOO 10\r\npayload\r\n')
          await client.readReply()
          client.destroy()
        }
        await prometheus.waitFor(`sum(smtp_proxy_session_opaque_total) >= ${total}`)
      }
    },
  },
  {
    name: 'connections of a load balancer without a PROXY header, while no message is accepted',
    raises: ['SmtpProxyProxyHeaderInvalid critical', 'SmtpProxyProxyHeaderInvalid warning'],
    happens: async ({ proxy, simulator, prometheus }) => {
      simulator.faults.set('454-at-auth')
      await prometheus.waitFor(
        'sum(increase(smtp_proxy_transactions_total{smtp_transaction_outcome="accepted"}[10s])) == 0',
      )
      for (let count = 0; count < 20; count += 1) {
        const client = await connectClient({ port: proxy.port, localAddress: BALANCER, limitMs: 20_000 })
        await client.send('EHLO app.example\r\n')
        await client.closed()
        client.destroy()
      }
    },
  },
  {
    name: 'more sessions than PROXY_MAX_SESSIONS',
    raises: ['SmtpProxyRefusingSessions critical', 'SmtpProxyRefusingSessions warning'],
    happens: async ({ proxy }) => {
      const open = { length: MOST_SESSIONS + 20 }
      const clients = await Promise.all(Array.from(open, () => connectClient({ port: proxy.port, limitMs: 20_000 })))
      for (const client of clients) await client.readReply()
      for (const client of clients) client.destroy()
    },
  },
  {
    name: 'an app that can no longer establish TLS',
    raises: ['SmtpProxyAppTlsFailing critical', 'SmtpProxyAppTlsFailing warning'],
    happens: async ({ proxy, prometheus }) => {
      let tries = true
      const raised = prometheus
        .waitFor(selectorOf('SmtpProxyAppTlsFailing critical'), undefined, LIMIT_MS)
        .finally(() => (tries = false))
      while (tries) await Promise.all([failTls(proxy.port, STRANGER), pause(500)])
      await raised
    },
  },
  {
    name: 'AhaSend refuses RSET, which only the probe sends',
    raises: ['SmtpProxyProbeFailing critical'],
    happens: async ({ simulator }) => simulator.faults.set('451-at-rset'),
  },
  {
    name: 'AhaSend refuses the recipient of the probe',
    raises: ['SmtpProxyProbeFailing warning'],
    happens: async ({ simulator }) => simulator.faults.set('550-at-rcpt'),
  },
  {
    name: 'the probe disappears',
    raises: ['SmtpProxyProbeAbsent warning'],
    happens: async ({ probe }) => void (await probe.stop('SIGKILL')),
  },
  {
    name: 'a proxy without free file descriptors',
    raises: ['SmtpProxyOutOfResources critical', 'SmtpProxyOutOfResources warning'],
    happens: async ({ proxy }) => {
      // in quick succession: the rule's five minutes take five seconds here
      assert.equal((await exhaustDescriptors(proxy, 8)).length, 8)
    },
  },
  {
    name: 'the last proxy dies',
    raises: ['SmtpProxyDown critical'],
    happens: async ({ proxy }) => void (await proxy.stop('SIGKILL')),
  },
]

/** Alerts that must not fire here, with the reason. The scenarios test their rules. */
export const SILENT: Readonly<Partial<Record<Raised, string>>> = {
  'AhaSendConnectionLimit info': 'no connection carries 9,000 messages',
  'SmtpProxyAbsent critical': 'Prometheus keeps the samples of a removed target for five minutes',
  'SmtpProxyRestarting warning': 'a restart of the same process needs a supervisor',
  'SmtpProxyObserverFailing warning': 'a failing observer would be a bug',
  'SmtpProxyAlertsNotDelivered warning':
    'there is no Alertmanager: see test/dashboards/alertmanager/undelivered.test.ts',
  'SmtpProxyMetricsOverflowing warning': 'labels come from closed sets, which are smaller than the limits',
}

/** Sends a message on its own connection, whatever its outcome. */
async function sendOne(proxy: ProxyProcess, content: Parameters<typeof mail>[0]): Promise<void> {
  const client = await connectClient({ port: proxy.port, limitMs: 20_000 })
  await client.readReply()
  await send(client, ['EHLO app.example', AUTH_PLAIN, ...mail(content)])
  client.destroy()
}

/** Sends a message to `count` recipients. */
async function sendToMany(proxy: ProxyProcess, count: number): Promise<void> {
  const [client] = await loggedIn(proxy, 1)
  const [from = '', , ...rest] = mail()
  await ask(client!, from)
  for (let n = 0; n < count; n += 1) await ask(client!, `RCPT TO:<reader-${n}@example.net>`)
  await send(client!, rest)
  client!.destroy()
}

/** The series that an alert has in Prometheus while it is pending or firing. */
export function selectorOf(alert: Raised): string {
  const [name, severity] = alert.split(' ')
  return `ALERTS{alertname="${name}", severity="${severity}"}`
}
