/** The notifications in Slack, email and PagerDuty, as a real Alertmanager sends them. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json, text } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { SMTPServer } from 'smtp-server'
import type { AlertName } from '../../../dashboards/alerts/alert.ts'
import {
  alertmanagerMissing,
  atOnce,
  configFor,
  type Labels,
  type PostedAlert,
  startAlertmanager,
} from '../../support/monitoring/alertmanager.ts'
import { unless } from '../../support/programs/programs.ts'
import { Arrivals } from '../../support/waiting/arrivals.ts'

const LIMIT_MS = 30_000

interface SlackMessage {
  readonly attachments: readonly {
    readonly title: string
    readonly title_link: string
    readonly fallback: string
    readonly text: string
  }[]
}

interface Incident {
  readonly dedup_key: string
  readonly event_action: string
  readonly client_url: string
  readonly links: readonly { readonly text: string; readonly href: string }[]
}

/** Slack, PagerDuty and a mail server on the loopback interface. */
class Receivers implements AsyncDisposable {
  readonly slack = new Arrivals<SlackMessage>()
  readonly incidents = new Arrivals<Incident>()
  readonly emails = new Arrivals<string>()
  readonly #http = createServer(async (request, response) => {
    const body: unknown = await json(request)
    if (request.url === '/slack') this.slack.add(body as SlackMessage)
    else this.incidents.add(body as Incident)
    response.writeHead(request.url === '/slack' ? 200 : 202).end('ok')
  })
  readonly #smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    onData: (stream, _, done) => void text(stream).then((mail) => this.#came(mail, done)),
  })

  #came(mail: string, done: () => void): void {
    this.emails.add(mail)
    done()
  }

  /** Starts the servers and returns the settings that select them. */
  async start(): Promise<{ readonly env: Labels; readonly pagerduty: string }> {
    this.#http.listen(0, '127.0.0.1')
    const smtp = this.#smtp.listen(0, '127.0.0.1')
    await Promise.all([once(this.#http, 'listening'), once(smtp, 'listening')])
    const [http, mail] = [this.#http.address(), smtp.address()] as [AddressInfo, AddressInfo]
    return {
      pagerduty: `http://127.0.0.1:${http.port}/pagerduty`,
      env: {
        ALERT_SLACK_URL: `http://127.0.0.1:${http.port}/slack`,
        ALERT_PAGERDUTY_KEY: 'key',
        ALERT_EMAIL_TO: 'ops@example.com',
        ALERT_EMAIL_FROM: 'alerts@example.com',
        ALERT_EMAIL_SMARTHOST: `127.0.0.1:${mail.port}`,
        ALERT_EMAIL_TLS: 'off',
      },
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#http.closeAllConnections()
    this.#http.close()
    await new Promise<void>((resolve) => this.#smtp.close(resolve))
  }
}

/** The generated configuration, without waiting times and with our PagerDuty. */
function configWith(config: ReturnType<typeof configFor>, pagerduty: string): string {
  return atOnce(config).replaceAll('"routing_key"', `"url":${JSON.stringify(pagerduty)},"routing_key"`)
}

async function stage(stack: AsyncDisposableStack) {
  const receivers = stack.use(new Receivers())
  const { env, pagerduty } = await receivers.start()
  const alertmanager = stack.use(await startAlertmanager(configWith(configFor(env), pagerduty)))
  return { receivers, alertmanager }
}

function alert(alertname: AlertName, labels: Labels): PostedAlert {
  return {
    labels: { alertname, severity: 'critical', job: 'ahasend-smtp-proxy', ...labels },
    annotations: {
      summary: 'This & that is wrong.',
      description: `What happened at ${Object.values(labels).join(' ')}.`,
      runbook_url: `https://runbooks.example/${alertname}.md`,
      dashboard_url: 'https://grafana.example/d/ahasend-proxy?viewPanel=4',
    },
  }
}

function resolved(one: PostedAlert): PostedAlert {
  return { ...one, endsAt: new Date(Date.now() - 1000).toISOString() }
}

/** The text of a message in quoted-printable encoding. */
function decoded(mail: string): string {
  const bytes = mail
    .replaceAll(/=\r?\n/g, '')
    .replaceAll(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)))
  return bytes.replaceAll('\r\n', '\n')
}

const ONE = alert('SmtpProxyCertificateExpiring', { instance: 'one:9464' })
const TWO = alert('SmtpProxyCertificateExpiring', { instance: 'two:9464' })
const RUNBOOK = 'https://runbooks.example/SmtpProxyCertificateExpiring.md'
const DASHBOARD = 'https://grafana.example/d/ahasend-proxy?viewPanel=4'

describe('for two alerts, of which one resolves', { ...unless(alertmanagerMissing()), concurrency: false }, () => {
  test('Slack shows which alert fires, with links, and which is resolved', async () => {
    await using stack = new AsyncDisposableStack()
    const { receivers, alertmanager } = await stage(stack)
    await alertmanager.post([ONE, TWO])
    const [first] = (await receivers.slack.after(0, LIMIT_MS)).attachments
    assert.deepEqual(
      [first?.title, first?.title_link, first?.fallback],
      ['critical: This & that is wrong.', DASHBOARD, 'critical: This & that is wrong.'],
    )
    const links = `<${RUNBOOK}|Runbook> <${DASHBOARD}|Dashboard>`
    assert.equal(first?.text.trim(), `What happened at one:9464.\n${links}\nWhat happened at two:9464.\n${links}`)
    await alertmanager.post([resolved(ONE)])
    const [then] = (await receivers.slack.after(1, LIMIT_MS)).attachments
    assert.equal(then?.text.trim(), `What happened at two:9464.\n${links}\nResolved: What happened at one:9464.`)
    await alertmanager.post([resolved(TWO)])
    const [last] = (await receivers.slack.after(2, LIMIT_MS)).attachments
    assert.equal(last?.title, 'resolved: This & that is wrong.')
    assert.equal(last?.text.trim(), 'Resolved: What happened at two:9464.')
  })

  test('an email shows it as text and as HTML, without links to Alertmanager', async () => {
    await using stack = new AsyncDisposableStack()
    const { receivers, alertmanager } = await stage(stack)
    await alertmanager.post([ONE, TWO])
    await receivers.emails.after(0, LIMIT_MS)
    await alertmanager.post([resolved(ONE)])
    const mail = decoded(await receivers.emails.after(1, LIMIT_MS))
    assert.match(mail, /^Subject: critical: This & that is wrong\.$/m)
    assert.ok(mail.includes(`\nWhat happened at two:9464.\nRunbook: ${RUNBOOK}\nDashboard: ${DASHBOARD}\n`), mail)
    assert.ok(mail.includes('\nResolved: What happened at one:9464.\n'), mail)
    assert.ok(mail.includes('<b>critical: This &amp; that is wrong.</b>'), mail)
    assert.ok(mail.includes(`<a href="${RUNBOOK}">Runbook</a> <a href="${DASHBOARD}">Dashboard</a>`), mail)
    const urls = mail.match(/https?:\/\/[^\s"<]+/g) ?? []
    assert.deepEqual([...new Set(urls)].sort(), [DASHBOARD, RUNBOOK])
  })

  test('PagerDuty gets one incident for each app with refused credentials, and one for all instances', async () => {
    await using stack = new AsyncDisposableStack()
    const { receivers, alertmanager } = await stage(stack)
    const apps = ['billing', 'web'].map((smtp_client_name) => alert('AhaSendCredentialsRejected', { smtp_client_name }))
    await alertmanager.post([...apps, ONE, TWO])
    await receivers.incidents.after(2, LIMIT_MS)
    await pause(1500)
    assert.equal(receivers.incidents.all.length, 3)
    assert.equal(new Set(receivers.incidents.all.map(({ dedup_key }) => dedup_key)).size, 3)
    for (const { event_action, client_url, links } of receivers.incidents.all) {
      assert.deepEqual([event_action, client_url], ['trigger', DASHBOARD])
      assert.equal(links[1]?.href, DASHBOARD)
    }
  })
})
