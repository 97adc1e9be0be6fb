/** A real Alertmanager on the loopback interface, and a webhook that receives its notifications. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import { alertmanagerConfig } from '../../../dashboards/alertmanager/alertmanager.ts'
import { readNotifications } from '../../../dashboards/alertmanager/settings.ts'
import type { AlertName } from '../../../dashboards/alerts/alert.ts'
import { temporaryDirectory } from '../files/temporary-files.ts'
import { missing } from '../programs/programs.ts'
import { startProgram } from '../programs/running-program.ts'
import { listenOnLoopback } from '../sockets/listen.ts'
import { Arrivals } from '../waiting/arrivals.ts'

export type Labels = Readonly<Record<string, string>>
export type Env = Readonly<Record<string, string>>

/** Alertmanager's configuration for these settings. */
export function configFor(env: Env) {
  const read = readNotifications(env)
  assert.ok('notifications' in read)
  return alertmanagerConfig(read.notifications)
}

/** An alert in a webhook call. */
export interface NotifiedAlert {
  readonly status: 'firing' | 'resolved'
  readonly labels: Labels
  readonly annotations: Labels
}

/** One call of the webhook. */
export interface Call {
  /** The time of `performance.now()`, in milliseconds. */
  readonly at: number
  readonly receiver: string
  readonly status: 'firing' | 'resolved'
  readonly alerts: readonly NotifiedAlert[]
}

export interface Webhook extends AsyncDisposable {
  readonly url: string
  readonly calls: Calls
}

/** The calls of a webhook. */
export type Calls = Arrivals<Call>

/** A call that has just arrived. `body` is what Alertmanager sent. */
export function calledNow(body: Omit<Call, 'at'>): Call {
  return { at: performance.now(), ...body }
}

/** The same configuration without waiting for a batch: Alertmanager notifies after 1 s. */
export function atOnce(config: ReturnType<typeof configFor>): string {
  return JSON.stringify(config).replaceAll(/"(group_wait|group_interval)":"[^"]*"/g, '"$1":"1s"')
}

/** Accepts calls that contain an alert of this name. */
export function hasAlert(alertname: AlertName) {
  return ({ alerts }: Call) => alerts.some(({ labels }) => labels.alertname === alertname)
}

/** The only alert of a call, without the annotations that differ between runs. */
export function onlyAlertOf({ receiver, status, alerts }: Call) {
  assert.equal(alerts.length, 1, JSON.stringify(alerts))
  const { labels, annotations } = alerts[0]!
  const { description, runbook_url, dashboard_url } = annotations
  assert.ok(runbook_url?.endsWith(`/dashboards/runbooks/${labels.alertname}.md`))
  assert.match(`${dashboard_url}`, /^http:\/\/localhost:300[01]\/d\/ahasend-[a-z-]+\?viewPanel=\d+$/)
  return { receiver, status, labels, description }
}

const PAGED = { receiver: 'page', status: 'firing' }

/** Asserts that a call pages for one 521 from this server to billing, and for nothing else. */
export function assertPagesForOne521(call: Call, server: string): void {
  assert.deepEqual(onlyAlertOf(call), {
    ...PAGED,
    labels: { ...labelsOf('AhaSendAccountDisabled', server), smtp_client_name: 'billing' },
    description:
      `${server} answered 521 to billing 1 times in the last hour. AhaSend accepts no mail from this account until the ` +
      'account is restored, and apps do not retry after a 521. The account is suspended, out of credits or paused. ' +
      'AhaSend pauses an account for too many recent bounces, forbidden content, a high spam score, a violation of the ' +
      'terms of service or a manual review; a parent account can also pause it. ' +
      "Only AhaSend's support or the parent account can lift a pause.",
  })
}

/** Asserts that a call pages because this server sheds load, and for nothing else. */
export function assertPagesForLoadShedding(call: Call, server: string): void {
  const { description, ...rest } = onlyAlertOf(call)
  assert.deepEqual(rest, { ...PAGED, labels: labelsOf('AhaSendLoadShedding', server) })
  const [, said, share] = /^(\S+) refused ([\d.]+)% of new connections with 421\./.exec(`${description}`) ?? []
  assert.ok(said === server && Number(share) > 0, description)
}

function labelsOf(alertname: AlertName, server: string): Labels {
  return { alertname, severity: 'critical', job: 'ahasend-smtp-proxy', server_address: server }
}

/** Prints the time from the injected fault to the webhook call in the output of the test. */
export function reportTime(context: TestContext, what: string, from: number, { at }: Call): void {
  context.diagnostic(`${what}: ${((at - from) / 1000).toFixed(1)} s from injection to webhook`)
}

/** Starts a webhook on a free port. */
export async function startWebhook(): Promise<Webhook> {
  const calls = new Arrivals<Call>()
  const server = createServer(async (request, response) => {
    calls.add(calledNow((await json(request)) as Omit<Call, 'at'>))
    response.end()
  })
  const port = await listenOnLoopback(server)
  const dispose = async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
  return { url: `http://127.0.0.1:${port}/`, calls, [Symbol.asyncDispose]: dispose }
}

/** An alert in Alertmanager's list. */
export interface KnownAlert {
  readonly labels: Labels
  readonly status: { readonly state: 'active' | 'suppressed' | 'unprocessed'; readonly inhibitedBy: readonly string[] }
}

/** An alert that Prometheus posts. It resolves at `endsAt`, an ISO date. */
export interface PostedAlert {
  readonly labels: Labels
  readonly annotations?: Labels
  readonly endsAt?: string
}

export interface Alertmanager {
  /** `127.0.0.1:port` */
  readonly address: string
  /** Posts alerts with these labels that fire from now on. */
  fire(alerts: readonly Labels[]): Promise<void>
  /** Posts alerts as Prometheus does. */
  post(alerts: readonly PostedAlert[]): Promise<void>
  /** All alerts, including inhibited ones. */
  alerts(): Promise<readonly KnownAlert[]>
  [Symbol.asyncDispose](): Promise<void>
}

/** Why Alertmanager cannot run, and how to fix that; undefined when it can. */
export function alertmanagerMissing(): string | undefined {
  return missing('alertmanager')
}

/** Starts Alertmanager on a free port. Throws when it is not built or refuses the configuration. */
export async function startAlertmanager(config: string): Promise<Alertmanager> {
  const { path: directory, remove } = temporaryDirectory('alertmanager-')
  writeFileSync(join(directory, 'alertmanager.yml'), config)
  const program = startProgram('alertmanager', [
    `--config.file=${join(directory, 'alertmanager.yml')}`,
    `--storage.path=${join(directory, 'data')}`,
    '--web.listen-address=127.0.0.1:0',
    '--cluster.listen-address=',
    '--log.format=json',
  ])
  const stop = async () => {
    await program.stop()
    remove()
  }
  try {
    const { address } = await program.line('Listening on')
    return { ...asked(`http://${address}/api/v2/alerts`), address: String(address), [Symbol.asyncDispose]: stop }
  } catch (error) {
    await stop()
    throw error
  }
}

function asked(url: string): Pick<Alertmanager, 'fire' | 'post' | 'alerts'> {
  const post = async (alerts: readonly PostedAlert[]) => {
    const body = JSON.stringify(alerts)
    const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    if (!response.ok) throw new Error(`Alertmanager answered ${response.status}: ${await response.text()}`)
  }
  return {
    post,
    fire: (alerts) => post(alerts.map((labels) => ({ labels }))),
    async alerts() {
      const response = await fetch(url)
      return (await response.json()) as KnownAlert[]
    },
  }
}
