import type net from 'node:net'
import type tls from 'node:tls'
import type { DialError, DialPhase } from '../events/closed-sets.ts'
import type { Dial } from '../events/dial.ts'
import { descriptorShortage, shortageOf } from '../net/shortage.ts'
import type { UpstreamAddress } from '../settings/config.ts'
import { type Reply, ReplyReader } from '../smtp/reply.ts'

/** Milliseconds since the Unix epoch, from the monotonic clock. */
export function now(): number {
  return performance.timeOrigin + performance.now()
}

/** Ends a dial; `Dialer.dial` makes a value of it, and throws nothing itself. */
export class DialFailed extends Error {
  readonly reason: DialError
  readonly detail: string | undefined
  /** What the operator can do about a shortage of this machine. */
  readonly advice: string | undefined
  constructor(reason: DialError, cause?: unknown) {
    super(reason)
    this.reason = reason
    this.advice = shortageOf(cause)
    const code = (cause as { code?: unknown } | undefined)?.code
    this.detail = typeof code === 'string' && /^[A-Z0-9_/]{1,64}$/.test(code) ? code : undefined
  }
}

/** One dial in progress: its signal, its clock, its replies. */
export class Attempt {
  readonly server: UpstreamAddress
  readonly signal: AbortSignal
  readonly #at = now()
  readonly #timeoutMs: number
  readonly #phases: Partial<Record<DialPhase, number>> = {}
  #phase: DialPhase = 'resolve'
  #replies: Replies | undefined
  #replyCode: number | undefined
  #peer: string | undefined
  #tls: Partial<Dial> = {}
  #tcp: net.Socket | undefined
  #secureSocket: tls.TLSSocket | undefined

  constructor(server: UpstreamAddress, timeoutMs: number, signal: AbortSignal) {
    this.server = server
    this.#timeoutMs = timeoutMs
    this.signal = signal
  }

  /** Milliseconds until the dial times out. */
  get timeLeft(): number {
    return Math.max(0, this.#at + this.#timeoutMs - now())
  }

  /** Runs one phase against the signal and takes its time. */
  async during<T>(phase: DialPhase, run: () => Promise<T>): Promise<T> {
    this.#phase = phase
    const started = now()
    try {
      return await raced(run(), this.signal)
    } finally {
      this.#phases[phase] = now() - started
    }
  }

  connected(tcp: net.Socket): void {
    this.#tcp = tcp
    this.#peer = tcp.remoteAddress
    this.#replies = new Replies(tcp)
  }

  /** Sends a command. A reply that is there before was injected to be taken for the answer (nostarttls.secvuln.info). */
  async ask(line: string): Promise<Reply> {
    if (this.#replies!.ahead) throw new DialFailed('starttls_injection')
    this.#tcp?.write(line)
    return this.reply()
  }

  async reply(): Promise<Reply> {
    const reply = await raced(this.#replies!.next(), this.signal)
    this.#replyCode = reply.code
    return reply
  }

  /**
   * Gives the socket away, paused. Returns what was read behind the last reply: the upstream's next words in the clear,
   * injected bytes before TLS (RFC 3207 5).
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

  /** Closes the connection, TLS first: Node may crash when TLS still has something to write and the socket below is gone. */
  destroy(): void {
    this.#secureSocket?.destroy()
    this.#tcp?.destroy()
  }

  /** What an error that ended the dial means in the phase in which it came. */
  failureOf(error: unknown): DialFailed {
    if (error instanceof DialFailed) return error
    const shortage = this.#shortageIn(error)
    return shortage
      ? new DialFailed('local_resources_exhausted', shortage)
      : new DialFailed(this.#reasonOf(error), error)
  }

  /** The phases that need descriptors, ports and memory of this machine. */
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

  /** What is known of the dial now that it has ended; `failure` is absent when it succeeded. */
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

/** What stands for a reply without an end: a wrong answer to everything. */
const ENDLESS: Reply = { bytes: Buffer.alloc(0), code: 0 }

/** The replies to the proxy's own few commands, one at a time. */
class Replies {
  readonly #tcp: net.Socket
  readonly #reader = new ReplyReader()
  readonly #ready: Reply[] = []
  /** All that was read, and how many octets of it were taken as replies. */
  readonly #read: Buffer[] = []
  #taken = 0
  #waiting: { settle: (reply: Reply) => void; fail: (error: Error) => void } | undefined
  #ended: Error | undefined

  constructor(tcp: net.Socket) {
    this.#tcp = tcp
    tcp.on('data', this.#data).on('error', this.#error).on('end', this.#end).on('close', this.#end)
  }

  /** True when something was read that nobody took yet. */
  get ahead(): boolean {
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

  /** Stops listening, except for errors, which would otherwise end the process. Returns what nobody took. */
  detach(): Buffer {
    this.#tcp.off('data', this.#data).off('end', this.#end).off('close', this.#end)
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

/** `work`, or the signal's reason. What `work` comes to after that is nobody's concern, a rejection included. */
export function raced<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((settle, fail) => {
    const aborted = () => fail(signal.reason)
    work.then(settle, fail).finally(() => signal.removeEventListener('abort', aborted))
    if (signal.aborted) aborted()
    else signal.addEventListener('abort', aborted, { once: true })
  })
}
