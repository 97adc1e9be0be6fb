/** The real path from a refused message to a notification: apps, the proxy, Prometheus, Alertmanager and a webhook. */
import { setTimeout as pause } from 'node:timers/promises'
import { alertmanagerConfig } from '../../../dashboards/alertmanager/alertmanager.ts'
import { readNotifications } from '../../../dashboards/alertmanager/settings.ts'
import { prometheusRules } from '../../../dashboards/generate/alert-files.ts'
import { AUTH_PLAIN, ask, mail } from '../../simulator/client.ts'
import { type Simulator, startSimulator } from '../../simulator/simulator.ts'
import type { ProxyProcess } from '../processes/proxy-process.ts'
import { startBefore } from '../processes/running-proxy.ts'
import { connectClient } from '../sockets/scripted-peers.ts'
import {
  type Alertmanager,
  alertmanagerMissing,
  startAlertmanager,
  startWebhook,
  type Webhook,
} from './alertmanager.ts'
import { type Prometheus, prometheusMissing, startPrometheus } from './prometheus.ts'

export const JOB = 'ahasend-smtp-proxy'

/** Nothing is preconnected, so that a fault affects the next connection. */
const SETTINGS = { PROXY_CLIENTS: 'billing=127.0.0.1', PROXY_WARM_CONNECTIONS: '0' }

export interface AlertStage extends AsyncDisposable {
  readonly simulator: Simulator
  readonly proxy: ProxyProcess
  readonly prometheus: Prometheus
  readonly alertmanager: Alertmanager
  readonly webhook: Webhook
}

export interface AlertStageOptions {
  /** A factor for the windows and delays of all rules. Default 1. */
  readonly timeScale?: number
  /** The interval of scrapes and of rule evaluations, in milliseconds. */
  readonly everyMs: number
}

/** Why the stage cannot start, and how to fix that; undefined when it can. */
export function stageMissing(): string | undefined {
  return prometheusMissing() ?? alertmanagerMissing()
}

/** Starts all parts. The app's name is billing. Notifications go to a webhook, as with ALERT_WEBHOOK_URL. */
export async function startAlertStage({ timeScale = 1, everyMs }: AlertStageOptions): Promise<AlertStage> {
  await using stack = new AsyncDisposableStack()
  const simulator = stack.use(await startSimulator())
  const proxy = stack.use(await startBefore(simulator, SETTINGS))
  const webhook = stack.use(await startWebhook())
  const read = readNotifications({ ALERT_WEBHOOK_URL: webhook.url })
  if ('mistakes' in read) throw new Error(read.mistakes.join('\n'))
  const alertmanager = stack.use(await startAlertmanager(JSON.stringify(alertmanagerConfig(read.notifications))))
  const prometheus = stack.use(
    await startPrometheus({
      targets: [{ job: JOB, url: `http://127.0.0.1:${proxy.adminPort}/metrics` }],
      scrapeIntervalMs: everyMs,
      rules: prometheusRules({ timeScale }),
      alertmanager: alertmanager.address,
    }),
  )
  const running = stack.move()
  const dispose = () => running.disposeAsync()
  return { simulator, proxy, prometheus, alertmanager, webhook, [Symbol.asyncDispose]: dispose }
}

/** An app that sends a message every `everyMs`, each on a new connection, and accepts any reply. */
export class App implements AsyncDisposable {
  readonly #port: number
  readonly #everyMs: number
  readonly #running: Promise<void>
  #stopped = false
  /** The last reply code of each message; 0 when the connection ended without a reply. */
  readonly codes: number[] = []

  constructor({ port }: ProxyProcess, everyMs: number) {
    this.#port = port
    this.#everyMs = everyMs
    this.#running = this.#send()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  async #send(): Promise<void> {
    while (!this.#stopped) {
      this.codes.push(await this.#oneMessage().catch(() => 0))
      await pause(this.#everyMs)
    }
  }

  async #oneMessage(): Promise<number> {
    const client = await connectClient({ port: this.#port })
    try {
      let code = Number((await client.readReply()).slice(0, 3))
      for (const line of ['EHLO app.example', AUTH_PLAIN, ...mail()]) {
        if (code >= 400) return code
        code = Number((await ask(client, line)).slice(0, 3))
      }
      return code
    } finally {
      client.destroy()
    }
  }
}
