import { constants } from 'node:crypto'
import { readFileSync } from 'node:fs'
import net from 'node:net'
import tls from 'node:tls'
import type { Dial } from '../events/dial.ts'
import { connectAny, resolve } from '../net/happy-eyeballs.ts'
import type { UpstreamAddress } from '../settings/config.ts'
import { offers } from '../smtp/ehlo.ts'
import type { Reply } from '../smtp/reply.ts'
import { Attempt, DialFailed, now, raced } from './attempt.ts'

export { now }

/** A connection to an upstream that has greeted and, unless configured otherwise, is inside verified TLS. */
export interface DialledUpstream {
  /** Bytes of the session: the TLS socket, or the TCP socket itself. */
  readonly socket: net.Socket
  /** The TCP socket below: the one that can be reset. */
  readonly tcp: net.Socket
  readonly greeting: Reply
  readonly server: UpstreamAddress
  /**
   * True when the greeting was a refusal (4yz, 5yz). Nothing was negotiated then, the connection is unencrypted, and of the
   * client's bytes only QUIT may go up.
   */
  readonly refused: boolean
}

/** What came of dialling: the facts for the telemetry, and the connection if there is one. */
export interface DialResult {
  readonly dial: Dial
  readonly connection?: DialledUpstream
}

/** X25519 first saves a round of post-quantum keys on each connection; a server that wants them may still ask. */
const GROUPS = 'X25519:X25519MLKEM768:prime256v1:secp384r1'

/**
 * Milliseconds after a full handshake for which its TLS session, and what the upstream gives out when that is resumed, may
 * be resumed. A resumed session shows no certificate: a renewed one is seen after this time at the latest.
 */
const RESUMABLE_MS = 24 * 60 * 60 * 1000

/** What a full handshake showed. Sessions that are resumed from it inherit it. */
interface Shown {
  /** When the certificate ends, in seconds since the Unix epoch. */
  readonly notAfter: number
  /** When it was verified, by the dialer's clock. */
  readonly at: number
}

interface CachedSession {
  readonly session: Buffer
  readonly shown: Shown
}

/** Dials upstreams. Holds what all dials share: the TLS context and, for each upstream, the TLS session to resume. */
export class Dialer {
  readonly #context: tls.SecureContext
  readonly #sessions = new Map<string, CachedSession>()
  readonly #clock: () => number

  /**
   * `caFile` is trusted beside the built-in authorities. `clock`, in milliseconds, tells how old TLS sessions are. Throws
   * what reading or parsing the file throws.
   */
  constructor(caFile?: string, clock = now) {
    this.#clock = clock
    const own = caFile === undefined ? [] : [readFileSync(caFile, 'utf8')]
    this.#context = tls.createSecureContext({
      ca: [...tls.getCACertificates('default'), ...own],
      minVersion: 'TLSv1.2',
      ecdhCurve: GROUPS,
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_COMPRESSION,
    })
  }

  /** Makes a connection, or says why not, within `timeoutMs`. `signal` gives up earlier. Never throws. */
  async dial(server: UpstreamAddress, timeoutMs: number, signal: AbortSignal): Promise<DialResult> {
    const end = new AbortController()
    const giveUp = () => end.abort()
    const timer = setTimeout(giveUp, timeoutMs)
    signal.addEventListener('abort', giveUp, { once: true })
    if (signal.aborted) giveUp()
    const attempt = new Attempt(server, timeoutMs, end.signal)
    try {
      const connection = await this.#prepare(attempt)
      return { dial: attempt.facts(connection.refused ? new DialFailed('greeting_refused') : undefined), connection }
    } catch (error) {
      attempt.destroy()
      return { dial: attempt.facts(attempt.failureOf(error)) }
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', giveUp)
    }
  }

  async #prepare(attempt: Attempt): Promise<DialledUpstream> {
    const { server } = attempt
    const addresses = await attempt.during('resolve', () => resolve(server.host))
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

  /** EHLO, STARTTLS, handshake: fails closed at each step (RFC 3207). Nothing of the client has been sent yet. */
  async #secure(attempt: Attempt, tcp: net.Socket): Promise<tls.TLSSocket> {
    const ehlo = await attempt.ask(`EHLO ${addressLiteral(tcp.localAddress)}\r\n`)
    if (ehlo.code !== 250 || !offers(ehlo.bytes, 'STARTTLS')) throw new DialFailed('starttls_not_offered')
    const ready = await attempt.ask('STARTTLS\r\n')
    if (ready.code !== 220) throw new DialFailed('starttls_refused')
    if (attempt.handOver().length > 0) throw new DialFailed('starttls_injection')
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
      checkServerIdentity,
      // by default, Node lets NODE_TLS_REJECT_UNAUTHORIZED=0 turn verification off
      rejectUnauthorized: true,
      ...(cached && { session: cached.session }),
    })
    attempt.securing(socket)
    let shown: Shown = { notAfter: 0, at: 0 }
    socket.once('secureConnect', () => {
      const resumed = socket.isSessionReused() ? cached?.shown : undefined
      shown = resumed ?? { notAfter: certificateEnd(socket), at: this.#clock() }
    })
    // before the wait: TLS 1.2 gives its session together with the end of the handshake
    socket.on('session', (session) => this.#sessions.set(key, { session, shown }))
    await secured(socket, attempt.signal)
    attempt.secured(socket, shown.notAfter)
    return socket
  }

  /** A session outlives neither its certificate nor its day: the upstream has to show one again. */
  #resumable(key: string): CachedSession | undefined {
    const cached = this.#sessions.get(key)
    if (!cached || cached.shown.notAfter * 1000 <= Date.now()) return undefined
    return this.#clock() - cached.shown.at < RESUMABLE_MS ? cached : undefined
  }
}

/** Waits for a verified handshake. A FIN in the middle of it comes without an error. */
function secured(socket: tls.TLSSocket, signal: AbortSignal): Promise<void> {
  const handshake = new Promise<void>((settle, fail) => {
    const failed = (error?: Error) => {
      fail(new DialFailed(socket.authorizationError ? 'tls_untrusted' : 'tls_failed', error))
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

/** As Node's own, but without its way back to the CN: only the subjectAltName names a server (RFC 9525 2). */
function checkServerIdentity(host: string, certificate: tls.PeerCertificate): Error | undefined {
  return tls.checkServerIdentity(host, { ...certificate, subject: { ...certificate.subject, CN: '' } })
}

/** Not by getPeerX509Certificate, which takes the certificate out of the TLS session that is to be kept (Node 24). */
function certificateEnd(socket: tls.TLSSocket): number {
  const { valid_to: text } = socket.getPeerCertificate()
  return text === undefined ? 0 : Math.floor(Date.parse(text) / 1000)
}

/** RFC 5321 4.1.3: who has no name to give gives its address. The upstream forgets it at STARTTLS. */
function addressLiteral(address = '127.0.0.1'): string {
  return net.isIPv6(address) ? `[IPv6:${address}]` : `[${address}]`
}
