/** What HAProxy, with the configuration of compose.yaml, must not do to a connection that waits for AhaSend. */
import assert from 'node:assert/strict'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, connect, createServer, type Server as NetServer, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import { freePort } from '../../bench/compare/processes/ports.ts'
import { unless } from '../support/programs/programs.ts'
import { haproxyMissing, shippedConfiguration, startHaproxy } from './haproxy.ts'

/** How much shorter the time limits are in this test. */
const FACTOR = 100
/** More than half a minute with the shipped limits, and less than the ten minutes that a final reply may take. */
const REPLY_AFTER_MS = (2 * 60_000) / FACTOR

const LIMIT = /\b(timeout (?:client|server)(?:-fin)?) (\d+)(m|s)\b/g

const milliseconds = (count: string, unit: string) => Number(count) * (unit === 'm' ? 60_000 : 1000)

/** The time limits of connections, in milliseconds, by their names. */
function limitsOf(configuration: string): [name: string, ms: number][] {
  return [...configuration.matchAll(LIMIT)].map(([, name = '', count = '', unit = '']) => [
    name,
    milliseconds(count, unit),
  ])
}

function shortened(configuration: string): string {
  return configuration.replaceAll(LIMIT, (_, name, count, unit) => `${name} ${milliseconds(count, unit) / FACTOR}ms`)
}

async function listen(server: NetServer): Promise<number> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return (server.address() as AddressInfo).port
}

/** A replica that answers late, after the app said that it sends nothing more. */
function late(socket: Socket): void {
  socket.on('end', () => setTimeout(() => socket.end('250 OK\r\n'), REPLY_AFTER_MS))
  socket.on('error', () => {})
  socket.resume()
}

describe('HAProxy', unless(haproxyMissing()), () => {
  test('has time limits above the ten minutes that a final reply may take', () => {
    const [smtp = ''] = shippedConfiguration().split(/^listen health$/m)
    const limits = limitsOf(smtp)
    for (const name of ['timeout client', 'timeout server']) assert.ok(Object.fromEntries(limits)[name]! >= 900_000)
    // the connection to the app ends soon after that to the replica; nothing else may
    for (const [name, ms] of limits) assert.ok(ms >= 900_000 || name === 'timeout client-fin', `${name} ${ms}`)
  })

  test('relays a late final reply to an app that closed its own direction after the message', async () => {
    using stack = new DisposableStack()
    const replica = stack.adopt(createServer({ allowHalfOpen: true }, late), (server) => server.close())
    const admin = stack.adopt(
      createHttpServer((_, response) => response.end()),
      (server) => server.close(),
    )
    const [server, port] = [
      { host: '127.0.0.1', port: await listen(replica), adminPort: await listen(admin) },
      await freePort(),
    ]
    await using _haproxy = await startHaproxy(port, [server], shortened)
    const app = stack.adopt(connect({ port, host: '127.0.0.1', allowHalfOpen: true }), (socket) => socket.destroy())
    app.end('the text of a message\r\n.\r\n')
    assert.equal(await text(app), '250 OK\r\n')
  })
})
