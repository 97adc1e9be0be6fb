/**
 * Applies faults below SMTP and TLS, like toxiproxy. A connection with such a fault passes through this relay; all
 * others reach the SMTP server directly. The ledger counts on the server's side: it counts a reply as sent even if a
 * fault drops its bytes here.
 */
import { connect, type Server, type Socket } from 'node:net'
import type { Chunks, Link, Transform, WireFault } from './fault.ts'

/** Connects a client to a port of 127.0.0.1 through faults. Returns the connection to that port. */
export function relay(client: Socket, port: number, faults: readonly WireFault[], random: () => number): Socket {
  const server = connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true })
  const controller = new AbortController()
  const link = { client, closed: controller.signal, random }
  client.setNoDelay(true)
  client.on('close', () => controller.abort())
  // `copy` sees the error of a failed write and closes both sockets.
  for (const socket of [client, server]) socket.on('error', () => {})
  void copy(
    server,
    client,
    chain(
      faults.flatMap(({ toClient }) => toClient ?? []),
      link,
    ),
  )
  void copy(
    client,
    server,
    chain(
      faults.flatMap(({ toServer }) => toServer ?? []),
      link,
    ),
  )
  return server
}

/** The port of a listening server. */
export function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not listening on a port')
  return address.port
}

/** Several faults of one direction as one: the first reads from the socket, the last yields what is sent on. */
function chain(transforms: readonly Transform[], link: Link): (chunks: Chunks) => Chunks {
  return (chunks) => transforms.reduce((sum, transform) => transform(sum, link), chunks)
}

async function copy(from: Socket, to: Socket, transform: (chunks: Chunks) => Chunks): Promise<void> {
  try {
    for await (const chunk of transform(from.iterator({ destroyOnReturn: false }))) await write(to, chunk)
    to.end()
  } catch {
    // A reset on one side becomes a reset on the other side. This also ends every pending delay and read.
    from.destroy()
    to.resetAndDestroy()
  }
}

function write(to: Socket, chunk: Buffer): Promise<void> {
  return new Promise((resolve, reject) => to.write(chunk, (error) => (error ? reject(error) : resolve())))
}
