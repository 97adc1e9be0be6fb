/** A real Alertmanager on the loopback interface, and a webhook that it calls. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import { alertmanagerConfig } from '../../../dashboards/alertmanager/alertmanager.ts'
import { readNotifications } from '../../../dashboards/alertmanager/settings.ts'
import type { AlertName } from '../../../dashboards/alerts/alert.ts'
import { missing } from '../programs/programs.ts'
import { startProgram } from '../programs/running-program.ts'

export type Labels = Readonly<Record<string, string>>
export type Env = Readonly<Record<string, string>>

/** Alertmanager's configuration for somebody. */
export function configFor(env: Env) {
  const read = readNotifications(env)
  assert.ok('notifications' in read)
  return alertmanagerConfig(read.notifications)
}

/** An alert as a webhook is told of it. */
export interface ToldAlert {
  readonly status: 'firing' | 'resolved'
  readonly labels: Labels
  readonly annotations: Labels
}

/** One call of the webhook. */
export interface Call {
  /** Milliseconds, as `performance.now()`. */
  readonly at: number
  readonly receiver: string
  readonly status: 'firing' | 'resolved'
  readonly alerts: readonly ToldAlert[]
}

export interface Webhook extends AsyncDisposable {
  readonly url: string
  readonly calls: Calls
}

/** What comes to somebody who is told, one after the other. */
export class Arrivals<Item> {
  readonly #items: Item[] = []
  readonly #waiting = new Set<() => void>()

  came(item: Item): void {
    this.#items.push(item)
    for (const look of this.#waiting) look()
  }

  /** All so far; it grows. */
  get all(): readonly Item[] {
    return this.#items
  }

  /** The first one, past or future, that `wanted` accepts. Rejects after `limitMs`. */
  first(wanted: (item: Item) => boolean, limitMs: number): Promise<Item> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(look)
        reject(new Error(`nobody was told so within ${limitMs} ms, but: ${JSON.stringify(this.#items)}`))
      }, limitMs)
      const look = () => {
        const found = this.#items.find(wanted)
        if (found === undefined) return
        clearTimeout(timer)
        this.#waiting.delete(look)
        resolve(found)
      }
      this.#waiting.add(look)
      look()
    })
  }

  /** The one after so many others, past or future. Rejects after `limitMs`. */
  after(others: number, limitMs: number): Promise<Item> {
    return this.first((item) => item === this.#items[others], limitMs)
  }
}

/** What a webhook was told. */
export type Calls = Arrivals<Call>

/** A call that has come just now; `body` is what Alertmanager sent. */
export function calledNow(body: Omit<Call, 'at'>): Call {
  return { at: performance.now(), ...body }
}

/** The configuration that is written, but that Alertmanager waits for no company. */
export function atOnce(config: ReturnType<typeof configFor>): string {
  return JSON.stringify(config).replaceAll(/"(group_wait|group_interval)":"[^"]*"/g, '"$1":"1s"')
}

/** Calls that tell of an alert of this name. */
export function tells(alertname: AlertName) {
  return ({ alerts }: Call) => alerts.some(({ labels }) => labels.alertname === alertname)
}

/** The one alert of a call, without what Prometheus or the rule says each time. */
export function onlyAlertOf({ receiver, status, alerts }: Call) {
  assert.equal(alerts.length, 1, JSON.stringify(alerts))
  const { labels, annotations } = alerts[0]!
  const { description, runbook_url, dashboard_url } = annotations
  assert.ok(runbook_url?.endsWith(`/dashboards/runbooks/${labels.alertname}.md`))
  assert.match(`${dashboard_url}`, /^http:\/\/localhost:300[01]\/d\/ahasend-[a-z-]+\?viewPanel=\d+$/)
  return { receiver, status, labels, description }
}

const PAGED = { receiver: 'page', status: 'firing' }

/** That a call pages for one 521 of this server, given to billing, and for nothing else. */
export function assertTellsOfOne521(call: Call, server: string): void {
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

/** That a call pages because this server sheds load, and for nothing else. */
export function assertTellsOfLoadShedding(call: Call, server: string): void {
  const { description, ...rest } = onlyAlertOf(call)
  assert.deepEqual(rest, { ...PAGED, labels: labelsOf('AhaSendLoadShedding', server) })
  const [, said, share] = /^(\S+) refused ([\d.]+)% of new connections with 421\./.exec(`${description}`) ?? []
  assert.ok(said === server && Number(share) > 0, description)
}

function labelsOf(alertname: AlertName, server: string): Labels {
  return { alertname, severity: 'critical', job: 'ahasend-smtp-proxy', server_address: server }
}

/** Says how many seconds it took, for those who read the output of a test. */
export function sayTime(context: TestContext, what: string, from: number, { at }: Call): void {
  context.diagnostic(`${what}: ${((at - from) / 1000).toFixed(1)} s from injection to webhook`)
}

export async function startWebhook(): Promise<Webhook> {
  const calls = new Arrivals<Call>()
  const server = createServer(async (request, response) => {
    calls.came(calledNow((await json(request)) as Omit<Call, 'at'>))
    response.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const dispose = async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/`, calls, [Symbol.asyncDispose]: dispose }
}

/** An alert as Alertmanager knows it. */
export interface KnownAlert {
  readonly labels: Labels
  readonly status: { readonly state: 'active' | 'suppressed' | 'unprocessed'; readonly inhibitedBy: readonly string[] }
}

/** An alert as Prometheus tells it. It is over from `endsAt` on, an ISO date. */
export interface PostedAlert {
  readonly labels: Labels
  readonly annotations?: Labels
  readonly endsAt?: string
}

export interface Alertmanager {
  /** `127.0.0.1:port` */
  readonly address: string
  /** Tells it that alerts with these labels fire from now on. */
  fire(alerts: readonly Labels[]): Promise<void>
  /** Tells it of alerts as Prometheus does. */
  tell(alerts: readonly PostedAlert[]): Promise<void>
  /** What it knows; inhibited alerts too. */
  alerts(): Promise<readonly KnownAlert[]>
  [Symbol.asyncDispose](): Promise<void>
}

/** Why there can be no Alertmanager, and what would help; undefined when there can. */
export function alertmanagerMissing(): string | undefined {
  return missing('alertmanager')
}

/** Starts Alertmanager on a free port with the text of a configuration. Throws when it is not built or refuses it. */
export async function startAlertmanager(config: string): Promise<Alertmanager> {
  const directory = mkdtempSync(join(tmpdir(), 'alertmanager-'))
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
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    const { address } = await program.line('Listening on')
    return { ...asked(`http://${address}/api/v2/alerts`), address: String(address), [Symbol.asyncDispose]: stop }
  } catch (error) {
    await stop()
    throw error
  }
}

function asked(url: string): Pick<Alertmanager, 'fire' | 'tell' | 'alerts'> {
  const tell = async (alerts: readonly PostedAlert[]) => {
    const body = JSON.stringify(alerts)
    const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    if (!response.ok) throw new Error(`Alertmanager answered ${response.status}: ${await response.text()}`)
  }
  return {
    tell,
    fire: (alerts) => tell(alerts.map((labels) => ({ labels }))),
    async alerts() {
      const response = await fetch(url)
      return (await response.json()) as KnownAlert[]
    },
  }
}
