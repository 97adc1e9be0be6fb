import type { AnyValue } from '@opentelemetry/api'
import { type DestinationStream, type LogFn, type Logger, pino } from 'pino'
import type { Losses } from './losses.ts'

/** The maximum number of bytes that wait for the reader of stdout, about 3000 lines. More lines are dropped and counted. */
const MAX_WAITING_BYTES = 1024 * 1024
/** Writes to a pipe are atomic up to this size (PIPE_BUF on Linux), even if several processes share the pipe. */
const MAX_WRITE_BYTES = 4096

/** What the logger writes, and where. */
export interface LoggerOptions {
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'
  /** Replaces stdout. */
  readonly destination?: DestinationStream
  /** Counts dropped lines. */
  readonly losses: Losses
  /** Receives every line, to export it. */
  readonly emit?: (entry: LogEntry) => void
}

/** A log line as data, for exporters. */
export interface LogEntry {
  readonly level: Exclude<LoggerOptions['level'], 'silent'>
  readonly message: string
  /** All fields except the ids of the span. If a message has no span, `trace_id` is the trace that its header names. */
  readonly attributes: Readonly<Record<string, AnyValue>>
  /** The span of the line. Absent if no span was kept. */
  readonly trace?: { readonly traceId: string; readonly spanId: string; readonly traceFlags: number }
}

/** The logger and its output. */
export interface LogOutput {
  readonly logger: Logger
  /** The number of lines that were dropped because they were not read in time. */
  readonly dropped: number
  /** Resolves when all lines are written, or after `timeoutMs` if they are not read. Never rejects. */
  flush(timeoutMs: number): Promise<void>
}

/**
 * Creates a logger of JSON lines on stdout or in `destination`. Another thread writes, so that a full pipe, a stopped terminal
 * or a slow disk does not delay mail. The buffer is bounded. Call `flush` before the process exits.
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
  // pino writes synchronously at exit and after each fatal line: if the reader has stopped, this blocks forever
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

/** Counts dropped lines, and logs their number as soon as the output has room again. */
function countDrops(stdout: Stdout, logger: Logger, losses: Losses): { readonly total: number } {
  const drops = { total: 0 }
  let reported = 0
  const drop = () => {
    drops.total += 1
    losses.count('logs', 'stdout_full')
  }
  stdout.on('drop', drop)
  stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
    if (code !== 'EPIPE') return
    // the reader has left permanently: pino writes no more lines and does not count them
    stdout.write = () => {
      drop()
      return true
    }
  })
  stdout.on('drain', () => {
    if (drops.total === reported) return
    const dropped = drops.total - reported
    reported = drops.total
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

/** A pino hook that passes each line to `emit` before it is written. If `emit` throws, the line is still written. */
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

/** Converts the arguments of a log call: fields and a message, or only a message. */
function entryOf(call: readonly unknown[], level: LogEntry['level']): LogEntry {
  const [first, second] = call
  if (typeof first === 'string') return { level, message: first, attributes: {} }
  const { err, trace_id, span_id, trace_flags, ...fields } = first as Record<string, AnyValue>
  const error = err === undefined ? {} : { err: describeError(err) as Record<string, AnyValue> }
  const attributes = { ...fields, ...error }
  const message = String(second ?? '')
  if (typeof trace_id !== 'string') return { level, message, attributes }
  if (typeof span_id !== 'string') return { level, message, attributes: { ...attributes, trace_id } }
  return { level, message, attributes, trace: { traceId: trace_id, spanId: span_id, traceFlags: Number(trace_flags) } }
}

/** An error without the properties that libraries add. They may be buffers with data of a peer. */
function describeError(error: unknown): object {
  return error instanceof Error ? { ...originOf(error), message: error.message } : { type: typeof error }
}

/** The type, code and stack of an error, without its message, which may quote the value that caused it. */
export function originOf(error: Error & { readonly code?: unknown }): object {
  const code = typeof error.code === 'string' ? { code: error.code } : {}
  return { type: error.name, ...code, stack: framesOf(error).join('\n') }
}

/** The stack frames of an error. The message may contain lines that look like frames, so the search starts after it. */
export function framesOf({ message, stack = '' }: Error): string[] {
  const start = stack.indexOf(message)
  const frames = start < 0 ? '' : stack.slice(start + message.length)
  return frames.split('\n').filter((line) => line.startsWith('    at '))
}
