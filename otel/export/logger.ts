import type { AnyValue } from '@opentelemetry/api'
import { type DestinationStream, type LogFn, type Logger, pino } from 'pino'
import { LineBatch } from './line-batch.ts'
import type { Losses } from './losses.ts'

/** The maximum number of bytes that wait for the reader of stdout, about 3000 lines. More lines are dropped and counted. */
const MAX_WAITING_BYTES = 1024 * 1024

/**
 * Lines that waited for the write before theirs are written together, up to this size: as much as a pipe holds. A busy event loop
 * begins one write per turn, so with less it loses lines although the reader is fast.
 */
const MAX_LATE_WRITE_BYTES = 64 * 1024

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
 * or a slow disk does not delay mail. It writes lines in batches, at most 20 ms late, and fatal lines immediately. The buffer
 * is bounded. Call `flush` before the process exits.
 */
export function createLogger(options: LoggerOptions): LogOutput {
  if (options.destination) {
    return { logger: pino(settings(options), options.destination), dropped: 0, flush: async () => {} }
  }
  const stdout = openStdout()
  const batch = new LineBatch((lines) => stdout.write(lines))
  // pino calls flushSync after each fatal line
  const batched = { write: (line: string) => batch.add(line), flushSync: () => batch.flush() }
  const logger = pino(settings(options), batched)
  const drops = countDrops(stdout, logger, options.losses)
  // the lines that wait when the process ends without `flush`: the timer of the batch does not keep it alive
  process.on('beforeExit', () => batch.flush()).on('exit', () => batch.flush())
  return {
    logger,
    get dropped() {
      return drops.total
    },
    flush(timeoutMs) {
      batch.flush()
      return flushed(stdout, timeoutMs)
    },
  }
}

type Stdout = ReturnType<typeof pino.destination>

function openStdout(): Stdout {
  const stdout = pino.destination({
    fd: 1,
    sync: false,
    minLength: 1,
    maxLength: MAX_WAITING_BYTES,
    maxWrite: MAX_LATE_WRITE_BYTES,
  })
  // pino writes synchronously at exit: if the reader has stopped, this blocks forever
  stdout.flushSync = () => {}
  return stdout
}

/** Counts dropped lines, and logs their number as soon as the output has room again. */
function countDrops(stdout: Stdout, logger: Logger, losses: Losses): { readonly total: number } {
  const drops = { total: 0 }
  let reported = 0
  const drop = (lines: string) => {
    const dropped = lines.split('\n').length - 1
    drops.total += dropped
    losses.count('logs', 'stdout_full', dropped)
  }
  stdout.on('drop', drop)
  stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
    if (code !== 'EPIPE') return
    // the reader has left permanently: pino writes no more lines and does not count them
    stdout.write = (lines) => {
      drop(lines)
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
    timestamp: timeMember(),
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: describeError },
  }
}

/** The `time` of a line as pino writes it, formatted once a millisecond: a busy log has many lines in one. */
function timeMember(): () => string {
  let last = Number.NaN
  let member = ''
  return () => {
    const now = Date.now()
    if (now === last) return member
    last = now
    member = `,"time":"${new Date(now).toISOString()}"`
    return member
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
