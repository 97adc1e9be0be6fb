/** A client inside TLS that never stops sending: its connection may be ended while data arrives. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import tls from 'node:tls'
import { ClientConnection } from '../../../proxy/connection/client-connection.ts'
import { makeAuthority } from '../../support/tls/certificates.ts'

test('a client that floods is cut after the bytes of the linger, although the proxy ended its connection inside a read', async (context) => {
  const { certPem: cert, keyPem: key } = await (await makeAuthority()).issue()
  const server = net.createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'connection') as Promise<[net.Socket]>
  const { port } = server.address() as net.AddressInfo
  const client = tls.connect({
    socket: net.connect({ port, host: '127.0.0.1', allowHalfOpen: true }),
    rejectUnauthorized: false,
  })
  const [tcp] = await accepted
  const connection = new ClientConnection(tcp)
  context.after(() => {
    connection.destroy()
    client.destroy()
    server.close()
  })

  const closed = Promise.withResolvers<void>()
  let read = 0
  connection.listen({
    data: (chunk) => {
      read += chunk.length
      connection.end(undefined, { ms: 600_000, bytes: 1_000_000 })
    },
    ended: () => {},
    drained: () => {},
    closed: () => closed.resolve(),
  })
  await connection.secureWith(tls.createSecureContext({ cert, key }), 'smtps', 10_000)
  connection.resume()
  const chunk = Buffer.alloc(65_536, 'x')
  const flood = () => {
    while (client.writable && client.write(chunk));
  }
  client.on('error', () => {}).on('drain', flood)
  flood()
  await closed.promise
  assert.ok(read > 0 && read <= chunk.length, 'only the read in which it was ended reached the owner')
})
