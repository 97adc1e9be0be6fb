import type { MeterProvider } from '@opentelemetry/api'
import { type Cell, Cells, observable } from '../metrics/instruments.ts'
import { type AttributesOf, scope, type TelemetryLoss, type TelemetrySignal } from '../names/names.ts'

export type Signal = TelemetrySignal
export type Loss = TelemetryLoss

/** Counts what telemetry could not say. Cheap, and never throws. */
export interface Losses {
  /** `items` are spans, data points or log lines. */
  count(signal: Signal, loss: Loss, items?: number): void
}

/** What became of telemetry that was to leave the process. */
export interface Deliveries extends Losses {
  /** `items` reached their receiver. */
  exported(signal: Signal, items: number): void
}

/** For where nothing is measured. */
export const uncounted: Deliveries = { count() {}, exported() {} }

/** The losses that a signal can have. Data points are not queued: they are read anew for each export. */
const POSSIBLE = {
  traces: ['queue_full', 'export_failed', 'rate_limited'],
  metrics: ['export_failed'],
  logs: ['queue_full', 'export_failed', 'rate_limited', 'stdout_full'],
} as const satisfies Record<Signal, readonly Loss[]>

const SIGNALS = Object.keys(POSSIBLE) as Signal[]

/** Counts that metrics can tell: the exporters of metrics count here too, so it is there before them. */
export interface CountedDeliveries extends Deliveries {
  /** Makes the counts metrics of `provider`. Their series are there from the start, at 0. */
  expose(provider: MeterProvider): void
}

export function createLosses(): CountedDeliveries {
  const lost = new Cells<AttributesOf<'telemetryLost'>>()
  const delivered = new Cells<AttributesOf<'telemetryExported'>>()
  const lostOf = (signal: Signal, loss: Loss): Cell => lost.at({ 'telemetry.signal': signal, 'telemetry.loss': loss })
  const deliveredOf = (signal: Signal): Cell => delivered.at({ 'telemetry.signal': signal })
  for (const signal of SIGNALS) {
    deliveredOf(signal)
    for (const loss of POSSIBLE[signal]) lostOf(signal, loss)
  }
  return {
    count(signal, loss, items = 1) {
      lostOf(signal, loss).value += items
    },
    exported(signal, items) {
      deliveredOf(signal).value += items
    },
    expose(provider) {
      const meter = provider.getMeter(scope.name, scope.version)
      observable(meter, 'telemetryLost').addCallback((result) => lost.observe(result))
      observable(meter, 'telemetryExported').addCallback((result) => delivered.observe(result))
    },
  }
}
