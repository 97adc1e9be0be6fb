/**
 * Accounts for everything that is exported over OTLP: each span, data point and log line is counted as delivered or lost. The
 * SDK's batch processors drop items silently and report failed exports only on a console.
 */
import { type ExportResult, ExportResultCode } from '@opentelemetry/core'
import type { Deliveries, Signal } from './losses.ts'

/** Reports a loss to the operator. `reason` never quotes exported data or the receiver's response. */
export type ReportLoss = (loss: 'queue_full' | 'export_failed', items: number, reason?: string) => void

/** Counts the items of one signal: queued, in flight, delivered and lost. */
export class Delivery {
  readonly signal: Signal
  readonly #deliveries: Deliveries
  readonly #report: ReportLoss
  #queued = 0
  #inFlight = 0
  #rejected = 0
  #closed = false

  constructor(signal: Signal, deliveries: Deliveries, report: ReportLoss) {
    this.signal = signal
    this.#deliveries = deliveries
    this.#report = report
  }

  /** Adds an item to the queue if fewer than `limit` are queued. Otherwise counts it as lost and returns false. */
  admit(limit: number): boolean {
    if (this.#closed) return false
    if (this.#queued >= limit) {
      this.#lose('queue_full', 1)
      return false
    }
    this.#queued += 1
    return true
  }

  /** An export of `items` begins. Data points are sent without being queued. */
  sent(items: number): void {
    this.#queued = Math.max(0, this.#queued - items)
    this.#inFlight += items
  }

  /** The receiver accepted `items`, except those that it `rejected`. */
  delivered(items: number): void {
    if (!this.#settle(items)) return
    const rejected = Math.min(items, this.#rejected)
    this.#rejected = 0
    this.#deliveries.exported(this.signal, items - rejected)
    if (rejected > 0) this.#lose('export_failed', rejected, 'rejected by the receiver')
  }

  /** The receiver rejected `items` of the export that `delivered` is about to report. */
  rejected(items: number): void {
    this.#rejected = items
  }

  /** An export of `items` failed. */
  failed(items: number, reason: string): void {
    if (this.#settle(items)) this.#lose('export_failed', items, reason)
  }

  /** Counts all queued and in-flight items as lost. Later results are ignored. */
  close(): void {
    const pending = this.#queued + this.#inFlight
    if (pending > 0) this.#lose('export_failed', pending, 'not exported before shutdown')
    this.#closed = true
  }

  #settle(items: number): boolean {
    this.#inFlight -= items
    return !this.#closed
  }

  #lose(loss: 'queue_full' | 'export_failed', items: number, reason?: string): void {
    this.#deliveries.count(this.signal, loss, items)
    this.#report(loss, items, reason)
  }
}

/** The common interface of the SDK's exporters. */
interface Exporter<Batch> {
  export(batch: Batch, done: (result: ExportResult) => void): void
  forceFlush(): Promise<void>
  shutdown(): Promise<void>
}

/** An exporter, and how to count what it exports. */
export interface CountedExporterOptions<Batch> {
  readonly make: () => Exporter<Batch>
  readonly itemsOf: (batch: Batch) => number
  readonly delivery: Delivery
  /** The time in milliseconds after which every export should have ended. */
  readonly limitMs: number
}

/**
 * An exporter that counts the outcome of each export. It never throws, and calls `done` once. An export that never ends, as
 * after a 101 response, would permanently use one of the exporter's few slots, so the exporter is then replaced.
 */
export class CountedExporter<Batch> implements Exporter<Batch> {
  readonly #options: CountedExporterOptions<Batch>
  #exporter: Exporter<Batch>
  readonly #running = new Set<(result: ExportResult) => void>()

  constructor(options: CountedExporterOptions<Batch>) {
    this.#options = options
    this.#exporter = options.make()
  }

  export(batch: Batch, done: (result: ExportResult) => void): void {
    const { itemsOf, delivery, make, limitMs } = this.#options
    const items = itemsOf(batch)
    const end = (result: ExportResult) => {
      if (!this.#running.delete(end)) return
      clearTimeout(timer)
      if (result.code === ExportResultCode.SUCCESS) delivery.delivered(items)
      else delivery.failed(items, reasonOf(result.error))
      done(result)
    }
    const timer = setTimeout(() => {
      this.#exporter = make()
      end(failure(NEVER_ENDED))
    }, limitMs).unref()
    this.#running.add(end)
    delivery.sent(items)
    try {
      this.#exporter.export(batch, end)
    } catch (error) {
      end({ code: ExportResultCode.FAILED, error: error instanceof Error ? error : new Error(String(error)) })
    }
  }

  forceFlush(): Promise<void> {
    return this.#exporter.forceFlush()
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown()
  }

  /** Ends all running exports as failed, so that no caller keeps waiting for them. */
  abort(): void {
    for (const end of this.#running) end(failure(ABORTED))
  }
}

function failure(message: string): ExportResult {
  return { code: ExportResultCode.FAILED, error: new Error(message) }
}

const NEVER_ENDED = 'the export did not end'
const ABORTED = 'the export was aborted'

/** Reasons for errors without an HTTP status or a code, by message. Other messages are not repeated. */
const REASONS = new Map([
  [NEVER_ENDED, 'the export did not end'],
  ['OTLP export response body exceeded size limit of 4194304 bytes', 'response too long'],
  ['Request timed out', 'timeout'],
  ['Concurrent export limit reached', 'too many concurrent exports'],
  ['Export failed with retryable status', 'HTTP 429, 502, 503 or 504, even after retries'],
])

/** Why an export failed: the HTTP status or Node's error code. Error messages are not used: they may quote the receiver. */
function reasonOf(error: (Error & { readonly code?: unknown }) | undefined): string {
  if (typeof error?.code === 'number') return `HTTP ${error.code}`
  if (typeof error?.code === 'string') return error.code
  return REASONS.get(error?.message ?? '') ?? error?.name ?? 'unknown'
}
