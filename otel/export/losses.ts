import type { MeterProvider } from '@opentelemetry/api'
import { type Cell, Cells, observable } from '../instruments/instruments.ts'
import { type AttributesOf, scope, type TelemetryLoss, type TelemetrySignal } from '../names/names.ts'

/** A kind of telemetry. */
export type Signal = TelemetrySignal
/** Why telemetry is lost. */
export type Loss = TelemetryLoss

/** Counts lost telemetry. Cheap, and never throws. */
export interface Losses {
  /** Counts lost items: spans, data points or log lines. */
  count(signal: Signal, loss: Loss, items?: number): void
}

/** Counts lost and delivered telemetry. */
export interface Deliveries extends Losses {
  /** Counts items that their receiver accepted. */
  exported(signal: Signal, items: number): void
}

/** Counts nothing. */
export const uncounted: Deliveries = { count() {}, exported() {} }

/** The possible losses of each signal. Data points are not queued: they are read for each export. */
const POSSIBLE = {
  traces: ['queue_full', 'export_failed', 'rate_limited'],
  metrics: ['export_failed'],
  logs: ['queue_full', 'export_failed', 'rate_limited', 'stdout_full'],
} as const satisfies Record<Signal, readonly Loss[]>

const SIGNALS = Object.keys(POSSIBLE) as Signal[]

/** Counts that are exported as metrics. They are created before the provider, because metric exporters count here, too. */
export interface CountedDeliveries extends Deliveries {
  /** Adds the counts to the metrics of `provider`. */
  expose(provider: MeterProvider): void
}

/** Creates the counts. All possible series start at 0. */
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
