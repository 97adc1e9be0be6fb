/**
 * What the OpenTelemetry SDK says of itself. It goes nowhere but here: never to a console, and never with the values that
 * it quotes. Failed exports are counted where they happen (`delivery.ts`), so its errors about them are not repeated.
 */
import { type DiagLogger, DiagLogLevel, diag } from '@opentelemetry/api'
import { setGlobalErrorHandler } from '@opentelemetry/core'
import type { Warn } from './loss-report.ts'
import type { Signal } from './losses.ts'
import { createRateLimit } from './rate-limit.ts'

export interface DiagnosticsOptions {
  /** A receiver took an export except for so many items. Called before the export counts as done. */
  readonly rejected: (signal: Signal, items: number) => void
  readonly warn: Warn
}

/** Listens to the SDK's diagnostics in place of whoever listened before. Returns what ends it. */
export function listenToSdk({ rejected, warn }: DiagnosticsOptions): () => void {
  const limit = createRateLimit((_, suppressed) => warn({ suppressed }, 'warnings of the OpenTelemetry SDK suppressed'))
  const hear = (...said: readonly unknown[]) => {
    const partial = partialSuccess(said)
    if (partial) rejected(partial.signal, partial.items)
    else if (limit.allows('sdk')) warn({ detail: sentenceOf(said) }, 'the OpenTelemetry SDK warns')
  }
  const silent = () => {}
  const logger: DiagLogger = { error: hear, warn: hear, info: silent, debug: silent, verbose: silent }
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true })
  setGlobalErrorHandler(silent)
  return () => diag.disable()
}

const REJECTED = new Map<string, Signal>([
  ['rejectedSpans', 'traces'],
  ['rejectedDataPoints', 'metrics'],
  ['rejectedLogRecords', 'logs'],
])

/** The exporters tell only their log what a receiver did not take of an export that succeeded otherwise. */
function partialSuccess([sentence, json]: readonly unknown[]): { signal: Signal; items: number } | undefined {
  if (sentence !== 'Received Partial Success response:' || typeof json !== 'string') return undefined
  for (const [key, items] of Object.entries(JSON.parse(json) as Record<string, unknown>)) {
    const signal = REJECTED.get(key)
    if (signal !== undefined) return { signal, items: Number(items) }
  }
  return undefined
}

/** The SDK's own words: the first text that is a sentence. What follows it are values and errors. */
function sentenceOf(said: readonly unknown[]): string {
  const sentence = said.find((part) => typeof part === 'string' && part.includes(' '))
  return typeof sentence === 'string' ? sentence.slice(0, MAX_SENTENCE) : 'no sentence'
}

/** Longer than any sentence of the SDK. */
const MAX_SENTENCE = 200
