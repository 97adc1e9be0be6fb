import type net from 'node:net'

/**
 * Stops and starts the reading of a socket at its handle. `pause()` alone goes on reading inside TLS, record by record,
 * until 64 KiB wait in the stream: with records of one byte these are 65,536 Buffers, 22 MB. Node has no public way to
 * stop earlier: where its inside is not as expected, nothing happens here, and `pause()` limits the bytes alone.
 */

/** What node:net keeps in a socket, as far as its reading is concerned. */
interface Readable {
  _handle: { reading?: unknown; readStop?: unknown } | null
}

/** Nothing more is read from the kernel. Inside TLS the records of the last read may still come. */
export function stopReading(socket: net.Socket): void {
  const handle = (socket as unknown as Readable)._handle
  if (handle?.reading !== true || typeof handle.readStop !== 'function') return
  handle.reading = false
  handle.readStop()
}

/** Reads on, also where reading was never stopped. An error of the handle destroys the socket. */
export function startReading(socket: net.Socket): void {
  if (socket.readable && !socket.connecting) socket._read(0)
}
