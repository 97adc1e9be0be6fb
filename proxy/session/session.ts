import { randomUUID } from 'node:crypto'
import type net from 'node:net'
import type { SecureContext } from 'node:tls'
import { ClientConnection } from '../connection/client-connection.ts'
import type { TlsFailure } from '../connection/client-tls.ts'
import type { ReadPool } from '../connection/read-pool.ts'
import type { RefusedConnections } from '../connection/refused.ts'
import { ByteQueue } from '../dialogue/byte-queue.ts'
import { Dialogue } from '../dialogue/dialogue.ts'
import type { CloseReason } from '../events/closed-sets.ts'
import type { Dial, Handover } from '../events/dial.ts'
import type { Observer } from '../events/observer.ts'
import type { SessionOpen } from '../events/session-event.ts'
import type { ListenAddress } from '../settings/config.ts'
import type { ClientSecurity } from '../smtp/ehlo.ts'
import type { AddressScope } from '../smtp/path.ts'
import { type DialledUpstream, now } from '../upstream/dialer.ts'
import type { Reached } from '../upstream/failover.ts'
import { type ExpectedHeader, expectProxyHeader } from './expected-header.ts'
import type { OwnWord } from './local-replies.ts'
import * as words from './local-replies.ts'
import { type Limits, Relay } from './relay.ts'
import type { Ending } from './teardown.ts'

/** Octets read from a client before the upstream has greeted; then the client waits. */
const MAX_EARLY_BYTES = 64 * 1024

/** Where a client comes from, as far as the proxy believes. */
export interface Source {
  readonly address: string
  readonly port: number
}

/** What a session needs from the server room. */
export interface SessionHost {
  readonly limits: Limits & { readonly proxyHeaderMs: number }
  readonly idleMs: number
  readonly readPool: ReadPool
  /** Takes over the connections of sessions that are refused. */
  readonly refused: RefusedConnections
  /** How much of senders and recipients its events may name. */
  readonly recordAddresses: AddressScope
  secureContext(): SecureContext | undefined
  /** True when this peer must begin with a PROXY protocol header. */
  expectsProxyHeader(peer: string): boolean
  /** A word of refusal, or undefined when the client may come in (it is then counted until `left`). */
  admit(source: Source): OwnWord | undefined
  open(event: SessionOpen): Observer
  clientName(address: string): string
  /** A connection or a failure; `report` gets each dial, or the handover of a connection that was dialled before. */
  reach(signal: AbortSignal, report: (event: Dial | Handover) => void): Promise<Reached>
  readonly preferredUpstream: string
  dialogueFailed(error: unknown): void
  left(session: Session): void
}

/** One client connection, from accept to close. */
export class Session {
  readonly #host: SessionHost
  readonly #listener: ListenAddress
  readonly #client: ClientConnection
  readonly #expectsHeader: boolean
  readonly #openedAt = now()
  readonly #giveUp = new AbortController()
  #source: Source
  #observer: Observer = () => {}
  #dialogue: Dialogue | undefined
  #relay: Relay | undefined
  readonly #early = new ByteQueue()
  #clientEnded = false
  #closed = false
  #draining = false
  #tlsFailure: TlsFailure | undefined
  /** Set while the session counts against the caps. */
  admitted: Source | undefined

  constructor(tcp: net.Socket, listener: ListenAddress, host: SessionHost) {
    this.#host = host
    this.#listener = listener
    this.#source = { address: tcp.remoteAddress ?? '', port: tcp.remotePort ?? 0 }
    // what follows a PROXY header in the same segment is put back into the socket, which a pooled one cannot take
    this.#expectsHeader = host.expectsProxyHeader(this.#source.address)
    this.#client = new ClientConnection(tcp, this.#expectsHeader ? undefined : host.readPool)
  }

  /** Application octets relayed so far. */
  get transmit(): number {
    return this.#relay?.transmit ?? 0
  }

  get receive(): number {
    return this.#relay?.receive ?? 0
  }

  /** True while a client is served: a cut would end what it is doing. */
  get unfinished(): boolean {
    return this.#relay?.unfinished ?? false
  }

  /** Runs the session up to the relay; the rest happens as bytes come. Never rejects. */
  async run(): Promise<void> {
    this.#listenEarly()
    const withoutHeader = this.#expectsHeader ? await this.#readProxyHeader() : undefined
    if (withoutHeader) return this.#turnAway(withoutHeader)
    // it left after its header, as the health checks of some load balancers do
    if (this.#closed) return
    this.#begin()
    if (this.#draining) return this.#refuse(words.DRAINING, 'drained')
    const refusal = this.#host.admit(this.#source)
    if (refusal) return this.#refuse(refusal, refusal === words.NOT_ALLOWED ? 'not_allowed' : 'session_limit')
    this.admitted = this.#source
    if (this.#listener.scheme === 'smtp') this.#client.refuseTls(() => this.#refuseTls())
    const secured = this.#listener.scheme === 'smtps' ? this.#secure() : true
    if (secured === true) this.#client.resume()
    const reached = await this.#host.reach(this.#giveUp.signal, (event) => this.#observer(event))
    const ready = await secured
    if (!ready) this.#client.destroy()
    if (this.#closed || !ready) return this.#dropConnection(reached)
    if (reached.connection) this.#start(reached.connection)
    else this.#refuse(wordFor(reached.failure), 'dial_failed')
  }

  /** Called now and then with the time: ends what is idle or may be drained. */
  tick(at: number): void {
    this.#relay?.tick(at, this.#host.idleMs)
  }

  /** Ends the session politely at the next moment at which no mail is under way, but not before `from`. */
  drain(from: number): void {
    this.#draining = true
    if (this.#relay) this.#relay.drain(from)
    else if (this.#dialogue && !this.#closed) this.#refuse(words.DRAINING, 'drained')
  }

  /** Ends the session now. */
  cut(): void {
    this.#draining = true
    if (this.#relay) this.#relay.cut('drained', 'drained')
    else this.#client.destroy()
  }

  /** RFC 5321 4.3.1: a client should wait for the greeting. What it sends before is relayed after the greeting. */
  #earlyData(chunk: Buffer): void {
    if (this.#early.empty) this.#observer({ type: 'early-talk', at: now() })
    this.#early.push(chunk)
    if (this.#early.length >= MAX_EARLY_BYTES) this.#client.pause()
  }

  /** A client that closes without a word wants nothing: a port probe must not leave a connection to AhaSend behind. */
  #earlyEnd(): void {
    this.#clientEnded = true
    if (this.#early.empty) this.#client.destroy()
  }

  #closedEarly(reset: boolean): void {
    this.#giveUp.abort()
    const reason = reset ? 'client_reset' : 'client_closed'
    if (!this.#closed) this.#finishUnlessDrained({ by: 'client', reason, error: 'upstream_lost' })
  }

  /** Ends a session that has no valid PROXY header: its client is unknown. */
  #turnAway(ending: Ending): void {
    this.#finishUnlessDrained(ending)
    this.#client.destroy()
  }

  /** Resolves with undefined when there was one, else with why the session ends. */
  #readProxyHeader(): Promise<Ending | undefined> {
    return new Promise((settle) => {
      expectProxyHeader(this.#client, this.#host.limits.proxyHeaderMs, (outcome) => {
        if (!('rest' in outcome)) return settle(endingOf(outcome))
        if (outcome.source) this.#source = outcome.source
        this.#listenEarly()
        this.#client.unread(outcome.rest)
        settle(undefined)
      })
    })
  }

  /** Until the upstream has greeted: keep what the client says, and notice when it leaves. */
  #listenEarly(): void {
    this.#client.listen({
      data: (chunk) => this.#earlyData(chunk),
      ended: () => this.#earlyEnd(),
      drained: () => {},
      closed: (reset) => this.#closedEarly(reset),
    })
  }

  /** From here on the session is observed: its client is known, or never will be. */
  #begin(): void {
    if (this.#dialogue) return
    this.#observer = this.#host.open({
      type: 'session-open',
      at: this.#openedAt,
      sessionId: randomUUID(),
      clientName: this.#host.clientName(this.#source.address),
      clientAddress: this.#source.address,
      clientPort: this.#source.port,
      listener: this.#listener.url,
      serverAddress: this.#host.preferredUpstream,
    })
    this.#dialogue = new Dialogue((event) => this.#observer(event), this.#host.recordAddresses)
  }

  async #secure(): Promise<boolean> {
    const context = this.#host.secureContext()
    const socket = context && (await this.#client.secureWith(context, 'smtps', this.#host.limits.handshakeMs))
    if (!socket) return false
    this.#dialogue?.tls(socket.getProtocol() ?? 'unknown', socket.getCipher().standardName, now())
    this.#client.resume()
    return true
  }

  #dropConnection(reached: Reached): void {
    reached.connection?.socket.destroy()
    reached.connection?.tcp.destroy()
  }

  #start(connection: DialledUpstream): void {
    const dialogue = this.#dialogue!
    this.#relay = new Relay({
      client: this.#client,
      upstream: connection,
      dialogue,
      security: this.#clientSecurity(),
      secureContext: () => this.#host.secureContext(),
      limits: this.#host.limits,
      emit: (event) => this.#observer(event),
      dialogueFailed: (error) => this.#host.dialogueFailed(error),
      ended: (ending) => this.#finish(ending),
    })
    dialogue.greeting(connection.greeting, this.#openedAt, now())
    this.#relay.start(this.#early.take(), this.#clientEnded)
  }

  #clientSecurity(): ClientSecurity {
    if (this.#client.secure) return 'tls'
    if (!this.#host.secureContext()) return 'plain'
    return this.#listener.starttlsRequired ? 'starttls-required' : 'starttls-offered'
  }

  /** The proxy's word in place of a greeting. In the clear on a TLS listener it could not be read. */
  #refuse(word: OwnWord, reason: CloseReason): void {
    this.#closed = true
    this.#giveUp.abort()
    const speaks = this.#listener.scheme === 'smtp' || this.#client.secure
    const verb = reason === 'tls_failed' ? 'UNKNOWN' : 'CONNECT'
    if (speaks) this.#dialogue?.own(verb, words.factsOf(word), this.#openedAt, now())
    this.#finish({ by: 'proxy', reason, error: 'upstream_lost' })
    if (speaks) this.#host.refused.add(this.#client, word.bytes)
    else this.#client.destroy()
  }

  /** The first bytes of a client on a plain listener begin a TLS handshake, which must not go to the upstream. */
  #refuseTls(): void {
    if (this.#closed || this.#relay?.unfinished === false) return
    this.#tlsFailure = { error: 'app_tls_on_plain_listener' }
    if (!this.#relay) return this.#refuse(words.TLS_ON_PLAIN_LISTENER, 'tls_failed')
    this.#relay.refuse(words.TLS_ON_PLAIN_LISTENER, 'tls_failed')
  }

  /** While the proxy stops, it is the proxy that ends sessions without a relay, whatever that looks like. */
  #finishUnlessDrained(ending: Ending): void {
    this.#finish(this.#draining ? { by: 'proxy', reason: 'drained', error: 'drained' } : ending)
  }

  #finish(ending: Ending): void {
    this.#closed = true
    this.#report(ending)
    this.#host.left(this)
  }

  #report(ending: Ending): void {
    this.#begin()
    const at = now()
    const failure = this.#tlsFailure ?? (ending.by === 'client' ? this.#client.tlsFailure : undefined)
    if (failure) this.#observer({ type: 'tls-failed', at, ...failure })
    this.#observer({
      type: 'session-close',
      at,
      by: ending.by,
      reason: failure ? 'tls_failed' : ending.reason,
      ...(ending.detail && { detail: ending.detail }),
      transmit: this.transmit,
      receive: this.receive,
      messages: this.#dialogue?.messages ?? 0,
    })
    this.#observer = () => {}
  }
}

function endingOf(missing: Exclude<ExpectedHeader, { rest: Buffer }>): Ending {
  if ('left' in missing) return { by: 'client', reason: missing.left, error: 'upstream_lost' }
  return { by: 'proxy', reason: 'proxy_header', error: 'upstream_lost', detail: missing.fault }
}

function wordFor(failure: Dial): OwnWord {
  if (failure.error === 'local_resources_exhausted') return words.EXHAUSTED
  const tls = failure.error?.startsWith('starttls') || failure.error?.startsWith('tls')
  return tls ? words.UNTRUSTED : words.UNREACHABLE
}
