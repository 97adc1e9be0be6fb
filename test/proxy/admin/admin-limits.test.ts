/** The limits of the admin server, against clients that send too much, or that do not read. */
import assert from 'node:assert/strict'
import diagnostics from 'node:diagnostics_channel'
import { once } from 'node:events'
import net from 'node:net'
import { type TestContext, test } from 'node:test'
import { ADMIN_LIMITS, type Admin } from '../../../proxy/admin/admin.ts'
import { admin, closed, raw, request, SHORT_MS } from '../../support/in-process/admin-rig.ts'

test('a header of 1 MB is refused (PRV-08)', async (context) => {
  const received = await raw(await admin(context), `GET / HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(1024 * 1024)}\r\n\r\n`)
  assert.match(received, /^(HTTP\/1\.1 431 |$)/)
})

test('bytes that are not HTTP are refused', async (context) => {
  assert.match(await raw(await admin(context), 'EHLO client\r\n'), /^HTTP\/1\.1 400 /)
})

test('a request that never ends is cut, and other requests are answered meanwhile (PRV-08)', async (context) => {
  const server = await admin(context, { limits: { requestMs: SHORT_MS } })
  const slow = Array.from({ length: 20 }, () => raw(server, 'GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: '))
  assert.equal((await request(server, '/livez')).status, 200)
  for (const received of await Promise.all(slow)) assert.match(received, /^HTTP\/1\.1 408 /)
})

/** A page of 8 MB, larger than the kernel's buffers. */
const HUGE = `${'#'.repeat(1023)}\n`.repeat(8192)
const REQUEST = 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'

/** The server's sockets of the open connections. */
function serverSockets(context: TestContext): Set<net.Socket> {
  const open = new Set<net.Socket>()
  const opened = (message: unknown) => {
    const { socket } = message as { socket: net.Socket }
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  }
  diagnostics.subscribe('net.server.socket', opened)
  context.after(() => diagnostics.unsubscribe('net.server.socket', opened))
  return open
}

/** A client that sends requests and never reads. */
function unreading({ port }: Admin, requests: number): net.Socket {
  const socket = net.connect(port, '127.0.0.1').pause()
  socket.on('error', () => {})
  socket.write(REQUEST.repeat(requests))
  return socket
}

test('a client that sends 1000 requests and does not read keeps one response in memory', async (context) => {
  const sockets = serverSockets(context)
  let pages = 0
  const page = async () => {
    pages += 1
    return HUGE
  }
  const server = await admin(context, { page })
  const silent = unreading(server, 1000)
  assert.equal((await request(server, '/metrics')).text, HUGE)
  const [waiting] = [...sockets].filter(({ writableLength }) => writableLength > 0)
  assert.ok(waiting && waiting.writableLength < HUGE.length + 1024, `${waiting?.writableLength}`)
  assert.equal(pages, 2)
  silent.destroy()
})

test('clients that do not read keep at most one response per allowed connection in memory', async (context) => {
  const sockets = serverSockets(context)
  const server = await admin(context, { page: async () => HUGE, limits: { connections: 4 } })
  const silent: net.Socket[] = []
  for (let count = 0; count < 40; count += 1) {
    silent.push(unreading(server, 10))
    assert.equal((await request(server, '/livez')).status, 200)
    assert.ok(sockets.size <= 5, `${sockets.size} connections`)
  }
  const waiting = [...sockets].reduce((sum, { writableLength }) => sum + writableLength, 0)
  assert.ok(waiting > HUGE.length && waiting < 5 * HUGE.length, `${waiting} bytes wait`)
  for (const socket of silent) socket.destroy()
})

test('a client that never reads is cut', async (context) => {
  const sockets = serverSockets(context)
  const server = await admin(context, { page: async () => HUGE, limits: { connectionMs: SHORT_MS } })
  const silent = unreading(server, 1)
  await once(silent, 'connect')
  assert.equal((await request(server, '/livez')).status, 200)
  await Promise.all([...sockets].map((socket) => closed(socket)))
  silent.destroy()
})

test('a client that reads slowly is cut, although bytes flow all the time', async (context) => {
  const server = await admin(context, { page: async () => HUGE, limits: { connectionMs: SHORT_MS } })
  const slow = net.connect(server.port, '127.0.0.1')
  slow.write(REQUEST)
  let received = 0
  const pace = setInterval(() => slow.resume(), SHORT_MS / 15)
  slow.on('data', (chunk) => {
    received += chunk.length
    slow.pause()
  })
  await closed(slow)
  clearInterval(pace)
  assert.ok(received > 0 && received < HUGE.length, `${received} bytes`)
})

test('of a thousand idle connections ten stay, and a probe is answered', async (context) => {
  const sockets = serverSockets(context)
  const limits = { connections: 10, requestMs: 60_000, connectionMs: 60_000 }
  const server = await admin(context, { limits })
  const crowd = Array.from({ length: 1000 }, () => net.connect(server.port, '127.0.0.1').resume())
  const ends = crowd.map((socket) => closed(socket))
  await new Promise<void>((settle) => {
    let ended = 0
    for (const end of ends) void end.then(() => ++ended === 990 && settle())
  })
  assert.equal(sockets.size, 10)
  assert.equal((await request(server, '/livez')).status, 200)
  for (const socket of crowd) socket.destroy()
  await Promise.all(ends)
})

test('an idle connection is cut', async (context) => {
  const received = await raw(await admin(context, { limits: { requestMs: 300 } }), '')
  assert.match(received, /^(HTTP\/1\.1 408 |$)/)
})

test('a connection serves one request', async (context) => {
  const server = await admin(context)
  const received = await raw(server, 'GET /livez HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(3))
  assert.match(received, /^HTTP\/1\.1 200 /)
  assert.match(received, /^connection: close\r$/m)
  assert.equal(received.match(/alive/g)?.length, 1)
})

test('the limits have the documented values', () => {
  assert.deepEqual(ADMIN_LIMITS, {
    connections: 128,
    streams: 8,
    streamBytes: 1024 * 1024,
    requestsPerConnection: 1,
    headerBytes: 8192,
    requestMs: 5000,
    connectionMs: 15_000,
  })
})
