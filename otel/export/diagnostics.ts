/**
 * Receives the diagnostics of the OpenTelemetry SDK. They never go to a console, and are logged without the values that they
 * quote. Failed exports are counted where they happen (`delivery.ts`), so the SDK's errors about them are not logged.
 */
import { type DiagLogger, DiagLogLevel, diag } from '@opentelemetry/api'
import { setGlobalErrorHandler } from '@opentelemetry/core'
import type { Warn } from './loss-report.ts'
import type { Signal } from './losses.ts'
import { createRateLimit } from './rate-limit.ts'

/** What becomes of the SDK's diagnostics. */
export interface DiagnosticsOptions {
  /** A receiver accepted an export except for `items`. Called before the export ends. */
  readonly rejected: (signal: Signal, items: number) => void
  /** Logs a warning. */
  readonly warn: Warn
}

/** Receives the SDK's diagnostics in place of any earlier receiver. The returned function stops that. */
export function listenToSdk({ rejected, warn }: DiagnosticsOptions): () => void {
  const limit = createRateLimit((_, suppressed) => warn({ suppressed }, 'OpenTelemetry SDK warnings suppressed'))
  const receive = (...parts: readonly unknown[]) => {
    const partial = partialSuccess(parts)
    if (partial) rejected(partial.signal, partial.items)
    else if (limit.allows('sdk')) warn({ detail: sentenceOf(parts) }, 'OpenTelemetry SDK warning')
  }
  const ignore = () => {}
  const logger: DiagLogger = { error: receive, warn: receive, info: ignore, debug: ignore, verbose: ignore }
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true })
  setGlobalErrorHandler(ignore)
  return () => diag.disable()
}

const REJECTED = new Map<string, Signal>([
  ['rejectedSpans', 'traces'],
  ['rejectedDataPoints', 'metrics'],
  ['rejectedLogRecords', 'logs'],
])

/** The exporters report items that a receiver rejected in a successful export only in their diagnostics. */
function partialSuccess([sentence, json]: readonly unknown[]): { signal: Signal; items: number } | undefined {
  if (sentence !== 'Received Partial Success response:' || typeof json !== 'string') return undefined
  for (const [key, items] of Object.entries(JSON.parse(json) as Record<string, unknown>)) {
    const signal = REJECTED.get(key)
    if (signal !== undefined) return { signal, items: Number(items) }
  }
  return undefined
}

/** The first part that is a sentence of the SDK. The parts after it are values and errors. */
function sentenceOf(parts: readonly unknown[]): string {
  const sentence = parts.find((part) => typeof part === 'string' && part.includes(' '))
  return typeof sentence === 'string' ? sentence.slice(0, MAX_SENTENCE) : 'no sentence'
}

/** The maximum length of a logged sentence, more than the SDK's own sentences need. */
const MAX_SENTENCE = 200
