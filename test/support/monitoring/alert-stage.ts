/** Everything between a mail that is refused and somebody who is told, for real: apps, proxy, Prometheus, Alertmanager. */
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

/** A fault strikes the next connection, not the one after those that were dialled ahead. */
const SETTINGS = { PROXY_CLIENTS: 'billing=127.0.0.1', PROXY_WARM_CONNECTIONS: '0' }

export interface AlertStage extends AsyncDisposable {
  readonly simulator: Simulator
  readonly proxy: ProxyProcess
  readonly prometheus: Prometheus
  readonly alertmanager: Alertmanager
  readonly webhook: Webhook
}

export interface AlertStageOptions {
  /** Windows and waits of all rules are multiplied by it. Default 1. */
  readonly timeScale?: number
  /** Milliseconds from scrape to scrape and from evaluation to evaluation. */
  readonly everyMs: number
}

/** Why there can be no stage, and what would help; undefined when there can. */
export function stageMissing(): string | undefined {
  return prometheusMissing() ?? alertmanagerMissing()
}

/** Starts it all. Its app is called billing; who is told is a webhook, as if ALERT_WEBHOOK_URL were set. */
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

/** An app that sends a mail on a connection of its own each `everyMs`, and takes what comes. */
export class App implements AsyncDisposable {
  readonly #port: number
  readonly #everyMs: number
  readonly #running: Promise<void>
  #stopped = false
  /** The code that each mail ended with; 0 when the connection ended without one. */
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
      this.codes.push(await this.#oneMail().catch(() => 0))
      await pause(this.#everyMs)
    }
  }

  async #oneMail(): Promise<number> {
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
