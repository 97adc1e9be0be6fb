import type { AnyValue } from '@opentelemetry/api'
import { type DestinationStream, type LogFn, type Logger, pino } from 'pino'
import type { Losses } from './losses.ts'

/** Bytes that wait for a reader of stdout; lines beyond are dropped and counted. Some 3000 lines. */
const MAX_WAITING_BYTES = 1024 * 1024
/** Writes to a pipe are whole up to this size (PIPE_BUF of Linux), even if several processes share the pipe. */
const MAX_WRITE_BYTES = 4096

export interface LoggerOptions {
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'
  /** Instead of stdout. */
  readonly destination?: DestinationStream
  /** Counts lines that were not written. */
  readonly losses: Losses
  /** Hears every line that is written, to export it. */
  readonly emit?: (entry: LogEntry) => void
}

/** A log line as data, for exporters. */
export interface LogEntry {
  readonly level: Exclude<LoggerOptions['level'], 'silent'>
  readonly message: string
  /** All but the ids of its span; of a mail without a span, `trace_id` is the trace that its header named. */
  readonly attributes: Readonly<Record<string, AnyValue>>
  /** The span that the line belongs to; absent when none was kept. */
  readonly trace?: { readonly traceId: string; readonly spanId: string; readonly traceFlags: number }
}

/** Where log lines go. */
export interface LogOutput {
  readonly logger: Logger
  /** Lines that nobody read in time. */
  readonly dropped: number
  /** Resolves when all lines are written, or after `timeoutMs` when nobody reads them. Never rejects. */
  flush(timeoutMs: number): Promise<void>
}

/**
 * JSON lines on stdout, or in `destination`. Writing is done by another thread, so that a full pipe, a stopped terminal
 * or a slow disk delays no mail, and what waits is bounded. Whoever ends the process calls `flush` before.
 */
export function createLogger(options: LoggerOptions): LogOutput {
  if (options.destination) {
    return { logger: pino(settings(options), options.destination), dropped: 0, flush: async () => {} }
  }
  const stdout = pino.destination({
    fd: 1,
    sync: false,
    minLength: 1,
    maxLength: MAX_WAITING_BYTES,
    maxWrite: MAX_WRITE_BYTES,
  })
  // pino writes synchronously at exit and after each fatal line: with a reader that stands still, for ever.
  stdout.flushSync = () => {}
  const logger = pino(settings(options), stdout)
  const drops = countDrops(stdout, logger, options.losses)
  return {
    logger,
    get dropped() {
      return drops.total
    },
    flush: (timeoutMs) => flushed(stdout, timeoutMs),
  }
}

type Stdout = ReturnType<typeof pino.destination>

/** Says how many lines are missing, as soon as there is room to say it. */
function countDrops(stdout: Stdout, logger: Logger, losses: Losses): { readonly total: number } {
  const drops = { total: 0 }
  let told = 0
  const drop = () => {
    drops.total += 1
    losses.count('logs', 'stdout_full')
  }
  stdout.on('drop', drop)
  stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
    if (code !== 'EPIPE') return
    // the reader has gone for good: pino writes nothing more, and counts nothing
    stdout.write = () => {
      drop()
      return true
    }
  })
  stdout.on('drain', () => {
    if (drops.total === told) return
    const dropped = drops.total - told
    told = drops.total
    logger.warn({ dropped }, 'log lines dropped: stdout was not read fast enough')
  })
  return drops
}

function flushed(stdout: Stdout, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, timeoutMs)
    stdout.flush(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}

function settings({ level, emit, losses }: LoggerOptions) {
  return {
    level,
    ...(emit && { hooks: { logMethod: emitting(emit, losses) } }),
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: describeError },
  }
}

/** pino's hook: hands on what a line says before it is written. A line that cannot be handed on is written all the same. */
function emitting(emit: (entry: LogEntry) => void, losses: Losses) {
  return function (this: Logger, inputArgs: Parameters<LogFn>, method: LogFn, level: number): void {
    try {
      emit(entryOf(inputArgs, pino.levels.labels[level] as LogEntry['level']))
    } catch {
      losses.count('logs', 'export_failed')
    }
    method.apply(this, inputArgs)
  }
}

/** The arguments of a log call: members and a message, or a message alone. */
function entryOf(call: readonly unknown[], level: LogEntry['level']): LogEntry {
  const [first, second] = call
  if (typeof first === 'string') return { level, message: first, attributes: {} }
  const { err, trace_id, span_id, trace_flags, ...members } = first as Record<string, AnyValue>
  const error = err === undefined ? {} : { err: describeError(err) as Record<string, AnyValue> }
  const attributes = { ...members, ...error }
  const message = String(second ?? '')
  if (typeof trace_id !== 'string') return { level, message, attributes }
  if (typeof span_id !== 'string') return { level, message, attributes: { ...attributes, trace_id } }
  return { level, message, attributes, trace: { traceId: trace_id, spanId: span_id, traceFlags: Number(trace_flags) } }
}

/** An error without the properties that libraries hang on it, which may be buffers full of what a peer sent. */
function describeError(error: unknown): object {
  return error instanceof Error ? { ...originOf(error), message: error.message } : { type: typeof error }
}

/** What failed and where, without the message, which may quote the value that was not liked. */
export function originOf(error: Error & { readonly code?: unknown }): object {
  const code = typeof error.code === 'string' ? { code: error.code } : {}
  return { type: error.name, ...code, stack: framesOf(error).join('\n') }
}

/** Where an error was thrown. A message may have lines that look like a stack, so what stands before its end is left out. */
export function framesOf({ message, stack = '' }: Error): string[] {
  const start = stack.indexOf(message)
  const frames = start < 0 ? '' : stack.slice(start + message.length)
  return frames.split('\n').filter((line) => line.startsWith('    at '))
}
