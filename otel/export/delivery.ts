/**
 * The books of what leaves the process by OTLP: each span, data point and log line is delivered or counted as lost. The
 * SDK's own batch processors drop silently, and tell of failed exports only on a console.
 */
import { type ExportResult, ExportResultCode } from '@opentelemetry/core'
import type { Deliveries, Signal } from './losses.ts'

/** Tells people of losses. `reason` never quotes what was exported or what the receiver wrote. */
export type TellLoss = (loss: 'queue_full' | 'export_failed', items: number, reason?: string) => void

/** What waits, what is on its way, and what becomes of it. */
export class Delivery {
  readonly signal: Signal
  readonly #deliveries: Deliveries
  readonly #tell: TellLoss
  #waiting = 0
  #onTheWay = 0
  #rejected = 0
  #closed = false

  constructor(signal: Signal, deliveries: Deliveries, tell: TellLoss) {
    this.signal = signal
    this.#deliveries = deliveries
    this.#tell = tell
  }

  /** Whether one more item may wait, of at most `limit`; counted as lost if not. */
  admit(limit: number): boolean {
    if (this.#closed) return false
    if (this.#waiting >= limit) {
      this.#lose('queue_full', 1)
      return false
    }
    this.#waiting += 1
    return true
  }

  /** `items` are being sent. Those that never waited just set out. */
  sent(items: number): void {
    this.#waiting = Math.max(0, this.#waiting - items)
    this.#onTheWay += items
  }

  /** The receiver took `items`, but for those that it `rejected`. */
  arrived(items: number): void {
    if (!this.#settle(items)) return
    const rejected = Math.min(items, this.#rejected)
    this.#rejected = 0
    this.#deliveries.exported(this.signal, items - rejected)
    if (rejected > 0) this.#lose('export_failed', rejected, 'rejected by the receiver')
  }

  /** `items` of the export that is about to arrive were not taken. */
  rejected(items: number): void {
    this.#rejected = items
  }

  failed(items: number, reason: string): void {
    if (this.#settle(items)) this.#lose('export_failed', items, reason)
  }

  /** The end: whatever waits or is on its way is lost. What arrives later is not looked at any more. */
  close(): void {
    const open = this.#waiting + this.#onTheWay
    if (open > 0) this.#lose('export_failed', open, 'not exported in time at the end')
    this.#closed = true
  }

  #settle(items: number): boolean {
    this.#onTheWay -= items
    return !this.#closed
  }

  #lose(loss: 'queue_full' | 'export_failed', items: number, reason?: string): void {
    this.#deliveries.count(this.signal, loss, items)
    this.#tell(loss, items, reason)
  }
}

/** What the SDK's exporters have in common. */
interface Exporter<Batch> {
  export(batch: Batch, done: (result: ExportResult) => void): void
  forceFlush(): Promise<void>
  shutdown(): Promise<void>
}

export interface CountedExporterOptions<Batch> {
  readonly make: () => Exporter<Batch>
  readonly itemsOf: (batch: Batch) => number
  readonly delivery: Delivery
  /** Milliseconds after which an export has ended by itself, unless something is wrong. */
  readonly limitMs: number
}

/**
 * An exporter with the outcome of each export in the books. Never throws, and calls `done` once. An export that does not
 * end (a receiver that answers 101 makes one) would keep one of the exporter's few places for ever: the exporter is then
 * replaced by a new one.
 */
export class CountedExporter<Batch> implements Exporter<Batch> {
  readonly #options: CountedExporterOptions<Batch>
  #exporter: Exporter<Batch>
  readonly #underWay = new Set<(result: ExportResult) => void>()

  constructor(options: CountedExporterOptions<Batch>) {
    this.#options = options
    this.#exporter = options.make()
  }

  export(batch: Batch, done: (result: ExportResult) => void): void {
    const { itemsOf, delivery, make, limitMs } = this.#options
    const items = itemsOf(batch)
    const end = (result: ExportResult) => {
      if (!this.#underWay.delete(end)) return
      clearTimeout(timer)
      if (result.code === ExportResultCode.SUCCESS) delivery.arrived(items)
      else delivery.failed(items, reasonOf(result.error))
      done(result)
    }
    const timer = setTimeout(() => {
      this.#exporter = make()
      end(failure(ENDLESS))
    }, limitMs).unref()
    this.#underWay.add(end)
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

  /** Ends what is under way as failed: whoever waits for it need not wait any more. */
  abort(): void {
    for (const end of this.#underWay) end(failure(ABORTED))
  }
}

function failure(message: string): ExportResult {
  return { code: ExportResultCode.FAILED, error: new Error(message) }
}

const ENDLESS = 'the export did not end'
const ABORTED = 'the export was aborted'

/** What is said of failures that have neither an HTTP status nor a code. Other messages are not repeated. */
const KNOWN = new Map([
  [ENDLESS, 'no end'],
  ['OTLP export response body exceeded size limit of 4194304 bytes', 'the answer was too long'],
  ['Request timed out', 'timeout'],
  ['Concurrent export limit reached', 'too many exports at a time'],
  ['Export failed with retryable status', 'HTTP 429, 502, 503 or 504, also when tried again'],
])

/** Why an export failed: an HTTP status or the name that Node gives to the error. Messages may quote the receiver. */
function reasonOf(error: (Error & { readonly code?: unknown }) | undefined): string {
  if (typeof error?.code === 'number') return `HTTP ${error.code}`
  if (typeof error?.code === 'string') return error.code
  return KNOWN.get(error?.message ?? '') ?? error?.name ?? 'unknown'
}
