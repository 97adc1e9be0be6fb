import net from 'node:net'
import tls from 'node:tls'
import type { Dial } from '../events/dial.ts'
import type { CancelSignal } from '../net/cancellation.ts'
import { connectAny, ignoreError } from '../net/happy-eyeballs.ts'
import type { UpstreamAddress } from '../settings/config.ts'
import { offers } from '../smtp/ehlo.ts'
import type { Reply } from '../smtp/reply.ts'
import { Attempt, DialFailed, now } from './attempt.ts'
import { type Names, uncached } from './name-cache.ts'
import { TlsContexts } from './tls-contexts.ts'
import { TlsSessions, type Verified } from './tls-sessions.ts'

export { now }

/** A connection to an upstream that has sent its greeting and, unless configured otherwise, is inside verified TLS. */
export interface DialledUpstream {
  /** The socket that carries the session: the TLS socket, or the TCP socket itself. */
  readonly socket: net.Socket
  /** The underlying TCP socket, which can be reset. */
  readonly tcp: net.Socket
  readonly greeting: Reply
  readonly server: UpstreamAddress
  /**
   * True if the greeting was a refusal (4yz, 5yz). Then nothing was negotiated, the connection is unencrypted, and of the
   * client's bytes only QUIT may be relayed.
   */
  readonly refused: boolean
}

/** The result of a dial: the event for telemetry, and the connection if there is one. */
export interface DialResult {
  readonly dial: Dial
  readonly connection?: DialledUpstream
}

/** Dials upstreams. All dials share the TLS contexts and, for each upstream, the TLS sessions to resume. */
export class Dialer {
  readonly #contexts: TlsContexts
  readonly #sessions: TlsSessions
  readonly #names: Names
  readonly #clock: () => number

  /**
   * Trusts `caFile` in addition to the built-in authorities. `clock`, in milliseconds, measures the age of TLS sessions.
   * Throws if the file cannot be read or parsed.
   */
  constructor(caFile?: string, clock = now, names = uncached) {
    this.#clock = clock
    this.#sessions = new TlsSessions(clock)
    this.#names = names
    this.#contexts = new TlsContexts(caFile)
  }

  /** Connects within `timeoutMs`, or until `signal` aborts. A failure is part of the result. Never throws. */
  async dial(server: UpstreamAddress, timeoutMs: number, signal: CancelSignal): Promise<DialResult> {
    const attempt = new Attempt(server, timeoutMs)
    const abort = () => attempt.abort()
    const timer = setTimeout(abort, timeoutMs)
    signal.addEventListener('abort', abort, { once: true })
    if (signal.aborted) abort()
    try {
      const connection = await this.#prepare(attempt)
      return { dial: attempt.facts(connection.refused ? new DialFailed('greeting_refused') : undefined), connection }
    } catch (error) {
      attempt.destroy()
      return { dial: attempt.facts(attempt.failureOf(error)) }
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
    }
  }

  async #prepare(attempt: Attempt): Promise<DialledUpstream> {
    const { server } = attempt
    const { addresses, at } = await attempt.during('resolve', () => {
      const answer = this.#names.find(server.host)
      return answer instanceof Promise ? attempt.wait(answer) : answer
    })
    attempt.resolved(now() - at)
    const tcp = await attempt.during('connect', () =>
      connectAny(addresses, server.port, attempt.timeLeft, attempt.signal),
    )
    attempt.connected(tcp)
    const greeting = await attempt.during('greeting', () => attempt.reply())
    const refused = greeting.code >= 400
    if (!refused && greeting.code !== 220) throw new DialFailed('greeting_refused')
    if (refused || !server.tls) {
      const rest = attempt.handOver()
      if (rest.length > 0) tcp.unshift(rest)
      return { socket: tcp, tcp, greeting, server, refused }
    }
    const secured = await attempt.during('starttls', () => this.#secure(attempt, tcp))
    return { socket: secured, tcp, greeting, server, refused }
  }

  /** EHLO, STARTTLS, handshake: fails closed at each step (RFC 3207). No client byte has been sent yet. */
  async #secure(attempt: Attempt, tcp: net.Socket): Promise<tls.TLSSocket> {
    const ehlo = await attempt.command(`EHLO ${addressLiteral(tcp.localAddress)}\r\n`)
    if (ehlo.code !== 250 || !offers(ehlo.bytes, 'STARTTLS')) throw new DialFailed('starttls_not_offered')
    const ready = await attempt.command('STARTTLS\r\n')
    if (ready.code !== 220) throw new DialFailed('starttls_refused')
    if (attempt.handOver().length > 0) throw new DialFailed('starttls_injection')
    return this.#handshake(attempt, tcp)
  }

  async #handshake(attempt: Attempt, tcp: net.Socket): Promise<tls.TLSSocket> {
    const { host, port } = attempt.server
    const key = `${host}:${port}`
    const cached = this.#sessions.take(key)
    const socket = tls.connect({
      socket: tcp,
      secureContext: this.#contexts.for(key),
      host,
      ...(net.isIP(host) ? {} : { servername: host }),
      checkServerIdentity,
      // by default, Node lets NODE_TLS_REJECT_UNAUTHORIZED=0 turn verification off
      rejectUnauthorized: true,
      ...(cached && { session: cached.session }),
    })
    attempt.securing(socket)
    let verified: Verified = { notAfter: 0, at: 0 }
    socket.once('secureConnect', () => {
      const inherited = socket.isSessionReused() ? cached?.verified : undefined
      verified = inherited ?? { notAfter: expiryOf(socket), at: this.#clock() }
    })
    // registered before the handshake ends, because TLS 1.2 issues its session at that moment
    socket.on('session', (session) => this.#sessions.keep(key, { session, verified }))
    await attempt.wait(handshake(socket))
    this.#contexts.secured(key, socket)
    attempt.secured(socket, verified.notAfter)
    return socket
  }
}

/** Waits for a verified handshake. A FIN during the handshake emits no error event. */
function handshake(socket: tls.TLSSocket): Promise<void> {
  return new Promise((settle, fail) => {
    const failed = (error?: Error) => {
      fail(new DialFailed(socket.authorizationError ? 'tls_untrusted' : 'tls_failed', error))
    }
    const ended = () => failed()
    socket.on('error', failed).once('end', ended).once('close', ended)
    socket.once('secureConnect', () => {
      // an error before the relay starts must not end the process
      socket.off('end', ended).off('close', ended).off('error', failed).on('error', ignoreError)
      settle()
    })
  })
}

/** Like Node's own check, but without its fallback to the CN: only the subjectAltName names a server (RFC 9525 2). */
function checkServerIdentity(host: string, certificate: tls.PeerCertificate): Error | undefined {
  return tls.checkServerIdentity(host, { ...certificate, subject: { ...certificate.subject, CN: '' } })
}

/** Does not use getPeerX509Certificate, which removes the certificate from the TLS session that is to be kept (Node 24). */
function expiryOf(socket: tls.TLSSocket): number {
  const { valid_to: text } = socket.getPeerCertificate()
  return text === undefined ? 0 : Math.floor(Date.parse(text) / 1000)
}

/** RFC 5321 4.1.3: a client without a name sends its address. The upstream forgets it at STARTTLS. */
function addressLiteral(address = '127.0.0.1'): string {
  return net.isIPv6(address) ? `[IPv6:${address}]` : `[${address}]`
}
