/** The path with a round-trip time. */
import assert from 'node:assert/strict'
import net from 'node:net'
import { test } from 'node:test'
import { startRelay } from '../../../../bench/compare/sinks/relay.ts'
import { listenOnLoopback } from '../../../support/sockets/listen.ts'
import { connectClient } from '../../../support/sockets/scripted-peers.ts'
import { onLinux } from '../linux.ts'

const ROUND_TRIP_MS = 60

test('a greeting arrives after two round trips, and each reply after one', onLinux, async (context) => {
  const server = net.createServer((socket) => {
    socket.write('220 hello\r\n')
    socket.on('data', () => socket.write('250 ok\r\n')).on('error', () => {})
  })
  const relay = await startRelay(await listenOnLoopback(server), ROUND_TRIP_MS)
  context.after(async () => {
    await relay.program.stop()
    server.close()
  })
  const began = performance.now()
  const client = await connectClient({ port: relay.ready.port, limitMs: 20_000 })
  await client.readReply()
  const greeted = performance.now()
  await client.send('NOOP\r\n')
  await client.readReply()
  const replied = performance.now()
  client.destroy()
  // timers may fire a millisecond early; a busy machine only delays
  assert.ok(greeted - began >= 2 * ROUND_TRIP_MS - 3, `${greeted - began} ms`)
  assert.ok(replied - greeted >= ROUND_TRIP_MS - 2, `${replied - greeted} ms`)
})
