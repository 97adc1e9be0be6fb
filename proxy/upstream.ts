import { constants } from 'node:crypto'
import { readFileSync } from 'node:fs'
import net from 'node:net'
import tls from 'node:tls'
import type { UpstreamAddress } from './config.ts'
import { connectAny, resolve } from './connect.ts'
import type { Dial, DialError, DialPhase } from './events.ts'
import { offers } from './smtp/ehlo.ts'
import { type Reply, ReplyReader } from './smtp/reply.ts'

/** A connection to an upstream that has greeted and, unless configured otherwise, is inside verified TLS. */
export interface UpstreamLeg {
  /** Bytes of the session: the TLS socket, or the TCP socket itself. */
  readonly socket: net.Socket
  /** The TCP socket below: the one that can be reset. */
  readonly tcp: net.Socket
  readonly greeting: Reply
  readonly server: UpstreamAddress
  /**
   * True when the greeting was a refusal (4yz, 5yz). Nothing was negotiated then, the leg is in the clear, and no client
   * byte but QUIT may go up.
   */
  readonly refused: boolean
}

/** What came of dialling: the facts for the telemetry, and the leg if there is one. */
export interface DialResult {
  readonly dial: Dial
  readonly leg?: UpstreamLeg
}

/** X25519 first saves a round of post-quantum keys on each connection; a server that wants them may still ask. */
const GROUPS = 'X25519:X25519MLKEM768:prime256v1:secp384r1'

/** Milliseconds since the Unix epoch, from the monotonic clock. */
export function now(): number {
  return performance.timeOrigin + performance.now()
}

/** Ends a dial; caught in `dial`, the only way out of this file is a value. */
class DialFailed extends Error {
  readonly reason: DialError
  readonly detail: string | undefined
  constructor(reason: DialError, cause?: unknown) {
    super(reason)
    this.reason = reason
    const code = (cause as { code?: unknown } | undefined)?.code
    this.detail = typeof code === 'string' && /^[A-Z0-9_]{1,64}$/.test(code) ? code : undefined
  }
}

interface CachedSession {
  readonly session: Buffer
  readonly notAfter: number
}

/** Dials upstreams. Holds what all dials share: the TLS context and, for each upstream, the TLS session to resume. */
export class Dialer {
  readonly #context: tls.SecureContext
  readonly #sessions = new Map<string, CachedSession>()

  /** `caFile` is trusted beside the built-in authorities. Throws what reading or parsing it throws. */
  constructor(caFile?: string) {
    const own = caFile === undefined ? [] : [readFileSync(caFile, 'utf8')]
    this.#context = tls.createSecureContext({
      ca: [...tls.getCACertificates('default'), ...own],
      minVersion: 'TLSv1.2',
      ecdhCurve: GROUPS,
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_COMPRESSION,
    })
  }

  /** Makes a leg, or says why not, within `timeoutMs`. `signal` gives up earlier. Never throws. */
  async dial(server: UpstreamAddress, timeoutMs: number, signal: AbortSignal): Promise<DialResult> {
    const attempt = new Attempt(server, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]))
    try {
      const leg = await this.#prepare(attempt)
      return { dial: attempt.facts(leg.refused ? 'greeting_refused' : undefined), leg }
    } catch (error) {
      attempt.tcp?.destroy()
      const failure = error instanceof DialFailed ? error : new DialFailed(attempt.reasonOf(error), error)
      return { dial: attempt.facts(failure.reason, failure.detail) }
    }
  }

  async #prepare(attempt: Attempt): Promise<UpstreamLeg> {
    const { server } = attempt
    const addresses = await attempt.during('resolve', () => resolve(server.host))
    const tcp = await attempt.during('connect', () => connectAny(addresses, server.port, attempt.signal))
    attempt.connected(tcp)
    const greeting = await attempt.during('greeting', () => attempt.reply())
    const refused = greeting.code >= 400
    if (!refused && greeting.code !== 220) throw new DialFailed('greeting_refused')
    if (refused || !server.tls) return { socket: attempt.handOver(tcp), tcp, greeting, server, refused }
    const secured = await attempt.during('starttls', () => this.#secure(attempt, tcp))
    return { socket: secured, tcp, greeting, server, refused }
  }

  /** EHLO, STARTTLS, handshake: fails closed at each step (RFC 3207). Nothing of the client has been sent yet. */
  async #secure(attempt: Attempt, tcp: net.Socket): Promise<tls.TLSSocket> {
    const ehlo = await attempt.ask(`EHLO ${addressLiteral(tcp.localAddress)}\r\n`)
    if (ehlo.code !== 250 || !offers(ehlo.bytes, 'STARTTLS')) throw new DialFailed('starttls_not_offered')
    const ready = await attempt.ask('STARTTLS\r\n')
    if (ready.code !== 220) throw new DialFailed('starttls_refused')
    attempt.handOver(tcp)
    return this.#handshake(attempt, tcp)
  }

  async #handshake(attempt: Attempt, tcp: net.Socket): Promise<tls.TLSSocket> {
    const { host, port } = attempt.server
    const key = `${host}:${port}`
    const cached = this.#resumable(key)
    const socket = tls.connect({
      socket: tcp,
      secureContext: this.#context,
      host,
      ...(net.isIP(host) ? {} : { servername: host }),
      ...(cached && { session: cached.session }),
    })
    await secured(socket, attempt.signal)
    const notAfter = (socket.isSessionReused() && cached?.notAfter) || certificateEnd(socket)
    socket.on('session', (session) => this.#sessions.set(key, { session, notAfter }))
    attempt.secured(socket, notAfter)
    return socket
  }

  /** A session outlives no certificate: the upstream has to show a new one. */
  #resumable(key: string): CachedSession | undefined {
    const cached = this.#sessions.get(key)
    return cached && cached.notAfter * 1000 > Date.now() ? cached : undefined
  }
}

/** One dial in progress: its signal, its clock, its replies. */
class Attempt {
  readonly server: UpstreamAddress
  readonly signal: AbortSignal
  readonly #at = now()
  readonly #phases: Partial<Record<DialPhase, number>> = {}
  #phase: DialPhase = 'resolve'
  #replies: Replies | undefined
  #replyCode: number | undefined
  #peer: string | undefined
  #tls: Partial<Dial> = {}
  tcp: net.Socket | undefined

  constructor(server: UpstreamAddress, signal: AbortSignal) {
    this.server = server
    this.signal = signal
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
    this.tcp = tcp
    this.#peer = tcp.remoteAddress
    this.#replies = new Replies(tcp)
  }

  async ask(line: string): Promise<Reply> {
    this.tcp?.write(line)
    return this.reply()
  }

  async reply(): Promise<Reply> {
    const reply = await raced(this.#replies!.next(), this.signal)
    this.#replyCode = reply.code
    return reply
  }

  /**
   * Gives the socket away. Bytes behind the last reply were injected in the clear (RFC 3207 5; nostarttls.secvuln.info)
   * when TLS comes next, and a protocol error otherwise.
   */
  handOver(tcp: net.Socket): net.Socket {
    if (this.#replies?.detach()) throw new DialFailed('starttls_injection')
    return tcp
  }

  secured(socket: tls.TLSSocket, notAfter: number): void {
    this.#tls = {
      resumed: socket.isSessionReused(),
      tlsProtocol: socket.getProtocol() ?? 'unknown',
      tlsCipher: socket.getCipher().standardName,
      certificateNotAfter: notAfter,
    }
  }

  /** What an error that is no DialFailed means in the phase in which it came. */
  reasonOf(error: unknown): DialError {
    const code = (error as { code?: unknown }).code
    if (this.#phase === 'resolve') return 'resolve_failed'
    if (this.#phase === 'connect') return connectReason(code)
    if (this.#phase === 'greeting') return this.signal.aborted ? 'greeting_timeout' : 'connect_reset'
    return 'tls_failed'
  }

  facts(error?: DialError, detail?: string): Dial {
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
      ...(error && { error }),
      ...(detail !== undefined && { detail }),
    }
  }
}

function connectReason(code: unknown): DialError {
  if (code === 'ECONNRESET') return 'connect_reset'
  return code === 'ECONNREFUSED' || code === 'EHOSTUNREACH' || code === 'ENETUNREACH' || code === 'EADDRNOTAVAIL'
    ? 'connect_refused'
    : 'connect_timeout'
}

/** The replies to the proxy's own few commands, one at a time. */
class Replies {
  readonly #tcp: net.Socket
  readonly #reader = new ReplyReader()
  readonly #ready: Reply[] = []
  #waiting: { settle: (reply: Reply) => void; fail: (error: Error) => void } | undefined
  #ended: Error | undefined

  constructor(tcp: net.Socket) {
    this.#tcp = tcp
    tcp.on('data', this.#data).on('error', this.#error).on('end', this.#end).on('close', this.#end)
  }

  next(): Promise<Reply> {
    const reply = this.#ready.shift()
    if (reply) return Promise.resolve(reply)
    if (this.#ended) return Promise.reject(this.#ended)
    return new Promise((settle, fail) => {
      this.#waiting = { settle, fail }
    })
  }

  /**
   * Stops listening, except for errors, which would otherwise end the process. Returns true when there is more than was
   * asked for.
   */
  detach(): boolean {
    this.#tcp.off('data', this.#data).off('end', this.#end).off('close', this.#end)
    this.#tcp.pause()
    return this.#ready.length > 0 || this.#reader.unfinished > 0 || this.#tcp.readableLength > 0
  }

  #data = (chunk: Buffer): void => {
    const whole = this.#reader.push(chunk, (reply) => {
      this.#ready.push(reply)
    })
    if (!whole) return this.#error(new DialFailed('greeting_refused'))
    if (this.#waiting && this.#ready.length > 0) {
      const { settle } = this.#waiting
      this.#waiting = undefined
      settle(this.#ready.shift()!)
    }
  }

  #end = (): void => this.#error(new DialFailed('connect_reset'))

  #error = (error: Error): void => {
    this.#ended ??= error instanceof DialFailed ? error : new DialFailed('connect_reset', error)
    this.#waiting?.fail(this.#ended)
    this.#waiting = undefined
  }
}

function raced<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((settle, fail) => {
    const aborted = () => fail(signal.reason)
    if (signal.aborted) return aborted()
    signal.addEventListener('abort', aborted, { once: true })
    work.then(settle, fail).finally(() => signal.removeEventListener('abort', aborted))
  })
}

/** Waits for a verified handshake. A FIN in the middle of it comes without an error. */
function secured(socket: tls.TLSSocket, signal: AbortSignal): Promise<void> {
  const handshake = new Promise<void>((settle, fail) => {
    const failed = (error?: Error) => {
      const untrusted = Boolean(socket.authorizationError) || (error as { code?: string })?.code === ALTNAME
      fail(new DialFailed(untrusted ? 'tls_untrusted' : 'tls_failed', error))
    }
    const ended = () => failed()
    socket.on('error', failed).once('end', ended).once('close', ended)
    socket.once('secureConnect', () => {
      // the listener for errors stays: an error between here and the relay must not end the process
      socket.off('end', ended).off('close', ended)
      settle()
    })
  })
  return raced(handshake, signal)
}

const ALTNAME = 'ERR_TLS_CERT_ALTNAME_INVALID'

function certificateEnd(socket: tls.TLSSocket): number {
  const text = socket.getPeerX509Certificate()?.validTo
  return text === undefined ? 0 : Math.floor(Date.parse(text) / 1000)
}

/** RFC 5321 4.1.3: who has no name to give gives its address. The upstream forgets it at STARTTLS. */
function addressLiteral(address = '127.0.0.1'): string {
  return net.isIPv6(address) ? `[IPv6:${address}]` : `[${address}]`
}
