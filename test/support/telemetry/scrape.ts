import type { MeterProvider } from '@opentelemetry/api'
import { type Configured, seriesLimit } from '../../../otel/instruments/instruments.ts'
import { createMeterProvider } from '../../../otel/instruments/meter-provider.ts'
import { createMetrics, type Metrics } from '../../../otel/metrics/metrics.ts'
import { createPrometheus } from '../../../otel/metrics/prometheus.ts'

/** Metrics that can be scraped without a server. */
export interface Scraped {
  readonly metrics: Metrics
  readonly provider: MeterProvider
  /** The scrape page. */
  page(): Promise<string>
  /**
   * The values of the series with a Prometheus name by their labels, in the order of the page: `{a="b"}` -> 1. Series
   * with the value 0 are left out without `zeros`.
   */
  series(name: string, options?: { readonly zeros: boolean }): Promise<Record<string, number>>
}

/** Creates metrics for these configured names. */
export function scraped(options: Partial<Configured> = {}): Scraped {
  const configured = {
    servers: ['send.example'],
    listeners: ['smtp://127.0.0.1:2525'],
    clients: ['billing'],
    ...options,
  }
  const prometheus = createPrometheus(seriesLimit(configured))
  const provider = createMeterProvider({ readers: [prometheus.reader] })
  const metrics = createMetrics(provider, configured)
  return {
    metrics,
    provider,
    page: prometheus.page,
    series: async (name, { zeros } = { zeros: false }) => {
      const all = seriesOf(await prometheus.page(), name)
      return Object.fromEntries(all.filter(([, value]) => zeros || value !== 0))
    },
  }
}

/** The series of one name on a scrape page, as pairs of labels and value. */
export function seriesOf(page: string, name: string): (readonly [string, number])[] {
  return page.split('\n').flatMap((line) => {
    const [, found, labels = '', value] = line.match(/^([a-z_]+)(\{.*\})? (\S+)$/) ?? []
    return found === name ? [[labels, Number(value)] as const] : []
  })
}
