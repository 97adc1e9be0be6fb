/** A real Prometheus on the loopback interface: it scrapes, it receives OTLP, and it answers queries. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { missing } from '../programs/programs.ts'
import { startProgram } from '../programs/running-program.ts'

/** A page to scrape, and the `job` label of what is found there. Pages of one job have the same path. */
export interface Target {
  readonly job: string
  /** `http://127.0.0.1:port/metrics` */
  readonly url: string
}

export interface PrometheusOptions {
  /** What to scrape from the start. */
  readonly targets?: readonly Target[]
  /** Milliseconds from scrape to scrape; by default 500. A page that takes longer is not scraped. */
  readonly scrapeIntervalMs?: number
  /** A file of rules, evaluated as often as is scraped. */
  readonly rules?: string
  /** `127.0.0.1:port` of an Alertmanager that is told of alerts: of those too that fire from the first moment on. */
  readonly alertmanager?: string
}

export type Labels = Readonly<Record<string, string>>

/** One series' newest value. `labels` has its name too, as `__name__`, unless the query made a new value. */
export interface Sample {
  readonly labels: Labels
  readonly value: number
}

export interface Prometheus {
  /** `http://127.0.0.1:port` */
  readonly url: string
  /** For OTEL_EXPORTER_OTLP_METRICS_ENDPOINT. */
  readonly otlpMetricsEndpoint: string
  /** Scrapes these from now on, and no others: for targets that are started after Prometheus. */
  scrape(targets: readonly Target[]): Promise<void>
  /** The vector that a PromQL expression is now. Throws with Prometheus' own words when it refuses the expression. */
  query(expression: string): Promise<readonly Sample[]>
  /** The labels of all series that a selector matches, of whatever time. */
  series(selector: string): Promise<readonly Labels[]>
  /** The first vector that `enough` accepts; by default one that is not empty. Rejects after `limitMs` (30 s). */
  waitFor(
    expression: string,
    enough?: (samples: readonly Sample[]) => boolean,
    limitMs?: number,
  ): Promise<readonly Sample[]>
  /** Resolves when it has ended and its files are gone. */
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Why there can be no Prometheus, and what would help; undefined when there can. */
export function prometheusMissing(): string | undefined {
  return missing('prometheus')
}

/** Starts Prometheus on a free port. Throws when it is not built. */
export async function startPrometheus({ targets = [], ...options }: PrometheusOptions = {}): Promise<Prometheus> {
  const directory = mkdtempSync(join(tmpdir(), 'prometheus-'))
  const config = join(directory, 'prometheus.yml')
  const configure = (what: PrometheusOptions) => writeFileSync(config, JSON.stringify(configOf(what)))
  if (options.rules !== undefined) writeFileSync(join(directory, RULES), options.rules)
  const { rules: _, ...withoutRules } = options
  configure({ targets, ...(options.alertmanager === undefined ? options : withoutRules) })
  const program = startProgram('prometheus', [
    `--config.file=${config}`,
    `--storage.tsdb.path=${join(directory, 'data')}`,
    ...ARGUMENTS,
  ])
  const stop = async () => {
    await program.stop()
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    const { address } = await program.line('Listening on')
    await program.line('Server is ready to receive web requests.')
    const url = `http://${address}`
    const scrape: Prometheus['scrape'] = async (wanted) => {
      configure({ targets: wanted, ...options })
      await reload(url)
    }
    if (options.alertmanager !== undefined) {
      await knowsAlertmanager(url)
      await scrape(targets)
    }
    return { ...asked(url), scrape, stop, [Symbol.asyncDispose]: stop }
  } catch (error) {
    await stop()
    throw error
  }
}

const ARGUMENTS = [
  '--web.listen-address=127.0.0.1:0',
  '--web.enable-otlp-receiver',
  '--web.enable-lifecycle',
  // Hidden from --help: how soon a target is scraped for the first time; 5 s by default.
  '--scrape.discovery-reload-interval=100ms',
  '--log.format=json',
]

/** Beside the configuration. */
const RULES = 'test.rules.yaml'

/** YAML is a superset of JSON. */
function configOf({ targets = [], scrapeIntervalMs = 500, rules, alertmanager }: PrometheusOptions) {
  const every = `${scrapeIntervalMs}ms`
  return {
    global: { scrape_interval: every, scrape_timeout: every, evaluation_interval: every },
    ...(rules !== undefined && { rule_files: [RULES] }),
    ...(alertmanager !== undefined && {
      alerting: { alertmanagers: [{ static_configs: [{ targets: [alertmanager] }] }] },
    }),
    scrape_configs: [...Map.groupBy(targets, ({ job }) => job)].map(([job, same]) => ({
      job_name: job,
      metrics_path: new URL(same[0]!.url).pathname,
      static_configs: [{ targets: same.map(({ url }) => new URL(url).host) }],
    })),
  }
}

async function reload(url: string): Promise<void> {
  const response = await fetch(`${url}/-/reload`, { method: 'POST' })
  const text = await response.text()
  if (!response.ok) throw new Error(`Prometheus does not take its configuration: ${text}`)
}

/**
 * Resolves when Prometheus has found its Alertmanager, about 0.1 s after its start. An alert that fires before is told
 * to nobody, counted by no metric, and told again a minute later (`--rules.alert.resend-delay`). So rules come after.
 */
async function knowsAlertmanager(url: string): Promise<void> {
  const list = () => ask<{ readonly activeAlertmanagers: readonly unknown[] }>(`${url}/api/v1/alertmanagers`)
  await until(list, ({ activeAlertmanagers }) => activeAlertmanagers.length > 0, 'the list of Alertmanagers')
}

/** How often Prometheus is asked again: it tells nobody by itself. */
const ASK_AGAIN_MS = 50
const LIMIT_MS = 30_000

interface Vector {
  readonly result: readonly { readonly metric: Labels; readonly value: readonly [number, string] }[]
}

function asked(url: string): Omit<Prometheus, 'scrape' | 'stop' | typeof Symbol.asyncDispose> {
  const query: Prometheus['query'] = async (expression) => {
    const { result } = await ask<Vector>(`${url}/api/v1/query`, { query: expression })
    return result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1].replace('Inf', 'Infinity')) }))
  }
  const waitFor: Prometheus['waitFor'] = (expression, enough = ({ length }) => length > 0, limitMs = LIMIT_MS) =>
    until(() => query(expression), enough, expression, limitMs)
  const series = (selector: string) => ask<readonly Labels[]>(`${url}/api/v1/series`, { 'match[]': selector })
  return { url, otlpMetricsEndpoint: `${url}/api/v1/otlp/v1/metrics`, query, series, waitFor }
}

/** The first answer that is enough. Rejects after `limitMs` (30 s), with the last one. */
async function until<Answer>(
  look: () => Promise<Answer>,
  enough: (answer: Answer) => boolean,
  what: string,
  limitMs = LIMIT_MS,
): Promise<Answer> {
  const end = performance.now() + limitMs
  for (;;) {
    const answer = await look()
    if (enough(answer)) return answer
    if (performance.now() > end) {
      throw new Error(`${what} is after ${limitMs} ms still ${JSON.stringify(answer).slice(0, 2000)}`)
    }
    await pause(ASK_AGAIN_MS)
  }
}

async function ask<Data>(url: string, parameters?: Record<string, string>): Promise<Data> {
  const form = parameters && { method: 'POST', body: new URLSearchParams(parameters) }
  const response = await fetch(url, form)
  const answer = (await response.json()) as { readonly data: Data; readonly error?: string }
  if (!response.ok) throw new Error(`Prometheus answered ${response.status}: ${answer.error}`)
  return answer.data
}
