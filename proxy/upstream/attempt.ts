import type net from 'node:net'
import type tls from 'node:tls'
import type { DialError, DialPhase } from '../events/closed-sets.ts'
import type { Dial } from '../events/dial.ts'
import { Cancellation, type CancelSignal } from '../net/cancellation.ts'
import { descriptorShortage, shortageOf } from '../net/shortage.ts'
import type { UpstreamAddress } from '../settings/config.ts'
import { type Reply, ReplyReader } from '../smtp/reply.ts'

/** Reading it costs more than the time itself. */
const { timeOrigin } = performance

/** Milliseconds since the Unix epoch, from the monotonic clock. */
export function now(): number {
  return timeOrigin + performance.now()
}

/** An answer of the resolver of this age is used without waiting. Longer than a refresh that takes a few seconds. */
export const FRESH_MS = 10_000

/** Ends a dial. `Dialer.dial` turns it into a value and never throws. */
export class DialFailed extends Error {
  readonly reason: DialError
  readonly detail: string | undefined
  /** How the operator can fix a shortage of this machine. */
  readonly advice: string | undefined
  constructor(reason: DialError, cause?: unknown) {
    super(reason)
    this.reason = reason
    this.advice = reason === 'local_resources_exhausted' ? shortageOf(cause) : undefined
    this.detail = detailOf(cause)
  }
}

/** The name that Node, the resolver or OpenSSL gives to an error, never text from a server. */
export function detailOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code
  return typeof code === 'string' && /^[A-Z0-9_/]{1,64}$/.test(code) ? code : undefined
}

/** One dial in progress: whether it was aborted, its phases and their times, and the upstream's replies. */
export class Attempt {
  readonly server: UpstreamAddress
  readonly #end = new Cancellation()
  readonly #at = now()
  readonly #timeoutMs: number
  readonly #phases: Partial<Record<DialPhase, number>> = {}
  #phase: DialPhase = 'resolve'
  /** Fails the step in progress. */
  #interrupt: ((reason: unknown) => void) | undefined
  #answerAgeMs: number | undefined
  #replies: Replies | undefined
  #replyCode: number | undefined
  #peer: string | undefined
  #tls: Partial<Dial> = {}
  #tcp: net.Socket | undefined
  #secureSocket: tls.TLSSocket | undefined

  constructor(server: UpstreamAddress, timeoutMs: number) {
    this.server = server
    this.#timeoutMs = timeoutMs
  }

  /** Aborts with the dial. */
  get signal(): CancelSignal {
    return this.#end
  }

  /** The dial timed out, or no one waits for it any more: the step in progress fails, and every later one. */
  abort(): void {
    this.#end.abort()
    this.#interrupt?.(this.#end.reason)
  }

  /** Milliseconds until the dial times out. */
  get timeLeft(): number {
    return Math.max(0, this.#at + this.#timeoutMs - now())
  }

  /** Runs and times one phase. */
  async during<T>(phase: DialPhase, run: () => T | Promise<T>): Promise<T> {
    this.#phase = phase
    const started = now()
    try {
      return await run()
    } finally {
      this.#phases[phase] = now() - started
    }
  }

  /**
   * Settles like `step`, or rejects as soon as the dial is aborted; then a later rejection of `step` is ignored. One step at a
   * time.
   */
  wait<T>(step: Promise<T>): Promise<T> {
    return new Promise((settle, fail) => {
      this.#interrupt = fail
      step.then(settle, fail)
      if (this.signal.aborted) fail(this.signal.reason)
    })
  }

  /** The addresses are an answer that the resolver gave so long ago. */
  resolved(ageMs: number): void {
    if (ageMs >= FRESH_MS) this.#answerAgeMs = ageMs
  }

  connected(tcp: net.Socket): void {
    this.#tcp = tcp
    this.#peer = tcp.remoteAddress
    this.#replies = new Replies(tcp)
  }

  /** Sends a command. A reply that arrived before it was injected to pass for the real one (nostarttls.secvuln.info). */
  async command(line: string): Promise<Reply> {
    if (this.#replies!.hasUnread) throw new DialFailed('starttls_injection')
    this.#tcp?.write(line)
    return this.reply()
  }

  async reply(): Promise<Reply> {
    const reply = await this.wait(this.#replies!.next())
    this.#replyCode = reply.code
    return reply
  }

  /**
   * Hands over the paused socket. Returns the bytes that were read after the last reply. Before TLS they are injected
   * (RFC 3207 5); without TLS they belong to the session.
   */
  handOver(): Buffer {
    return this.#replies!.detach()
  }

  securing(socket: tls.TLSSocket): void {
    this.#secureSocket = socket
  }

  secured(socket: tls.TLSSocket, notAfter: number): void {
    this.#tls = {
      resumed: socket.isSessionReused(),
      tlsProtocol: socket.getProtocol() ?? 'unknown',
      tlsCipher: socket.getCipher().standardName,
      certificateNotAfter: notAfter,
    }
  }

  /**
   * Closes the connection, TLS first: Node may crash when TLS still has something to write and the socket below is gone.
   */
  destroy(): void {
    this.#secureSocket?.destroy()
    this.#tcp?.destroy()
  }

  /** Translates the error that ended the dial, by the phase in which it occurred. */
  failureOf(error: unknown): DialFailed {
    if (error instanceof DialFailed) return error
    const shortage = this.#shortageIn(error)
    return shortage
      ? new DialFailed('local_resources_exhausted', shortage)
      : new DialFailed(this.#reasonOf(error), error)
  }

  /** The shortage of this machine that an error indicates. Only two phases need descriptors, ports and memory. */
  #shortageIn(error: unknown): unknown {
    if (this.#phase !== 'resolve' && this.#phase !== 'connect') return undefined
    if (shortageOf(error) !== undefined) return error
    return this.#phase === 'resolve' ? descriptorShortage() : undefined
  }

  #reasonOf(error: unknown): DialError {
    const code = (error as { code?: unknown }).code
    if (this.#phase === 'resolve') return 'resolve_failed'
    if (this.#phase === 'connect') return connectReason(code)
    if (this.#phase === 'greeting') return this.signal.aborted ? 'greeting_timeout' : 'connect_reset'
    return 'tls_failed'
  }

  /** The event of the dial, which has ended. `failure` is absent if it succeeded. */
  facts(failure?: Pick<DialFailed, 'reason' | 'detail' | 'advice'>): Dial {
    const end = now()
    return {
      type: 'dial',
      at: this.#at,
      end,
      serverAddress: this.server.host,
      serverPort: this.server.port,
      phases: { ...this.#phases, total: end - this.#at },
      resumed: false,
      ...this.#tls,
      ...(this.#answerAgeMs !== undefined && { answerAgeMs: this.#answerAgeMs }),
      ...(this.#peer !== undefined && { peerAddress: this.#peer }),
      ...(this.#replyCode !== undefined && { replyCode: this.#replyCode }),
      ...(failure && { error: failure.reason }),
      ...(failure?.detail !== undefined && { detail: failure.detail }),
      ...(failure?.advice !== undefined && { advice: failure.advice }),
    }
  }
}

function connectReason(code: unknown): DialError {
  if (code === 'ECONNRESET') return 'connect_reset'
  return typeof code === 'string' && code !== 'ETIMEDOUT' ? 'connect_refused' : 'connect_timeout'
}

/** Stands for a reply that is too long. No command accepts code 0. */
const ENDLESS: Reply = { bytes: Buffer.alloc(0), code: 0 }

/** Reads the replies to the proxy's own commands, one at a time. */
class Replies {
  readonly #tcp: net.Socket
  readonly #reader = new ReplyReader()
  readonly #ready: Reply[] = []
  /** All bytes that were read, and how many of them `next` has returned. */
  readonly #read: Buffer[] = []
  #taken = 0
  #waiting: { settle: (reply: Reply) => void; fail: (error: Error) => void } | undefined
  #ended: Error | undefined

  constructor(tcp: net.Socket) {
    this.#tcp = tcp
    tcp.on('data', this.#data).on('error', this.#error).on('end', this.#end).on('close', this.#end)
  }

  /** True if bytes were read that `next` has not returned. */
  get hasUnread(): boolean {
    return this.#ready.length > 0 || this.#reader.unfinished > 0
  }

  next(): Promise<Reply> {
    const reply = this.#ready.shift()
    if (reply) return Promise.resolve(this.#take(reply))
    if (this.#ended) return Promise.reject(this.#ended)
    return new Promise((settle, fail) => {
      this.#waiting = { settle, fail }
    })
  }

  /** Stops reading, and keeps nothing of the dial in the socket. Returns the unread bytes. */
  detach(): Buffer {
    this.#tcp.off('data', this.#data).off('end', this.#end).off('close', this.#end).off('error', this.#error)
    this.#tcp.pause()
    return Buffer.concat(this.#read).subarray(this.#taken)
  }

  #take(reply: Reply): Reply {
    this.#taken += reply.bytes.length
    return reply
  }

  #data = (chunk: Buffer): void => {
    this.#read.push(chunk)
    const bounded = this.#reader.push(chunk, (reply) => {
      this.#ready.push(reply)
    })
    if (!bounded) this.#tooLong()
    if (this.#waiting && this.#ready.length > 0) {
      const { settle } = this.#waiting
      this.#waiting = undefined
      settle(this.#take(this.#ready.shift()!))
    }
  }

  #tooLong(): void {
    this.#tcp.off('data', this.#data).pause()
    this.#ready.push(ENDLESS)
  }

  #end = (): void => this.#error(new DialFailed('connect_reset'))

  #error = (error: Error): void => {
    this.#ended ??= error instanceof DialFailed ? error : new DialFailed('connect_reset', error)
    this.#waiting?.fail(this.#ended)
    this.#waiting = undefined
  }
}

/** Settles like `work`, or rejects with the signal's reason if it aborts first. Ignores a later rejection of `work`. */
export function raced<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((settle, fail) => {
    const aborted = () => fail(signal.reason)
    work.then(settle, fail).finally(() => signal.removeEventListener('abort', aborted))
    if (signal.aborted) aborted()
    else signal.addEventListener('abort', aborted, { once: true })
  })
}
