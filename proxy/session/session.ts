import { randomUUID } from 'node:crypto'
import type net from 'node:net'
import type { SecureContext } from 'node:tls'
import { ClientConnection } from '../connection/client-connection.ts'
import type { TlsFailure } from '../connection/client-tls.ts'
import type { ReadPool } from '../connection/read-pool.ts'
import type { RefusedConnections } from '../connection/refused.ts'
import { ByteQueue } from '../dialogue/byte-queue.ts'
import type { CloseReason } from '../events/closed-sets.ts'
import type { Dial, Handover } from '../events/dial.ts'
import type { Observer } from '../events/observer.ts'
import type { SessionOpen } from '../events/session-event.ts'
import { Cancellation, type CancelSignal } from '../net/cancellation.ts'
import type { ListenAddress } from '../settings/config.ts'
import type { ClientSecurity } from '../smtp/ehlo.ts'
import type { AddressScope } from '../smtp/path.ts'
import { type DialledUpstream, now } from '../upstream/dialer.ts'
import type { Reached } from '../upstream/failover.ts'
import { type ExpectedHeader, expectProxyHeader } from './expected-header.ts'
import { type Limits, Link } from './link.ts'
import type { LocalReply } from './local-replies.ts'
import * as localReplies from './local-replies.ts'
import { Observation } from './observation.ts'
import { Relay } from './relay.ts'
import type { Ending } from './teardown.ts'

/** Bytes read from a client before the upstream has greeted; then the client waits. */
const MAX_EARLY_BYTES = 64 * 1024

/** Where a client comes from, as far as the proxy knows. */
export interface Source {
  readonly address: string
  readonly port: number
}

/** What a session needs from its server. */
export interface SessionHost {
  readonly limits: Limits & { readonly proxyHeaderMs: number }
  readonly idleMs: number
  readonly readPool: ReadPool
  /** Takes over the connections of sessions that are refused. */
  readonly refused: RefusedConnections
  /** How much of senders and recipients the session's events may name. */
  readonly recordAddresses: AddressScope
  /** True once the proxy is stopping. */
  readonly draining: boolean
  readonly preferredUpstream: string
  secureContext(): SecureContext | undefined
  /** True if this peer must begin with a PROXY protocol header. */
  expectsProxyHeader(peer: string): boolean
  /** A refusal, or undefined if the client may connect (it is then counted until `left`). */
  admit(source: Source): LocalReply | undefined
  open(event: SessionOpen): Observer
  clientName(address: string): string
  /** A connection or a failure; `report` gets each dial, or the handover of a preconnected upstream. */
  reach(signal: CancelSignal, report: (event: Dial | Handover) => void): Promise<Reached>
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
  readonly #giveUp = new Cancellation()
  readonly #early = new ByteQueue()
  #source: Source
  #observation: Observation | undefined
  #relay: Relay | undefined
  #closed = false
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

  /** Application bytes relayed to the upstream so far. */
  get transmit(): number {
    return this.#relay?.transmit ?? 0
  }

  /** Application bytes relayed to the client so far. */
  get receive(): number {
    return this.#relay?.receive ?? 0
  }

  /** True while a client is served: a cut would end what it is doing. */
  get unfinished(): boolean {
    return this.#relay?.unfinished ?? false
  }

  /** Runs the session up to the relay; the rest happens as bytes arrive. Never rejects. */
  async run(): Promise<void> {
    this.#listenEarly()
    const withoutHeader = this.#expectsHeader ? await this.#readProxyHeader() : undefined
    if (withoutHeader) return this.#turnAway(withoutHeader)
    // it left after its header, as the health checks of some load balancers do
    if (this.#closed) return
    const observation = this.#observe()
    const refusal = this.#refusal()
    if (refusal) return this.#refuse(...refusal)
    this.admitted = this.#source
    if (this.#listener.scheme === 'smtp') this.#client.refuseTls(() => this.#refuseTls())
    const secured = this.#listener.scheme === 'smtps' ? this.#secure(observation) : true
    if (secured === true) this.#client.resume()
    const reached = await this.#host.reach(this.#giveUp, (event) => observation.report(event))
    const ready = await secured
    if (!ready) this.#client.destroy()
    if (this.#closed || !ready) return this.#dropConnection(reached)
    if (reached.connection) this.#start(reached.connection, observation)
    else this.#refuse(localReplies.toFailedDial(reached.failure), 'dial_failed')
  }

  /** Called every second or so with the time: ends what is idle or may be drained. */
  tick(at: number): void {
    this.#relay?.tick(at, this.#host.idleMs)
  }

  /** Ends the session politely at the next moment at which no message is in flight, but not before `from`. */
  drain(from: number): void {
    if (this.#relay) this.#relay.drain(from)
    else if (this.#observation && !this.#closed) this.#refuse(localReplies.DRAINING, 'drained')
  }

  /** Ends the session now, because the proxy stops. */
  cut(): void {
    if (this.#relay) this.#relay.cut('drained', 'drained')
    else this.#client.destroy()
  }

  /** RFC 5321 4.3.1: a client should wait for the greeting. What it sends before is relayed after the greeting. */
  #earlyData(chunk: Buffer): void {
    if (this.#early.empty) this.#observation?.report({ type: 'early-talk', at: now() })
    this.#early.push(chunk)
    if (this.#early.length >= MAX_EARLY_BYTES) this.#client.pause()
  }

  /** A client that closes without a byte wants nothing: a port probe must not leave a connection to AhaSend behind. */
  #earlyEnd(): void {
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

  /** Resolves with undefined if there was a valid header, otherwise with why the session ends. */
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

  /** Until the upstream has greeted: keeps what the client sends, and notices when it leaves. */
  #listenEarly(): void {
    this.#client.listen({
      data: (chunk) => this.#earlyData(chunk),
      ended: () => this.#earlyEnd(),
      drained: () => {},
      closed: (reset) => this.#closedEarly(reset),
    })
  }

  /** From here on the session is observed: its client is known, or never will be. */
  #observe(): Observation {
    if (this.#observation) return this.#observation
    const observer = this.#host.open({
      type: 'session-open',
      at: this.#openedAt,
      sessionId: randomUUID(),
      clientName: this.#listener.client ?? this.#host.clientName(this.#source.address),
      clientAddress: this.#source.address,
      clientPort: this.#source.port,
      listener: this.#listener.url,
      serverAddress: this.#host.preferredUpstream,
    })
    const failed = (error: unknown) => this.#host.dialogueFailed(error)
    this.#observation = new Observation(observer, this.#host.recordAddresses, failed)
    return this.#observation
  }

  /** Why this client may not connect; undefined if it may. */
  #refusal(): [LocalReply, CloseReason] | undefined {
    if (this.#host.draining) return [localReplies.DRAINING, 'drained']
    const refusal = this.#host.admit(this.#source)
    return refusal && [refusal, refusal === localReplies.NOT_ALLOWED ? 'not_allowed' : 'session_limit']
  }

  async #secure(observation: Observation): Promise<boolean> {
    const context = this.#host.secureContext()
    const socket = context && (await this.#client.secureWith(context, 'smtps', this.#host.limits.handshakeMs))
    if (!socket) return false
    observation.tls(socket)
    this.#client.resume()
    return true
  }

  #dropConnection({ connection }: Reached): void {
    connection?.socket.destroy()
    connection?.tcp.destroy()
  }

  #start(upstream: DialledUpstream, observation: Observation): void {
    const link = new Link({
      client: this.#client,
      upstream,
      observation,
      security: this.#clientSecurity(),
      limits: this.#host.limits,
      secureContext: () => this.#host.secureContext(),
    })
    this.#relay = new Relay(link, (ending) => this.#finish(ending))
    observation.greeting(upstream.greeting, this.#openedAt)
    this.#relay.start(upstream.greeting.bytes, this.#early.take())
  }

  #clientSecurity(): ClientSecurity {
    if (this.#client.secure) return 'tls'
    if (!this.#host.secureContext()) return 'plain'
    return this.#listener.starttlsRequired ? 'starttls-required' : 'starttls-offered'
  }

  /** Sends a local reply in place of a greeting. Unencrypted on a TLS listener the client could not read it. */
  #refuse(reply: LocalReply, reason: CloseReason): void {
    this.#closed = true
    this.#giveUp.abort()
    const readable = this.#listener.scheme === 'smtp' || this.#client.secure
    const verb = reason === 'tls_failed' ? 'UNKNOWN' : 'CONNECT'
    if (readable) this.#observation?.refusal(verb, reply, this.#openedAt)
    this.#finish({ by: 'proxy', reason, error: 'upstream_lost' })
    if (readable) this.#host.refused.add(this.#client, reply.bytes)
    else this.#client.destroy()
  }

  /** The first bytes of a client on a plain listener begin a TLS handshake, which must not go to the upstream. */
  #refuseTls(): void {
    if (this.#closed || this.#relay?.unfinished === false) return
    this.#tlsFailure = { error: 'app_tls_on_plain_listener' }
    if (!this.#relay) return this.#refuse(localReplies.TLS_ON_PLAIN_LISTENER, 'tls_failed')
    this.#relay.refuse(localReplies.TLS_ON_PLAIN_LISTENER, 'tls_failed')
  }

  /** While the proxy stops, it is the proxy that ends sessions without a relay, whatever that looks like. */
  #finishUnlessDrained(ending: Ending): void {
    this.#finish(this.#host.draining ? { by: 'proxy', reason: 'drained', error: 'drained' } : ending)
  }

  #finish(ending: Ending): void {
    this.#closed = true
    // before the report: a batch with its close must not also contain its bytes as those of an open session
    this.#host.left(this)
    this.#report(ending)
  }

  #report(ending: Ending): void {
    const observation = this.#observe()
    const at = now()
    const failure = this.#tlsFailure ?? (ending.by === 'client' ? this.#client.tlsFailure : undefined)
    if (failure) observation.report({ type: 'tls-failed', at, ...failure })
    observation.end({
      type: 'session-close',
      at,
      by: ending.by,
      reason: failure ? 'tls_failed' : ending.reason,
      ...(ending.detail && { detail: ending.detail }),
      transmit: this.transmit,
      receive: this.receive,
      messages: observation.messages,
    })
  }
}

function endingOf(missing: Exclude<ExpectedHeader, { rest: Buffer }>): Ending {
  if ('left' in missing) return { by: 'client', reason: missing.left, error: 'upstream_lost' }
  return { by: 'proxy', reason: 'proxy_header', error: 'upstream_lost', detail: missing.fault }
}
