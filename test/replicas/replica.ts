/** One of several proxies. Its addresses stay the same over all its starts. */
import { freePort } from '../../bench/compare/processes/ports.ts'
import { metrics } from '../../otel/names/names.ts'
import { parseMetrics, sum } from '../demo/metrics.ts'
import type { Simulator } from '../simulator/simulator.ts'
import { counterOf } from '../support/otlp/export-counts.ts'
import type { OtlpReceiver } from '../support/otlp/otlp-receiver.ts'
import type { LogLine, ProxyProcess } from '../support/processes/proxy-process.ts'
import { startBefore } from '../support/processes/running-proxy.ts'
import { until } from '../support/waiting/until.ts'
import type { Server } from './haproxy.ts'

/** What replicas share. */
export interface Surroundings {
  readonly simulator: Simulator
  readonly receiver: OtlpReceiver
  /** Settings of every replica. */
  readonly env: Readonly<Record<string, string>>
}

/** What one process reported, from its start to its end. */
export interface Life {
  /** The process and its start: `replica-2 start 3`. */
  readonly name: string
  readonly killed: boolean
  /** Messages by outcome and client, as in `accepted billing`, from its last metrics over OTLP. */
  readonly metrics: Readonly<Record<string, number>>
  /** The same from its log lines. */
  readonly log: Readonly<Record<string, number>>
  readonly exitCode: number | null
  /** Sessions that its drain cut. */
  readonly cut: number
}

/** The time between two scrapes of a replica that stops, in milliseconds. */
const SCRAPE_MS = 500

/** A proxy that can be started, drained and killed again and again. */
export class Replica implements Server {
  readonly host: string
  readonly port: number
  readonly adminPort: number
  readonly lives: Life[] = []
  readonly #name: string
  readonly #around: Surroundings
  #process: ProxyProcess | undefined
  #starts = 0

  constructor(name: string, server: Server, around: Surroundings) {
    this.#name = name
    this.host = server.host
    this.port = server.port
    this.adminPort = server.adminPort
    this.#around = around
  }

  get running(): boolean {
    return this.#process !== undefined
  }

  /** Starts it, and waits until it accepts sessions. */
  async start(): Promise<void> {
    this.#starts += 1
    const { simulator, receiver, env } = this.#around
    this.#process = await startBefore(simulator, {
      ...env,
      PROXY_LISTEN: `smtp://${this.host}:${this.port}`,
      PROXY_ADMIN: `http://127.0.0.1:${this.adminPort}`,
      OTEL_METRICS_EXPORTER: 'otlp,prometheus',
      OTEL_METRIC_EXPORT_INTERVAL: '1000',
      OTEL_METRIC_EXPORT_TIMEOUT: '1000',
      OTEL_EXPORTER_OTLP_ENDPOINT: `${receiver.url}${this.#path}`,
      OTEL_TRACES_EXPORTER: 'none',
    })
  }

  /** Waits until it has served a session. */
  async serves(): Promise<void> {
    await until(`${this.#name} serves a session`, async () => (await this.#sessions()) > 0, { everyMs: 100 })
  }

  /** Stops it with SIGTERM. Prometheus scrapes it meanwhile, as long as it answers. */
  async drain(): Promise<void> {
    const process = this.#process!
    const scrapes = setInterval(() => void process.metrics().catch(() => {}), SCRAPE_MS)
    await this.#end(process, process.stop())
    clearInterval(scrapes)
  }

  /** Kills it. */
  async kill(): Promise<void> {
    await this.#end(this.#process!, this.#process!.stop('SIGKILL'))
  }

  async #end(process: ProxyProcess, exited: Promise<number | null>): Promise<void> {
    this.#process = undefined
    const exitCode = await exited
    const own = this.#around.receiver.exports.filter(({ path }) => path === `${this.#path}/v1/metrics`)
    this.lives.push({
      name: `${this.#name} start ${this.#starts}`,
      killed: exitCode === null,
      metrics: byOutcome(
        counterOf(
          own.map((one) => ({ ...one, path: '/v1/metrics' })),
          metrics.transactions.name,
        ),
      ),
      log: counted(process.lines),
      exitCode,
      cut: Number(process.lines.find(({ msg }) => msg === 'sessions cut at the drain timeout')?.cut ?? 0),
    })
  }

  get #path(): string {
    return `/${this.#name}-${this.#starts}`
  }

  async #sessions(): Promise<number> {
    const samples = parseMetrics(await this.#process!.metrics())
    const { sessionActive, sessionDuration } = metrics
    return sum(samples, sessionActive.prometheus) + sum(samples, `${sessionDuration.prometheus}_count`)
  }
}

/** Free addresses of this machine for replicas, one port each or one address each with the same port. */
export async function freeServers(count: number, distinct: 'ports' | 'addresses'): Promise<Server[]> {
  const shared = await freePort()
  const servers: Server[] = []
  for (let index = 0; index < count; index += 1) {
    const port = distinct === 'ports' ? await freePort() : shared
    const host = distinct === 'ports' ? '127.0.0.1' : `127.0.0.${11 + index}`
    servers.push({ host, port, adminPort: await freePort() })
  }
  return servers
}

/** Sums by outcome and client of a counter whose labels are in the order of `counterOf`. */
function byOutcome(series: Readonly<Record<string, number>>): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const [labels, count] of Object.entries(series)) {
    const [outcome, client] = labels.split(' ')
    add(sums, `${outcome} ${client}`, count)
  }
  return sums
}

function counted(lines: readonly LogLine[]): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const line of lines)
    if (line.msg === 'transaction') add(sums, `${line['smtp.transaction.outcome']} ${line['smtp.client.name']}`, 1)
  return sums
}

/** Adds to a sum. */
export function add(sums: Record<string, number>, key: string, count: number): void {
  sums[key] = (sums[key] ?? 0) + count
}
