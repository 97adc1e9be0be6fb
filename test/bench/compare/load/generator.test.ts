/** The load generator against a server in this process. */
import assert from 'node:assert/strict'
import net from 'node:net'
import { describe, test } from 'node:test'
import { Generator } from '../../../../bench/compare/load/generator.ts'
import type { Order } from '../../../../bench/compare/load/orders.ts'
import { SinkSession } from '../../../../bench/compare/sinks/session.ts'
import { listenOnLoopback } from '../../../support/sockets/listen.ts'
import { onLinux } from '../linux.ts'

const never = new AbortController().signal

/** A server that accepts messages, or with `greets: false` says nothing. Counts its connections. */
async function serve(greets = true) {
  let connections = 0
  const server = net.createServer((socket) => {
    connections += 1
    if (!greets) return
    const session = new SinkSession(
      { reply: (text) => socket.write(text), startTls() {}, quit: () => socket.end() },
      false,
    )
    socket.on('data', (chunk) => session.push(chunk)).on('error', () => {})
    socket.write('220 sink\r\n')
  })
  const port = await listenOnLoopback(server)
  const close = async () => void server.close()
  return { place: { port }, connections: () => connections, [Symbol.asyncDispose]: close }
}

async function perform(order: Order, limitMs?: number) {
  const generator = new Generator(limitMs)
  return generator.perform(order, never).finally(() => generator.stop())
}

describe('the load generator', onLinux, () => {
  for (const [style, connections] of [
    ['each', 30],
    ['keep', 3],
    ['pipeline', 3],
  ] as const) {
    test(`sends 30 messages as fast as possible (${style})`, async () => {
      await using server = await serve()
      const order = { kind: 'closed', place: server.place, bytes: 2048, connections: 3, messages: 30, style } as const
      const report = await perform(order)
      assert.equal(report.messages, 30)
      assert.equal(server.connections(), connections)
    })
  }

  for (const connections of [0, 2]) {
    test(`sends at a rate, on ${connections || 'separate'} connections, and reports times from when messages are due`, async () => {
      await using server = await serve()
      const base = { kind: 'open', place: server.place, bytes: 2048, connections } as const
      const { messages, latencies, lateness } = await perform({ ...base, rate: 100, leadSeconds: 0.2, seconds: 0.5 })
      assert.ok(messages > 40 && messages < 110, `${messages} messages`)
      assert.equal(latencies.length, lateness.length)
      assert.ok(latencies.length < messages)
      assert.ok(latencies.every((ms) => ms > 0))
    })
  }

  test('rejects with the refusal', async () => {
    const server = net.createServer((socket) => void socket.end('421 4.3.2 busy\r\n'))
    const place = { port: await listenOnLoopback(server) }
    const order = { kind: 'closed', place, bytes: 1, connections: 1, messages: 1, style: 'keep' } as const
    await assert.rejects(perform(order), /refused: 421 4\.3\.2 busy/)
    server.close()
  })

  test('gives up in time, and performs the next order', async () => {
    await using silent = await serve(false)
    await using server = await serve()
    const generator = new Generator(3000)
    const order = { kind: 'closed', bytes: 1, connections: 1, messages: 1, style: 'keep' } as const
    await assert.rejects(generator.perform({ ...order, place: silent.place }, never), /did not answer in time/)
    assert.equal((await generator.perform({ ...order, place: server.place }, never)).messages, 1)
    await generator.stop()
  })
})
