/** OTLP export of each signal: the SDK's batch processors and exporters, with limits and accounting. */
import { TraceFlags } from '@opentelemetry/api'
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-proto'
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { BatchLogRecordProcessor, type LogRecordProcessor, type ReadableLogRecord } from '@opentelemetry/sdk-logs'
import {
  AggregationTemporality,
  InstrumentType,
  PeriodicExportingMetricReader,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics'
import { BatchSpanProcessor, type ReadableSpan, type SpanProcessor } from '@opentelemetry/sdk-trace'
import type { Batch, OtelSettings, Temporality } from '../settings/effective.ts'
import { CountedExporter, type Delivery } from './delivery.ts'
import { connectOtlp, type OtlpConnection, type OtlpLimits } from './otlp.ts'

/** The export of one signal. */
export interface Export<Input> {
  /** Receives the telemetry. */
  readonly input: Input
  /** Aborts running exports and counts what was not delivered as lost. */
  close(): void
}

/** Exports spans. Spans beyond the queue limit are counted and not passed to the SDK, which would drop them silently. */
export function exportSpans(settings: Required<OtelSettings>['traces'], delivery: Delivery): Export<SpanProcessor> {
  const connection = connectOtlp(settings, limitsOf(settings))
  const make = () => new OTLPTraceExporter(connection.config)
  const exporter = new CountedExporter<ReadableSpan[]>({ ...connection, make, itemsOf: lengthOf, delivery })
  const processor = new BatchSpanProcessor({ exporter, ...batchOptions(settings) })
  const input: SpanProcessor = {
    onStart() {},
    onEnd(span) {
      const isSampled = (span.spanContext().traceFlags & TraceFlags.SAMPLED) !== 0
      if (isSampled && delivery.admit(settings.maxQueue)) processor.onEnd(span)
    },
    forceFlush: () => processor.forceFlush(),
    shutdown: () => processor.shutdown(),
  }
  return exportThrough(input, { delivery, exporter, connection })
}

/** Exports log lines, with the same queue limit as for spans. */
export function exportLogs(settings: Required<OtelSettings>['logs'], delivery: Delivery): Export<LogRecordProcessor> {
  const connection = connectOtlp(settings, limitsOf(settings))
  const make = () => new OTLPLogExporter(connection.config)
  const exporter = new CountedExporter<ReadableLogRecord[]>({ ...connection, make, itemsOf: lengthOf, delivery })
  const processor = new BatchLogRecordProcessor({ exporter, ...batchOptions(settings) })
  const input: LogRecordProcessor = {
    onEmit(record) {
      if (delivery.admit(settings.maxQueue)) processor.onEmit(record)
    },
    forceFlush: () => processor.forceFlush(),
    shutdown: () => processor.shutdown(),
  }
  return exportThrough(input, { delivery, exporter, connection })
}

/** The instruments with delta temporality, by preference. All others are cumulative. */
const DELTA: Readonly<Record<Temporality, readonly InstrumentType[]>> = {
  cumulative: [],
  delta: [InstrumentType.COUNTER, InstrumentType.OBSERVABLE_COUNTER, InstrumentType.HISTOGRAM],
  lowmemory: [InstrumentType.COUNTER, InstrumentType.HISTOGRAM],
}

/** Exports metrics, read for each export. `limit`: the maximum number of series per metric. Above it, the SDK counts without labels. */
export function exportMetrics(
  settings: Required<OtelSettings['metrics']>['otlp'],
  delivery: Delivery,
  limit: number,
): Export<PeriodicExportingMetricReader> {
  const connection = connectOtlp(settings, { exportTimeoutMs: settings.exportTimeoutMs, concurrency: 2 })
  const make = () => new OTLPMetricExporter(connection.config)
  const exporter = new CountedExporter<ResourceMetrics>({ ...connection, make, itemsOf: dataPointsOf, delivery })
  const selectAggregationTemporality = (type: InstrumentType) =>
    DELTA[settings.temporality].includes(type) ? AggregationTemporality.DELTA : AggregationTemporality.CUMULATIVE
  const reader = new PeriodicExportingMetricReader({
    exporter: Object.assign(exporter, { selectAggregationTemporality }),
    exportIntervalMillis: settings.intervalMs,
    exportTimeoutMillis: settings.exportTimeoutMs,
    cardinalityLimits: { default: limit },
  })
  return exportThrough(reader, { delivery, exporter, connection })
}

interface Parts {
  readonly delivery: Delivery
  readonly exporter: { abort(): void }
  readonly connection: OtlpConnection
}

function exportThrough<Input>(input: Input, { delivery, exporter, connection }: Parts): Export<Input> {
  const close = () => {
    delivery.close()
    exporter.abort()
    connection.close()
  }
  return { input, close }
}

/** A flush sends the whole queue at once. One more export may already be running. */
function limitsOf({ exportTimeoutMs, maxQueue, maxBatch }: Batch): OtlpLimits {
  return { exportTimeoutMs, concurrency: Math.ceil(maxQueue / maxBatch) + 1 }
}

function batchOptions({ delayMs, exportTimeoutMs, maxQueue, maxBatch }: Batch) {
  return {
    scheduledDelayMillis: delayMs,
    exportTimeoutMillis: exportTimeoutMs,
    maxQueueSize: maxQueue,
    maxExportBatchSize: maxBatch,
  }
}

function lengthOf(batch: readonly unknown[]): number {
  return batch.length
}

function dataPointsOf({ scopeMetrics }: ResourceMetrics): number {
  const metrics = scopeMetrics.flatMap((scope) => scope.metrics)
  return metrics.reduce((sum, { dataPoints }) => sum + dataPoints.length, 0)
}
