/** Prometheus with the alerts, and Alertmanager, for a rehearsal without Docker. Nobody is notified. */
import { prometheusRules } from '../../dashboards/generate/alert-files.ts'
import { configFor, startAlertmanager } from '../support/monitoring/alertmanager.ts'
import { type Prometheus, startPrometheus } from '../support/monitoring/prometheus.ts'
import { missing } from '../support/programs/programs.ts'

/** As in compose.yaml. */
const EVERY_MS = 15_000
const JOB = 'ahasend-smtp-proxy'

export interface Monitoring extends AsyncDisposable {
  readonly alertmanagerUrl: string
  /** Starts Prometheus, which scrapes this admin port of a proxy on 127.0.0.1. */
  watch(adminPort: number): Promise<void>
  /** Prometheus' address, once it runs. */
  prometheusUrl(): string | undefined
}

/** Why alerts cannot fire, and how to fix that; undefined when they can. */
export function monitoringMissing(): string | undefined {
  return missing('prometheus') ?? missing('alertmanager')
}

/** Starts Alertmanager. Its receivers are empty: the alerts of this rehearsal are only shown. */
export async function startAlerting(): Promise<Monitoring> {
  await using stack = new AsyncDisposableStack()
  const { address } = stack.use(await startAlertmanager(JSON.stringify(configFor({}))))
  const running = stack.move()
  let prometheus: Prometheus | undefined
  return {
    alertmanagerUrl: `http://${address}`,
    async watch(adminPort) {
      prometheus = running.use(
        await startPrometheus({
          targets: [{ job: JOB, url: `http://127.0.0.1:${adminPort}/metrics` }],
          scrapeIntervalMs: EVERY_MS,
          rules: prometheusRules(),
          alertmanager: address,
        }),
      )
    },
    prometheusUrl: () => prometheus?.url,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}
