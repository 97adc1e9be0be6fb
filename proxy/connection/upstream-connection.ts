import type net from 'node:net'
import type { DialledUpstream } from '../upstream/dialer.ts'

/** Milliseconds that a failed write waits for what the upstream sent before it closed. Loopback needs one. */
const LAST_REPLY_MS = 1000

/** What an upstream connection reports to its owner. */
export interface UpstreamListener {
  data(chunk: Buffer): void
  /** Everything written so far left the process. */
  drained(): void
  /** The upstream closed its sending side. Not called for a connection that has failed. */
  ended(): void
  /** The connection failed: by an RST, mostly. */
  failed(): void
  /** The connection is gone. Called once, last. */
  closed(): void
}

/** The callback of a stream's `_write`. Node passes the same function for every write of a stream. */
type Written = (error?: Error | null) => void

/**
 * The upstream connection of one session. No other code writes to its socket, ends it or resets it, because each of these
 * has a trap in Node 24:
 *
 * - A write: it fails as soon as an RST has arrived. Node then destroys the socket, although the reply that the upstream
 *   sent before its RST is still unread in the kernel. So a write error waits until the upstream has been read to its end.
 * - `end()` on a TLS socket inside its own `data` event: Node stops decrypting and buffers what still arrives without a
 *   bound. So every FIN is sent in a turn of its own.
 * - A reset: see `abort`.
 */
export class UpstreamConnection {
  readonly #socket: net.Socket
  readonly #tcp: net.Socket
  #finishing = false
  #listener: UpstreamListener | undefined
  #written: Written | undefined
  #holding: Written | undefined
  /** Reports a write error that waits for the last reply of the upstream. */
  #reportFailure: (() => void) | undefined

  /** Takes the dialled connection over; `listen` begins to read. */
  constructor({ socket, tcp }: Pick<DialledUpstream, 'socket' | 'tcp'>) {
    this.#socket = socket
    this.#tcp = tcp
    const { _write, _writev } = socket
    socket._write = (chunk, encoding, written) => _write.call(socket, chunk, encoding, this.#hold(written))
    socket._writev = (chunks, written) => _writev?.call(socket, chunks, this.#hold(written))
  }

  /** False once a FIN is being sent, or the connection is gone. */
  get writable(): boolean {
    return !this.#finishing && this.#socket.writable
  }

  /** True while writers should wait for `drained`. */
  get writableNeedDrain(): boolean {
    return this.#socket.writableNeedDrain
  }

  /** Bytes written and not yet passed to the kernel. */
  get unsent(): number {
    return this.#socket.writableLength
  }

  /** True once the upstream's FIN was read. */
  get ended(): boolean {
    return this.#socket.readableEnded
  }

  /** True once the connection is gone. */
  get closed(): boolean {
    return this.#socket.closed
  }

  /** True once the connection is gone or about to be. */
  get destroyed(): boolean {
    return this.#socket.destroyed
  }

  /** Begins to read. Call it once. */
  listen(listener: UpstreamListener): void {
    this.#listener = listener
    this.#socket
      .on('data', (chunk) => listener.data(chunk))
      .on('drain', () => listener.drained())
      .on('end', () => this.#ended())
      .on('error', () => listener.failed())
      .on('close', () => listener.closed())
    this.#socket.resume()
  }

  /** `sent` is called in a later turn, when the socket no longer needs the bytes or the write failed. */
  write(bytes: Buffer, sent?: Written): void {
    this.#socket.write(bytes, sent)
  }

  /** Does nothing while a write error waits: only what the kernel still has is left to read. */
  pause(): void {
    if (!this.#reportFailure) this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** FIN after everything that was written. The other direction stays open. */
  finish(): void {
    if (this.#finishing) return
    this.#finishing = true
    // Node makes an error with a stack for the end of a destroyed socket
    setImmediate(() => this.#socket.destroyed || this.#socket.end())
  }

  /** FIN after everything that was written, then closes: what the upstream still sends is refused. */
  release(): void {
    this.#finishing = true
    setImmediate(() => this.#socket.destroySoon())
    this.#socket.resume()
  }

  /** RST, and not one byte more. */
  abort(): void {
    // a reset while the FIN is being sent fails in libuv, and the handle would never be closed
    const finBeingSent = this.#socket.writableEnded && !this.#socket.writableFinished
    if (finBeingSent) return void this.#socket.destroy()
    this.#tcp.resetAndDestroy()
    // Node 24 crashes if TLS is destroyed in the turn in which its handshake ended and its TCP socket was reset
    setImmediate(() => this.#socket.destroy())
  }

  /** After a failed write, an RST looks like an end, because the write took the error from the kernel. */
  #ended(): void {
    if (this.#reportFailure) this.#reportFailure()
    else this.#listener?.ended()
  }

  /** Returns `written`, except that it holds back an error. Made once for a stream, not for each write. */
  #hold(written: Written): Written {
    if (!this.#holding || this.#written !== written) {
      this.#written = written
      this.#holding = (error) => (error ? this.#writeFailed(error, written) : written())
    }
    return this.#holding
  }

  /** Meanwhile the stream considers the write unfinished, so nothing more is written. */
  #writeFailed(error: Error, written: Written): void {
    if (this.ended || this.destroyed) return written(error)
    const timer = setTimeout(() => this.#reportFailure?.(), LAST_REPLY_MS)
    this.#socket.once('close', () => clearTimeout(timer))
    this.#reportFailure = () => {
      this.#reportFailure = undefined
      written(error)
    }
    this.#socket.resume()
  }
}
