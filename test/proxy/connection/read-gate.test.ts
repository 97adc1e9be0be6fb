/** When the gate of a socket is shut, nothing more is read from the kernel, over TCP and inside TLS. Real sockets. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import * as net from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import * as tls from 'node:tls'
import { ClientConnection } from '../../../proxy/connection/client-connection.ts'
import { ReadGate } from '../../../proxy/connection/read-gate.ts'
import { listenOnLoopback } from '../../support/sockets/listen.ts'
import { makeAuthority } from '../../support/tls/certificates.ts'
import { sendRecords } from '../../support/tls/small-records.ts'
import { until } from '../../support/waiting/until.ts'

/** A record of one byte is at least 22 bytes long (RFC 8446 5.2), and a read 64 KiB. */
const MAX_RECORDS_IN_A_READ = (64 * 1024) / 22

/** Long enough for bytes on loopback to be read. No event shows that nothing more is read. */
const LONG_MS = 200

describe('The gate of a TCP socket', () => {
  async function gated(context: TestContext) {
    const server = net.createServer({ pauseOnConnect: true })
    const port = await listenOnLoopback(server)
    const client = net.connect(port, '127.0.0.1').setNoDelay(true)
    const [socket] = (await once(server, 'connection')) as [net.Socket]
    const read = { text: '' }
    const gate = new ReadGate(socket)
    socket.on('data', (chunk) => {
      read.text += chunk.toString('latin1')
    })
    socket.pause()
    context.after(() => {
      client.destroy()
      socket.destroy()
      server.close()
    })
    return { client, socket, gate, read }
  }

  test('lets no byte pass while it is shut, and every byte, in order, once it is open', async (context) => {
    const { client, gate, read } = await gated(context)
    gate.open()
    for (const [sent, all] of [
      ['one ', 'one '],
      ['two ', 'one two '],
    ] as const) {
      gate.shut()
      const before = read.text
      client.write(sent)
      await pause(LONG_MS)
      assert.equal(read.text, before)
      gate.open()
      await until(sent, () => read.text === all)
    }
  })

  test('can be shut inside a read: the socket that asks for more gets nothing', async (context) => {
    const { client, socket, gate, read } = await gated(context)
    socket.once('data', () => gate.shut())
    gate.open()
    client.write('one')
    await until('the first read', () => read.text === 'one')
    client.write('two')
    await pause(LONG_MS)
    assert.equal(read.text, 'one')
    gate.open()
    await until('the second read', () => read.text === 'onetwo')
  })

  test('rests after 256 pieces, until the next turn', async (context) => {
    const { socket, gate } = await gated(context)
    gate.open()
    for (let pieces = 0; pieces < 255; pieces += 1) gate.passed()
    assert.equal(isReading(socket), true)
    gate.passed()
    assert.equal(isReading(socket), false)
    await new Promise((turn) => setImmediate(turn))
    assert.equal(isReading(socket), true)
  })

  test('stays shut after a rest in which it was shut', async (context) => {
    const { socket, gate } = await gated(context)
    gate.open()
    for (let pieces = 0; pieces < 256; pieces += 1) gate.passed()
    gate.shut()
    await new Promise((turn) => setImmediate(turn))
    assert.equal(isReading(socket), false)
  })

  test('pauses the socket if its handle cannot be stopped', () => {
    const socket = new net.Socket() // has no handle before it connects
    const gate = new ReadGate(socket)
    gate.shut()
    assert.equal(socket.isPaused(), true)
    gate.open()
    assert.equal(socket.isPaused(), false)
    for (let pieces = 0; pieces < 300; pieces += 1) gate.passed()
    assert.equal(socket.isPaused(), false)
  })

  /** True if Node reads from the kernel: its private state, which the gate uses. */
  function isReading(socket: net.Socket): unknown {
    return (socket as unknown as { readonly _handle: { readonly reading: unknown } })._handle.reading
  }
})

describe('The connection of a client inside TLS', () => {
  /** A connection that counts the pieces that it reads, and its client. Nothing is read yet. */
  async function connected(t: TestContext) {
    const { certPem: cert, keyPem: key } = await (await makeAuthority()).issue()
    const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const accepted = once(server, 'connection') as Promise<[net.Socket]>
    const client = tls.connect({ port: (server.address() as net.AddressInfo).port, rejectUnauthorized: false })
    const connection = new ClientConnection((await accepted)[0])
    const read = { pieces: 0 }
    connection.listen({ data: () => read.pieces++, ended() {}, drained() {}, closed() {} })
    await connection.secureWith(tls.createSecureContext({ cert, key }), 'smtps', 15_000)
    client.setNoDelay(true)
    t.after(() => {
      client.destroy()
      connection.destroy()
      server.close()
    })
    return { client, connection, read }
  }

  test('reads the TCP socket once a turn if the records are very small', async (t) => {
    const { client, connection, read } = await connected(t)
    const count = 30_000
    connection.pause()
    await sendRecords(client, count)
    const before = read.pieces
    assert.ok(before < MAX_RECORDS_IN_A_READ, `${before} records were read although it was paused`)
    connection.resume()
    let most = 0
    for (let seen = before; seen < count; ) {
      await new Promise((turn) => setImmediate(turn))
      most = Math.max(most, read.pieces - seen)
      seen = read.pieces
    }
    assert.ok(most <= 2 * MAX_RECORDS_IN_A_READ, `${most} records in one turn`)
  })

  test('stays paused if its owner pauses it while it rests for other sockets', async (t) => {
    const { client, connection, read } = await connected(t)
    connection.listen({
      data: () => {
        read.pieces += 1
        if (read.pieces === 300) connection.pause()
      },
      ended() {},
      drained() {},
      closed() {},
    })
    connection.resume()
    await sendRecords(client, 30_000)
    await pause(300) // no event shows that nothing more is read
    assert.ok(read.pieces < 300 + MAX_RECORDS_IN_A_READ, `${read.pieces} records were read`)
    connection.resume()
    while (read.pieces < 30_000) await pause(5)
  })
})
