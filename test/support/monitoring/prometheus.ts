/** A real Prometheus on the loopback interface that scrapes, receives OTLP and answers queries. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryDirectory } from '../files/temporary-files.ts'
import { missing } from '../programs/programs.ts'
import { startProgram } from '../programs/running-program.ts'
import { until } from '../waiting/until.ts'

/** A page to scrape, and the `job` label of its series. All pages of a job have the same path. */
export interface Target {
  readonly job: string
  /** `http://127.0.0.1:port/metrics` */
  readonly url: string
}

export interface PrometheusOptions {
  /** The targets from the start. */
  readonly targets?: readonly Target[]
  /** The scrape interval and timeout, in milliseconds. Default 500. */
  readonly scrapeIntervalMs?: number
  /** The text of a rule file. The evaluation interval is the scrape interval. */
  readonly rules?: string
  /** `127.0.0.1:port` of an Alertmanager. It receives all alerts, including those that fire immediately. */
  readonly alertmanager?: string
}

export type Labels = Readonly<Record<string, string>>

/** The latest value of a series. `labels` includes its name as `__name__`, unless the query computed a new value. */
export interface Sample {
  readonly labels: Labels
  readonly value: number
}

export interface Prometheus {
  /** `http://127.0.0.1:port` */
  readonly url: string
  /** For OTEL_EXPORTER_OTLP_METRICS_ENDPOINT. */
  readonly otlpMetricsEndpoint: string
  /** Scrapes only these targets from now on: for targets that start after Prometheus. */
  scrape(targets: readonly Target[]): Promise<void>
  /**
   * The vector of a PromQL expression, now or at a time in seconds since 1970. Throws with Prometheus' message when it
   * refuses the expression.
   */
  query(expression: string, at?: number): Promise<readonly Sample[]>
  /** The labels of all series that a selector matches, at any time. */
  series(selector: string): Promise<readonly Labels[]>
  /** The first vector that `enough` accepts, by default one that is not empty. Rejects after `limitMs` (30 s). */
  waitFor(
    expression: string,
    enough?: (samples: readonly Sample[]) => boolean,
    limitMs?: number,
  ): Promise<readonly Sample[]>
  /** Resolves when Prometheus has exited and its files are deleted. */
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Why Prometheus cannot run, and how to fix that; undefined when it can. */
export function prometheusMissing(): string | undefined {
  return missing('prometheus')
}

/** Starts Prometheus on a free port. Throws when it is not built. */
export async function startPrometheus({ targets = [], ...options }: PrometheusOptions = {}): Promise<Prometheus> {
  const { path: directory, remove } = temporaryDirectory('prometheus-')
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
    remove()
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
  // Hidden in --help: the delay before the first scrape of a target, 5 s by default.
  '--scrape.discovery-reload-interval=100ms',
  '--log.format=json',
]

/** The rule file next to the configuration. */
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
  if (!response.ok) throw new Error(`Prometheus refuses its configuration: ${text}`)
}

/**
 * Resolves when Prometheus has found its Alertmanager, about 0.1 s after its start. Prometheus drops an alert that
 * fires before that, counts it in no metric, and sends it again a minute later (`--rules.alert.resend-delay`). So the
 * rules are loaded after this.
 */
async function knowsAlertmanager(url: string): Promise<void> {
  const list = () => ask<{ readonly activeAlertmanagers: readonly unknown[] }>(`${url}/api/v1/alertmanagers`)
  await answerOf(list, ({ activeAlertmanagers }) => activeAlertmanagers.length > 0, 'the list of Alertmanagers')
}

/** The polling interval, in milliseconds. */
const ASK_AGAIN_MS = 50
const LIMIT_MS = 30_000

interface Vector {
  readonly result: readonly { readonly metric: Labels; readonly value: readonly [number, string] }[]
}

function asked(url: string): Omit<Prometheus, 'scrape' | 'stop' | typeof Symbol.asyncDispose> {
  const query: Prometheus['query'] = async (expression, at) => {
    const time = at === undefined ? {} : { time: String(at) }
    const { result } = await ask<Vector>(`${url}/api/v1/query`, { query: expression, ...time })
    return result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1].replace('Inf', 'Infinity')) }))
  }
  const waitFor: Prometheus['waitFor'] = (expression, enough = ({ length }) => length > 0, limitMs = LIMIT_MS) =>
    answerOf(() => query(expression), enough, expression, limitMs)
  const series = (selector: string) => ask<readonly Labels[]>(`${url}/api/v1/series`, { 'match[]': selector })
  return { url, otlpMetricsEndpoint: `${url}/api/v1/otlp/v1/metrics`, query, series, waitFor }
}

/** Polls for an answer that `enough` accepts. Rejects after `limitMs` (30 s) with the last answer. */
async function answerOf<Answer extends object>(
  look: () => Promise<Answer>,
  enough: (answer: Answer) => boolean,
  what: string,
  limitMs = LIMIT_MS,
): Promise<Answer> {
  let answer: Answer | undefined
  const failure = () => `${what} is still ${JSON.stringify(answer).slice(0, 2000)}`
  const found = async () => {
    answer = await look()
    return enough(answer) && { answer }
  }
  return (await until(failure, found, { limitMs, everyMs: ASK_AGAIN_MS })).answer
}

async function ask<Data>(url: string, parameters?: Record<string, string>): Promise<Data> {
  const form = parameters && { method: 'POST', body: new URLSearchParams(parameters) }
  const response = await fetch(url, form)
  const answer = (await response.json()) as { readonly data: Data; readonly error?: string }
  if (!response.ok) throw new Error(`Prometheus answered ${response.status}: ${answer.error}`)
  return answer.data
}
