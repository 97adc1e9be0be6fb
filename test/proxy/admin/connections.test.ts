/** Limits on what clients of the admin server may hold. How a server applies them: `admin-limits.test.ts`. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { type TestContext, test } from 'node:test'
import { Connections } from '../../../proxy/admin/connections.ts'

/** Accepted sockets of connections to a server of this process. */
async function accepted(context: TestContext, count: number): Promise<net.Socket[]> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const sockets: net.Socket[] = []
  for (let opened = 0; opened < count; opened += 1) {
    const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1').on('error', () => {})
    const [socket] = (await once(server, 'connection')) as [net.Socket]
    sockets.push(socket)
    context.after(() => client.destroy())
  }
  context.after(() => server.close())
  return sockets
}

test('one connection too many cuts the oldest', async (context) => {
  const [first, second, third] = (await accepted(context, 3)) as [net.Socket, net.Socket, net.Socket]
  const connections = new Connections({ connections: 2, connectionMs: 60_000 })
  for (const socket of [first, second, third]) connections.add(socket)
  assert.deepEqual([first.destroyed, second.destroyed, third.destroyed], [true, false, false])
})

test('a connection that closed makes room', async (context) => {
  const [first, second, third] = (await accepted(context, 3)) as [net.Socket, net.Socket, net.Socket]
  const connections = new Connections({ connections: 2, connectionMs: 60_000 })
  connections.add(first)
  connections.add(second)
  second.destroy()
  await once(second, 'close')
  connections.add(third)
  assert.deepEqual([first.destroyed, third.destroyed], [false, false])
})

test('a connection is cut after its time, unless it is kept', async (context) => {
  const [cut, kept] = (await accepted(context, 2)) as [net.Socket, net.Socket]
  const connections = new Connections({ connections: 2, connectionMs: 20 })
  connections.add(cut)
  connections.add(kept)
  connections.keep(kept)
  await once(cut, 'close')
  assert.equal(kept.destroyed, false)
})
