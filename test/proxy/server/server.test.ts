/** The listeners of a server. Its sessions: the other tests of this folder, and those of proxy/session. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { type TestContext, test } from 'node:test'
import type { Observer, Telemetry } from '../../../proxy/events/observer.ts'
import { ProxyServer, startServer } from '../../../proxy/server/server.ts'
import { parseConfig } from '../../../proxy/settings/settings.ts'
import { ask } from '../../simulator/client.ts'
import { startSimulator } from '../../simulator/simulator.ts'
import { connectClient } from '../../support/sockets/scripted-peers.ts'
import { configBefore } from '../../support/traffic/traffic.ts'

const telemetry: Telemetry = { open: () => () => {}, dial() {}, observerFailed() {} }

async function start(context: TestContext, listen: string): Promise<ProxyServer> {
  const parsed = parseConfig({ PROXY_LISTEN: listen, PROXY_UPSTREAM: 'smtp://127.0.0.1:9?tls=off' })
  assert.ok('config' in parsed)
  const server = await startServer({ config: parsed.config, telemetry })
  context.after(() => server.close())
  return server
}

/** Whether a connection to this port succeeds. */
async function reaches(port: number): Promise<boolean> {
  const socket = net.connect(port, '127.0.0.1')
  const connected = await new Promise<boolean>((settle) => {
    socket.once('connect', () => settle(true)).once('error', () => settle(false))
  })
  socket.destroy()
  return connected
}

test('every listener is bound, and reports its actual port', async (context) => {
  const { bound } = await start(context, 'smtp://127.0.0.1:0,smtp://[::1]:0')
  assert.deepEqual(
    bound.map(({ listener, address }) => [listener.url, address]),
    [
      ['smtp://127.0.0.1:0', '127.0.0.1'],
      ['smtp://[::1]:0', '::1'],
    ],
  )
  for (const { port } of bound) assert.ok(port > 0)
})

test('if one listener fails, the others are closed', async (context) => {
  const free = net.createServer().listen(0, '127.0.0.1')
  const taken = net.createServer().listen(0, '127.0.0.1')
  context.after(() => taken.close())
  await Promise.all([once(free, 'listening'), once(taken, 'listening')])
  const [freePort, takenPort] = [free, taken].map((server) => (server.address() as net.AddressInfo).port)
  await new Promise((closed) => free.close(closed))
  const listen = `smtp://127.0.0.1:${freePort},smtp://127.0.0.1:${takenPort}`
  await assert.rejects(start(context, listen), { message: /^PROXY_LISTEN: cannot listen on .*: the port is taken/ })
  assert.equal(await reaches(freePort!), false)
})

test('close stops listening, and may be called twice', async (context) => {
  const server = await start(context, 'smtp://127.0.0.1:0')
  const { port } = server.bound[0]!
  assert.equal(await reaches(port), true)
  await server.close()
  await server.close()
  assert.deepEqual([server.draining, server.activeSessions, await reaches(port)], [true, 0, false])
})

test('when a session reports its close, its bytes are no longer those of an open session', async () => {
  await using simulator = await startSimulator()
  const closed = Promise.withResolvers<{ readonly reported: number; readonly live: number }>()
  const observe: Observer = (event) => {
    if (event.type === 'session-close') closed.resolve({ reported: event.receive, live: server.liveBytes().receive })
  }
  const server = new ProxyServer({ config: configBefore(simulator), telemetry: { ...telemetry, open: () => observe } })
  const [listener] = configBefore(simulator).listeners
  await server.listen(listener!)
  const client = await connectClient({ port: server.bound[0]!.port })
  await client.readReply()
  await ask(client, 'QUIT')
  client.destroy()
  const { reported, live } = await closed.promise
  await server.close()
  assert.ok(reported > 0)
  assert.equal(live, 0)
})
