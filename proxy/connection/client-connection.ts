import type net from 'node:net'
import tls from 'node:tls'
import { beginsTls, failureOf, Handshake, type TlsEntry, type TlsFailure } from './client-tls.ts'
import { ReadGate } from './read-gate.ts'
import { pooled, type ReadPool } from './read-pool.ts'

/** Bounds of a lingering close: how long, and how much, a client may still send after its last reply. */
export interface Linger {
  readonly ms: number
  readonly bytes: number
}

/** The bound at which a lingering close ends. */
export type LingerBound = keyof Linger

/** ALPN in wire format: a client that insists on another protocol is refused (RFC 7301 3.2; ALPACA). */
const ALPN_SMTP = Buffer.from('\x04smtp')

/** What a client connection reports to its owner. */
export interface ClientListener {
  /** With `release`, the chunk may be kept only until `release` is called, which is optional. */
  data(chunk: Buffer, release?: () => void): void
  /** True if large reads are expected. */
  bulk?(): boolean
  /** The client closed its sending side. */
  ended(): void
  /** Everything written so far left the process. */
  drained(): void
  /** The connection is gone; `reset` if it did not end in an orderly way. Called once. */
  closed(reset: boolean): void
}

/** The client connection: one TCP socket, and the TLS socket on top of it once there is one. */
export class ClientConnection {
  readonly tcp: net.Socket
  #socket: net.Socket
  #gate: ReadGate
  #listener: ClientListener | undefined
  #secured = false
  #failed = false
  #ended = false
  #closed = false
  #finishing = false
  #lingering: NodeJS.Timeout | undefined
  #lingerBytes = 0
  #cut: ((bound: LingerBound) => void) | undefined
  /** True until the first bytes of a layer arrive that `refuseTls` or a completed handshake waits for. */
  #silent = false
  #tlsBegun: (() => void) | undefined
  #tlsEntry: TlsEntry | undefined
  #tlsFailure: TlsFailure | undefined

  /** With a pool, no other code may use `accepted` any more: use `tcp`. */
  constructor(accepted: net.Socket, pool?: ReadPool) {
    const reader = { data: this.#onData, bulk: () => this.#listener?.bulk?.() ?? false }
    this.tcp = pool ? pooled(accepted, pool, reader) : accepted
    this.#socket = this.tcp
    this.#gate = new ReadGate(this.tcp)
    this.#attach(this.tcp)
  }

  get secure(): boolean {
    return this.#secured
  }

  /** True once the client's FIN was read. */
  get ended(): boolean {
    return this.#ended
  }

  /** True once the connection is gone. */
  get closed(): boolean {
    return this.#closed
  }

  /** Why the client is not, or no longer, inside TLS; undefined unless TLS failed before its first byte inside TLS. */
  get tlsFailure(): TlsFailure | undefined {
    return this.#tlsFailure
  }

  /** True if bytes that were read wait inside the socket. */
  get hasUnread(): boolean {
    return this.#socket.readableLength > 0
  }

  /** True while writers should wait for `drained`: the client does not read. */
  get full(): boolean {
    return this.#socket.writableNeedDrain
  }

  /** Bytes written and not yet passed to the kernel. */
  get unsent(): number {
    return this.#socket.writableLength
  }

  /** Sets who gets what is read. Nothing is read before `resume`. */
  listen(listener: ClientListener): void {
    this.#listener = listener
  }

  /** Returns false if the writer should wait for `drained`. */
  write(bytes: Buffer): boolean {
    return this.#socket.writable && !this.#finishing ? this.#socket.write(bytes) : true
  }

  /** Stops reading. Inside TLS, what was read before may still come: at most one read of the TCP socket. */
  pause(): void {
    if (!this.#secured) this.#socket.pause()
    this.#gate.shut()
  }

  resume(): void {
    this.#gate.open()
  }

  /** Puts bytes back in front of what is still to be read. */
  unread(bytes: Buffer): void {
    if (bytes.length > 0) this.tcp.unshift(bytes)
  }

  /** Calls `begun`, and drops the bytes, if the first bytes that arrive from now on begin a TLS handshake. */
  refuseTls(begun: () => void): void {
    this.#silent = true
    this.#tlsBegun = begun
  }

  /**
   * Enters TLS as the server. Resolves with the TLS socket, or with undefined if the handshake failed or took longer than
   * `timeoutMs`. The connection is then closed, and `tlsFailure` is set before the listener's `closed` is called. Bytes
   * that were not read yet belong to the handshake.
   */
  secureWith(secureContext: tls.SecureContext, entry: TlsEntry, timeoutMs: number): Promise<tls.TLSSocket | undefined> {
    this.#detach(this.tcp)
    const handshake = new Handshake(this.tcp, entry)
    const socket = new tls.TLSSocket(this.tcp, { isServer: true, secureContext, ALPNProtocols: ALPN_SMTP as never })
    this.#socket = socket
    this.#gate = new ReadGate(socket)
    this.#tlsEntry = entry
    socket.setNoDelay(true)
    return new Promise((settle) => {
      const timer = setTimeout(() => {
        handshake.timedOut()
        socket.destroy()
      }, timeoutMs)
      const failed = () => {
        clearTimeout(timer)
        this.#tlsFailure = handshake.failure
        this.tcp.destroy()
        this.#gone()
        settle(undefined)
      }
      socket.on('error', handshake.failedWith)
      socket.once('close', failed).once('end', failed)
      socket.once('secure', () => {
        clearTimeout(timer)
        socket.off('close', failed).off('end', failed)
        this.#attach(socket)
        // outside a tls.Server, Node reports an error after the handshake in this event only, and does not close
        socket.on('_tlsError', (error: Error) => socket.destroy(error))
        this.#secured = true
        this.#silent = true
        settle(socket)
      })
    })
  }

  /**
   * Sends `last`, then FIN, then reads and drops what still arrives: an early close would destroy the reply (RST). `cut`
   * is called if the client reaches a bound of `linger` before it closes.
   */
  end(last: Buffer | undefined, linger: Linger, cut?: (bound: LingerBound) => void): void {
    if (this.#lingering || this.#closed) return
    if (last) this.write(last)
    this.halfClose()
    this.#lingerBytes = linger.bytes
    this.#cut = cut
    this.#lingering = setTimeout(() => this.#cutAt('ms'), linger.ms)
    this.resume()
  }

  /**
   * FIN without a linger: the other direction stays open. The FIN leaves in a turn of its own: after an `end()` inside its
   * own `data` event, a TLS socket of Node 24 stops decrypting and buffers what still arrives without a bound.
   */
  halfClose(): void {
    if (this.#finishing) return
    this.#finishing = true
    // Node makes an error with a stack for the end of a destroyed socket
    setImmediate(() => this.#socket.destroyed || this.#socket.end())
  }

  /** RST. If bytes are still unsent, these and a FIN go out instead. */
  reset(): void {
    if (this.#socket.writableLength > 0) this.#closeSoon()
    else this.abort()
  }

  /** RST at once. */
  abort(): void {
    // a reset while the FIN is being sent fails in libuv, and the handle would never be closed
    if (this.#socket.writableEnded && !this.#socket.writableFinished) return this.destroy()
    this.tcp.resetAndDestroy()
    // Node 24 crashes if TLS is destroyed in the turn in which its handshake ended and its TCP socket was reset
    setImmediate(() => this.#socket.destroy())
  }

  destroy(): void {
    this.#socket.destroy()
    this.tcp.destroy()
  }

  /** FIN after everything that was written, then closes; in a turn of its own, like `halfClose`. */
  #closeSoon(): void {
    this.#finishing = true
    setImmediate(() => this.#socket.destroySoon())
  }

  #attach(socket: net.Socket): void {
    socket.on('data', this.#onData).on('end', this.#onEnd).on('drain', this.#onDrain)
    socket.on('error', this.#onError).on('close', this.#onClose)
    socket.pause()
  }

  /** The error listener stays: an error while the TLS socket takes over must not end the process. */
  #detach(socket: net.Socket): void {
    socket.off('data', this.#onData).off('end', this.#onEnd).off('drain', this.#onDrain).off('close', this.#onClose)
  }

  #onData = (chunk: Buffer, release?: () => void): void => {
    if (this.#secured) this.#gate.passed()
    if (this.#silent && this.#isRefused(chunk)) return release?.()
    if (!this.#lingering) return this.#listener?.data(chunk, release)
    release?.()
    this.#lingerBytes -= chunk.length
    if (this.#lingerBytes < 0) this.#cutAt('bytes')
  }

  #cutAt(bound: LingerBound): void {
    const cut = this.#cut
    this.#cut = undefined
    cut?.(bound)
    this.destroy()
  }

  /** True if these first bytes are TLS where none is expected. */
  #isRefused(first: Buffer): boolean {
    this.#silent = false
    const begun = this.#tlsBegun
    this.#tlsBegun = undefined
    if (begun === undefined || !beginsTls(first)) return false
    begun()
    return true
  }

  #onEnd = (): void => {
    this.#ended = true
    if (this.#lingering) this.#closeSoon()
    else this.#listener?.ended()
  }

  #onDrain = (): void => this.#listener?.drained()

  #onError = (error: Error): void => {
    this.#failed = true
    // in TLS 1.3 a client may reject the certificate when the server has finished the handshake (RFC 8446 4.4.2.4)
    if (this.#secured && this.#silent) this.#tlsFailure ??= failureOf(error)
  }

  #onClose = (): void => this.#gone()

  #gone(): void {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#lingering)
    if (this.#secured && this.#silent && this.#tlsEntry === 'starttls') {
      this.#tlsFailure ??= { error: 'app_tls_abandoned' }
    }
    this.#listener?.closed(this.#failed)
  }
}
