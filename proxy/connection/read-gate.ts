import type net from 'node:net'

/**
 * Stops and starts the reading of a socket at its handle. Inside TLS, `pause()` alone lets Node read on, record by record,
 * until 64 KiB wait in the stream: with records of one byte these are 65,536 Buffers, 22 MB. Node has no public way to stop
 * earlier. If its internals are not as expected, `pause()` must suffice, which limits only the bytes.
 */

/**
 * Pieces in a row after which other sockets get their turn. libuv reads a socket up to 32 times in a turn of the event
 * loop, 64 KiB each, and one such read may hold 2,849 records of one byte. Records of the usual 16 KiB never reach this.
 */
const MAX_PIECES = 256

/** The part of a socket's private state in node:net that concerns reading. */
interface Readable {
  _handle: { reading?: unknown; readStop?: unknown } | null
}

/** The reading of one socket. The gate begins open. Only the socket's owner may use it. */
export class ReadGate {
  readonly #socket: net.Socket
  readonly #read: net.Socket['_read']
  #open = true
  #pieces = 0
  #resting = false

  constructor(socket: net.Socket) {
    this.#socket = socket
    this.#read = socket._read
    // the stream asks for more after each piece, even while it must not get more
    socket._read = (size) => {
      if (this.#open && !this.#resting) this.#read.call(socket, size)
    }
  }

  /** Continues to read. An error of the handle destroys the socket. */
  open(): void {
    this.#open = true
    this.#socket.resume()
    if (!this.#resting) this.#start()
  }

  /** Reads nothing more from the kernel. Inside TLS, the records of the last read may still come. */
  shut(): void {
    this.#open = false
    if (!this.#stop()) this.#socket.pause()
  }

  /** One piece was read inside TLS: after many of them, the next ones are read in another turn. */
  passed(): void {
    if (this.#resting || ++this.#pieces < MAX_PIECES) return
    this.#pieces = 0
    this.#resting = this.#stop()
    if (this.#resting) setImmediate(() => this.#rested())
  }

  #rested(): void {
    this.#resting = false
    if (this.#open) this.#start()
  }

  #start(): void {
    if (this.#socket.readable && !this.#socket.connecting) this.#read.call(this.#socket, 0)
  }

  /** Returns false if the handle cannot be stopped. */
  #stop(): boolean {
    const handle = (this.#socket as unknown as Readable)._handle
    if (typeof handle?.reading !== 'boolean' || typeof handle.readStop !== 'function') return false
    if (handle.reading) handle.readStop()
    handle.reading = false
    return true
  }
}
