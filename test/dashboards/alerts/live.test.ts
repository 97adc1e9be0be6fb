/**
 * Every alert for real: what a button on the page of faults does, or a test where there is no button, is what its rule
 * sees in a real Prometheus that scrapes a real proxy. The rules' minutes are seconds; nothing else about them is changed.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { AlertName, Severity } from '../../../dashboards/alerts/alert.ts'
import { rulesOf } from '../../../dashboards/alerts/alerts.ts'
import { prometheusRules } from '../../../dashboards/generate/alert-files.ts'
import { AUTH_PLAIN, ask, mail, send } from '../../simulator/client.ts'
import { REHEARSALS, rehearse } from '../../simulator/rehearsals.ts'
import { type Simulator, startSimulator } from '../../simulator/simulator.ts'
import { App } from '../../support/alert-stage.ts'
import { makeAuthority, writeTemporaryFiles } from '../../support/certificates.ts'
import { selectorsIn } from '../../support/dashboards.ts'
import { exhaustDescriptors } from '../../support/open-files.ts'
import { connectClient } from '../../support/peers.ts'
import { unless } from '../../support/programs.ts'
import { type Labels, type Prometheus, prometheusMissing, startPrometheus } from '../../support/prometheus.ts'
import type { ProxyProcess } from '../../support/proxy-process.ts'
import { enterTls, failTls, idleUntilClosed, loggedIn, startBefore } from '../../support/running-proxy.ts'

type Wanted = `${AlertName} ${Severity}`

const SCALE = 1 / 60
const JOB = 'ahasend-smtp-proxy'
const DAY_MS = 86_400_000
/** The address of an application that PROXY_CLIENTS does not name: it sends no mail. */
const STRANGER = '127.0.0.2'
/** Nobody listens on it. */
const DEAD_PORT = 1
const MOST_SESSIONS = 150
/** From here the proxy expects PROXY headers. */
const BALANCER = '127.0.0.9'
const LIMIT_MS = 60_000

interface Stage {
  readonly simulator: Simulator
  readonly proxy: ProxyProcess
  readonly prometheus: Prometheus
}

/** Mail flows, certificates end tomorrow, spans get lost, and of two proxies one is dead. */
async function startStage(stack: AsyncDisposableStack): Promise<Stage> {
  const authority = await makeAuthority()
  const certificate = await authority.issue({ notAfter: new Date(Date.now() + DAY_MS) })
  const files = writeTemporaryFiles({ 'tls.crt': certificate.certPem, 'tls.key': certificate.keyPem })
  stack.defer(() => files.remove())
  const simulator = stack.use(await startSimulator({ authority, certificate }))
  const proxy = stack.use(
    await startBefore(simulator, {
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
  const targets = [proxy.adminPort, DEAD_PORT].map((port) => ({ job: JOB, url: `http://127.0.0.1:${port}/metrics` }))
  const prometheus = stack.use(await startPrometheus({ targets, rules: prometheusRules({ timeScale: SCALE }) }))
  stack.use(new App(proxy, 400))
  const accepted = 'smtp_proxy_transactions_total{smtp_transaction_outcome="accepted"}'
  await prometheus.waitFor(`sum(${accepted}) > 20 and sum(${accepted} offset 6s) > 0`)
  await enterTls(proxy.port, STRANGER)
  return { simulator, proxy, prometheus }
}

/** What is wrong from the beginning, without anybody pressing anything. */
const FROM_THE_START: readonly Wanted[] = [
  'AhaSendCertificateExpiring critical',
  'AhaSendCertificateExpiring warning',
  'SmtpProxyCertificateExpiring critical',
  'SmtpProxyCertificateExpiring warning',
  'SmtpProxyTelemetryLost warning',
  'SmtpProxyDown warning',
  'SmtpProxyWatchdog none',
]

/** What each button of the page of faults raises, and how soon does not matter. */
const BUTTONS: Readonly<Record<string, readonly Wanted[]>> = {
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

/** What else applications have to do while a button is in force. */
const BESIDES: Readonly<Record<string, (stage: Stage) => Promise<void>>> = {
  'slow-replies': async ({ proxy }) => {
    await Promise.all(Array.from({ length: 20 }, () => oneMail(proxy, {})))
  },
  'idle-disconnects': async ({ proxy, prometheus }) => {
    const idle = 'sum(smtp_proxy_replies_total{smtp_reply_cause="idle_timeout"})'
    for (const total of [100, 200, 300, 400, 500]) {
      await idleUntilClosed(proxy.port, 100)
      await prometheus.waitFor(`${idle} >= ${total}`)
    }
  },
}

/** What no button does. */
const INCIDENTS: readonly {
  readonly name: string
  readonly raises: readonly Wanted[]
  readonly happens: (stage: Stage) => Promise<void>
}[] = [
  {
    // later than the sum of all failures looks back for an alert that named the reason
    name: 'logins that AhaSend puts off',
    raises: ['SmtpProxyErrorBudgetBurning critical'],
    happens: async ({ simulator }) => simulator.faults.set('454-at-auth'),
  },
  {
    name: 'sessions that end without a word',
    raises: ['AhaSendDroppingSessions critical'],
    happens: async ({ simulator }) => simulator.faults.set('close-at-ehlo'),
  },
  {
    name: 'a mail of 17 MiB',
    raises: ['AhaSendMessageSizeLimit info'],
    happens: ({ proxy }) =>
      oneMail(proxy, { body: `Subject: large\r\n\r\n${`${'x'.repeat(998)}\r\n`.repeat(17_800)}` }),
  },
  {
    name: 'a mail that is too big',
    raises: ['AhaSendMessageSizeLimit warning'],
    happens: async ({ proxy, simulator }) => {
      simulator.faults.set('552-at-end-of-message', { text: '5.3.4 message too big', times: 1 })
      await oneMail(proxy, {})
    },
  },
  {
    name: 'mails for 45 and for 51 recipients',
    raises: ['AhaSendRecipientLimit info', 'AhaSendRecipientLimit warning'],
    happens: async ({ proxy }) => {
      await toMany(proxy, 45)
      await toMany(proxy, 51)
    },
  },
  {
    name: 'a connection that has carried too much',
    raises: ['AhaSendConnectionLimit warning'],
    happens: async ({ proxy, simulator }) => {
      simulator.faults.set('421-at-rcpt', { text: '4.5.3 too many recipients on this connection', times: 1 })
      await oneMail(proxy, {})
    },
  },
  {
    name: 'a mail that is queued for some of its recipients',
    raises: ['AhaSendPartiallyQueued warning'],
    happens: async ({ proxy, simulator }) => {
      simulator.faults.set('250-at-end-of-message', { text: `PARTIAL ids=${'0'.repeat(32)}`, times: 1 })
      await oneMail(proxy, {})
    },
  },
  {
    name: 'sessions that nobody understands',
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
    name: 'an application that cannot enter TLS any more',
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
    name: 'a proxy that has no file descriptor left',
    raises: ['SmtpProxyOutOfResources critical', 'SmtpProxyOutOfResources warning'],
    happens: async ({ proxy }) => {
      // soon after each other: the rule's five minutes are five seconds here
      assert.equal((await exhaustDescriptors(proxy, 8)).length, 8)
    },
  },
  {
    name: 'the last proxy dies',
    raises: ['SmtpProxyDown critical'],
    happens: async ({ proxy }) => void (await proxy.stop('SIGKILL')),
  },
]

/** What must not be seen here, and why. promtool shows that the rules work: test/alerts/. */
const SILENT: Readonly<Partial<Record<Wanted, string>>> = {
  'AhaSendConnectionLimit info': 'no connection carried 9,000 mails',
  'SmtpProxyAbsent critical': 'what is not looked for any more is remembered for five minutes',
  'SmtpProxyRestarting warning': 'a restart of the same process takes a supervisor',
  'SmtpProxyObserverFailing warning': 'a failing observer would be a bug',
  'SmtpProxyAlertsNotDelivered warning': 'there is no Alertmanager: see alerts-undelivered.test.ts',
  'SmtpProxyMetricsOverflowing warning': 'labels come from closed sets, which are smaller than the limits',
}

/** A mail on a connection of its own, to whatever end. */
async function oneMail(proxy: ProxyProcess, content: Parameters<typeof mail>[0]): Promise<void> {
  const client = await connectClient({ port: proxy.port, limitMs: 20_000 })
  await client.readReply()
  await send(client, ['EHLO app.example', AUTH_PLAIN, ...mail(content)])
  client.destroy()
}

async function toMany(proxy: ProxyProcess, count: number): Promise<void> {
  const [client] = await loggedIn(proxy, 1)
  const [from = '', , ...rest] = mail()
  await ask(client!, from)
  for (let n = 0; n < count; n += 1) await ask(client!, `RCPT TO:<reader-${n}@example.net>`)
  await send(client!, rest)
  client!.destroy()
}

function nameOf({ alertname, severity }: Labels): Wanted {
  return `${alertname} ${severity}` as Wanted
}

function selectorOf(wanted: Wanted): string {
  const [name, severity] = wanted.split(' ')
  return `ALERTS{alertname="${name}", severity="${severity}"}`
}

/** What was raised so far. Pending counts, but not of what rules that are evaluated before the first scrape take for absent. */
async function raisedIn({ prometheus }: Stage): Promise<Set<Wanted>> {
  const selectors = ['ALERTS{alertname!="SmtpProxyAbsent"}', 'ALERTS{alertstate="firing"}']
  const found = await Promise.all(selectors.map((selector) => prometheus.series(selector)))
  return new Set(found.flat().map(nameOf))
}

describe('every alert', unless(prometheusMissing()), () => {
  const stack = new AsyncDisposableStack()
  let stage: Stage

  before(async () => {
    stage = await startStage(stack)
  })

  after(() => stack.disposeAsync())

  const isQuiet = (wanted: Wanted) =>
    stage.prometheus.waitFor(selectorOf(wanted), ({ length }) => length === 0, LIMIT_MS)
  const isRaised = (wanted: Wanted) => stage.prometheus.waitFor(selectorOf(wanted), undefined, LIMIT_MS)

  for (const wanted of FROM_THE_START)
    test(`${wanted} is raised from the beginning`, async () => {
      await isRaised(wanted)
    })

  test('while all is well, nothing else is', async () => {
    const raised = await raisedIn(stage)
    // a scrape that takes too long, as on a slow machine, is one that fails
    raised.delete('SmtpProxyDown critical')
    assert.deepEqual(raised, new Set(FROM_THE_START))
  })

  for (const [id, raises] of Object.entries(BUTTONS))
    test(`the button ${id} raises ${raises.join(', ') || 'nothing'}`, async () => {
      const { simulator } = stage
      for (const wanted of raises) await isQuiet(wanted)
      assert.ok(rehearse(id, simulator.faults))
      await BESIDES[id]?.(stage)
      for (const wanted of raises) await isRaised(wanted)
      rehearse('all-well', simulator.faults)
    })

  test('no button makes sessions end without a word, neither unreachable nor idle ones', async () => {
    assert.deepEqual(await stage.prometheus.series('ALERTS{alertname="AhaSendDroppingSessions"}'), [])
  })

  for (const { name, raises, happens } of INCIDENTS)
    test(`${name}: ${raises.join(', ')}`, async () => {
      for (const wanted of raises) await isQuiet(wanted)
      await happens(stage)
      for (const wanted of raises) await isRaised(wanted)
      rehearse('all-well', stage.simulator.faults)
    })

  test('the alerts that rules look for have fired', async () => {
    const selectors = rulesOf().alerts.flatMap(({ expr }) => selectorsIn(expr).filter(({ name }) => name === 'ALERTS'))
    assert.notEqual(selectors.length, 0)
    for (const { name, conditions } of selectors)
      assert.notDeepEqual(await stage.prometheus.series(`${name}{${conditions}}`), [], conditions)
  })

  test('nothing else was raised', async () => {
    assert.deepEqual(
      [...(await raisedIn(stage))].filter((wanted) => SILENT[wanted] !== undefined),
      [],
    )
  })
})

test('the page of faults has no button beside these', () => {
  assert.deepEqual(REHEARSALS.map(({ id }) => id).sort(), Object.keys(BUTTONS).sort())
})

test('no alert is left out', () => {
  const tried = [...FROM_THE_START, ...Object.values(BUTTONS).flat(), ...INCIDENTS.flatMap(({ raises }) => raises)]
  const all = rulesOf().alerts.map(({ name, severity }): Wanted => `${name} ${severity}`)
  assert.deepEqual([...new Set([...tried, ...(Object.keys(SILENT) as Wanted[])])].sort(), all.sort())
})
