import { type DestinationStream, type Logger, pino } from 'pino'
import type {
  CloseReason,
  Dial,
  RecipientCounts,
  ReplyFacts,
  SessionEvent,
  SessionOpen,
  Telemetry,
  TransactionEnd,
} from '../proxy/events.ts'
import type { AttributeKey, DetailKey } from './names.ts'
import { createRateLimit, type RateLimit } from './rate-limit.ts'

/** Bytes that wait for a reader of stdout; lines beyond are dropped and counted. Some 3000 lines. */
const MAX_WAITING_BYTES = 1024 * 1024
/** Writes to a pipe are whole up to this size (PIPE_BUF of Linux), even if several processes share the pipe. */
const MAX_WRITE_BYTES = 4096

export interface LoggerOptions {
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'
  /** Instead of stdout. */
  readonly destination?: DestinationStream
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
  stdout.on('error', () => {})
  const logger = pino(settings(options), stdout)
  const drops = countDrops(stdout, logger)
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
function countDrops(stdout: Stdout, logger: Logger): { readonly total: number } {
  const drops = { total: 0 }
  let told = 0
  stdout.on('drop', () => {
    drops.total += 1
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

function settings({ level }: LoggerOptions) {
  return {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { err: describeError },
  }
}

/** An error without the properties that libraries hang on it, which may be buffers full of what a peer sent. */
function describeError(error: unknown): object {
  return error instanceof Error ? { ...originOf(error), message: error.message } : { type: typeof error }
}

/** What failed and where, without the message, which may quote the value that was not liked. */
function originOf(error: Error & { readonly code?: unknown }): object {
  const frames = error.stack?.split('\n').filter((line) => line.startsWith('    at '))
  const code = typeof error.code === 'string' ? { code: error.code } : {}
  return { type: error.name, ...code, stack: frames?.join('\n') }
}

/** Sessions that ended so got nothing of what they came for. */
const REFUSED: ReadonlySet<CloseReason> = new Set<CloseReason>(['dial_failed', 'not_allowed', 'session_limit'])

/** A log line: the keys are those of the table. */
type Line = { [Key in AttributeKey | DetailKey]?: string | number | boolean | readonly string[] }

export interface LogOptions {
  /** PROXY_RECORD_ADDRESSES: with `none`, not even the client's IP address is told. */
  readonly recordAddresses: 'none' | 'domain' | 'full'
}

/**
 * One line for each mail and one for each session, which says all there is to say. What fails all the time for one
 * reason (dials, sessions in which no mail began) is told a few times a second and then counted.
 */
export function createLog(logger: Logger, options: LogOptions): Telemetry {
  const limit = createRateLimit((reason, suppressed) => logger.warn({ reason, suppressed }, 'lines suppressed'))
  return {
    open(event) {
      const session = new SessionLog(event, logger, limit, options)
      return (next) => session.observe(next)
    },
    dial: (event) => logDial(event, logger, limit),
    observerFailed(error) {
      if (!limit.allows('observer')) return
      logger.error(error instanceof Error ? originOf(error) : {}, 'telemetry failed')
    },
  }
}

/** Gathers one session's lines. */
class SessionLog {
  readonly #open: SessionOpen
  readonly #logger: Logger
  readonly #limit: RateLimit
  readonly #who: Line
  /** What the session's line will say. */
  readonly #facts: Line = {}
  #dials = 0
  #lastDial: Dial | undefined
  #server: string
  #transactionBegan: number | undefined

  constructor(open: SessionOpen, logger: Logger, limit: RateLimit, options: LogOptions) {
    this.#open = open
    this.#logger = logger
    this.#limit = limit
    this.#server = open.serverAddress
    this.#who = {
      'smtp.session.id': open.sessionId,
      'smtp.client.name': open.clientName,
      ...(options.recordAddresses !== 'none' && { 'client.address': open.clientAddress }),
    }
  }

  observe(event: SessionEvent): void {
    switch (event.type) {
      case 'dial':
        return this.#dialled(event)
      case 'tls':
        this.#facts['tls.protocol.version'] = event.protocol
        this.#facts['tls.cipher'] = event.cipher
        return
      case 'auth':
        this.#facts['smtp.auth.mechanism'] = event.mechanism
        this.#facts['smtp.auth.code'] = event.reply.code
        return
      case 'tx-begin':
        this.#transactionBegan = event.at
        return
      case 'tx-commit':
      case 'tx-rollback':
      case 'tx-reset':
        return this.#transactionEnded(event)
      case 'tx-lost':
        return this.#transactionEnded(event, event.stage)
      case 'session-opaque':
        this.#facts['smtp.opaque.reason'] = event.reason
        return
      case 'session-close':
        return this.#sessionClosed(event)
    }
  }

  #dialled(event: Dial): void {
    this.#dials += 1
    this.#lastDial = event
    if (!event.error) this.#server = event.serverAddress
    logDial(event, this.#logger, this.#limit, { 'smtp.session.id': this.#open.sessionId })
  }

  #transactionEnded(end: TransactionEnd, stage?: string): void {
    const failed = end.outcome !== 'accepted' && end.outcome !== 'aborted'
    const level = failed ? 'warn' : 'info'
    const began = this.#transactionBegan
    this.#transactionBegan = undefined
    if (!this.#logger.isLevelEnabled(level)) return
    const line: Line = {
      ...this.#who,
      'server.address': this.#server,
      'smtp.transaction.outcome': end.outcome,
      ...(end.error && { 'error.type': end.error }),
      ...(stage && { 'smtp.transaction.stage': stage }),
      ...(end.command && { 'smtp.command': end.command }),
      ...(end.reply && factsOf(end.reply)),
      ...(end.hasBody && { 'smtp.message.size': end.size }),
      ...countsOf(end.recipients),
      ...(began !== undefined && { duration_ms: milliseconds(began, end.at) }),
    }
    this.#logger[level](line, 'transaction')
  }

  #sessionClosed(event: Extract<SessionEvent, { type: 'session-close' }>): void {
    const idle = event.messages === 0
    const level = REFUSED.has(event.reason) ? 'warn' : 'info'
    if (!this.#logger.isLevelEnabled(level) || (idle && !this.#limit.allows(`session ${event.reason}`))) return
    const line: Line = {
      ...this.#who,
      'server.address': this.#server,
      'smtp.listener': this.#open.listener,
      'smtp.session.close_reason': event.reason,
      'smtp.session.closed_by': event.by,
      'smtp.session.messages': event.messages,
      'network.io.transmit': event.transmit,
      'network.io.receive': event.receive,
      ...this.#facts,
      ...(this.#dials > 0 && { 'smtp.dial.count': this.#dials }),
      duration_ms: milliseconds(this.#open.at, event.at),
    }
    this.#logger[level](this.#lastDial ? { ...line, dial: dialLine(this.#lastDial) } : line, 'session')
  }
}

function logDial(event: Dial, logger: Logger, limit: RateLimit, session: Line = {}): void {
  if (event.error && limit.allows(`dial ${event.error}`)) logger.warn({ ...session, ...dialLine(event) }, 'dial failed')
  if (!event.error && logger.isLevelEnabled('debug')) logger.debug({ ...session, ...dialLine(event) }, 'dialled')
}

function dialLine(dial: Dial): Line {
  return {
    'server.address': dial.serverAddress,
    'server.port': dial.serverPort,
    ...(dial.peerAddress && { 'network.peer.address': dial.peerAddress }),
    ...(dial.error && { 'error.type': dial.error }),
    ...(dial.detail && { 'smtp.dial.detail': dial.detail }),
    ...(dial.replyCode && { 'smtp.reply.code': dial.replyCode }),
    ...(dial.tlsProtocol && { 'tls.protocol.version': dial.tlsProtocol }),
    ...(dial.tlsCipher && { 'tls.cipher': dial.tlsCipher }),
    'tls.resumed': dial.resumed,
    duration_ms: milliseconds(dial.at, dial.end),
  }
}

function factsOf(reply: ReplyFacts): Line {
  return {
    'smtp.reply.code': reply.code,
    ...(reply.enhancedCode && { 'smtp.reply.enhanced_code': reply.enhancedCode }),
    'smtp.reply.cause': reply.cause,
    'smtp.reply.origin': reply.origin,
    ...(reply.ids && { 'smtp.message.ids': reply.ids }),
  }
}

function countsOf(recipients: RecipientCounts): Line {
  return {
    'smtp.recipient.accepted': recipients.accepted,
    'smtp.recipient.tempfail': recipients.tempfail,
    'smtp.recipient.permfail': recipients.permfail,
  }
}

/** To the microsecond: clocks tell no more. */
function milliseconds(from: number, to: number): number {
  return Math.round((to - from) * 1000) / 1000
}
