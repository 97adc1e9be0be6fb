/** Large bodies whose upstream reads slowly or not at all: the client waits, and the proxy keeps little. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { ReadPool } from '../../../proxy/connection/read-pool.ts'
import { UpstreamConnection } from '../../../proxy/connection/upstream-connection.ts'
import { sessionAt } from '../../support/in-process/message-states.ts'
import { retainedBufferBytes } from '../../support/in-process/retained-bytes.ts'
import { Stage } from '../../support/in-process/stage.ts'
import { connectClient, type Peer, playPreamble, ScriptedUpstream } from '../../support/sockets/scripted-peers.ts'
import { hashOf, largeBody, MIB, SIZE_LIMIT, startProxy } from '../../support/traffic/large-bodies.ts'

test('an upstream that stops reading stops the client, not the proxy; nothing is lost when it reads again (DAT-10, R15)', async (t) => {
  const stage = await Stage.open('plain')
  t.after(() => stage.close())
  const { client, upstream, identity } = await stage.connect()
  await playPreamble(upstream, { identity })
  await client.readReply()
  await client.send('MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n')
  await upstream.readUntil('DATA\r\n')
  await upstream.send('250 ok\r\n250 ok\r\n354 go\r\n')
  for (let replies = 0; replies < 3; replies += 1) await client.readReply()

  upstream.pause()
  const body = largeBody(SIZE_LIMIT)
  const before = await retainedBufferBytes()
  const sent = client.send(Buffer.concat([body, Buffer.from('.\r\n')]))
  await stalled(() => stage.server.liveBytes().transmit)
  assert.ok(stage.server.liveBytes().transmit < SIZE_LIMIT / 2, 'the kernels of the network path hold a few MB')
  const grown = (await retainedBufferBytes()) - before - body.length
  assert.ok(grown < MIB, `the proxy held ${grown} bytes more`)

  upstream.resume()
  await sent
  assert.equal(hashOf((await upstream.readUntil('\r\n.\r\n')).subarray(0, -3)), hashOf(body))
  client.destroy()
  upstream.destroy()
})

/** Blocks that were taken from a pool and not given back. */
function blocksOut(pool: ReadPool): () => number {
  let out = 0
  const { take, give } = pool
  pool.take = () => {
    out += 1
    return take.call(pool)
  }
  pool.give = (block) => {
    out -= 1
    give.call(pool, block)
  }
  return () => out
}

test('small pieces of a body keep no block while the upstream takes no bytes', async (t) => {
  const stage = await Stage.open('plain')
  t.after(() => stage.close())
  const { client, upstream } = await sessionAt('in the body', stage)
  // a socket whose kernel buffer is full: no write is finished
  const write = t.mock.method(UpstreamConnection.prototype, 'write', () => {})
  const out = blocksOut(stage.server.readPool)
  for (let written = 0; written < 50; written = write.mock.callCount()) {
    await client.send('x')
    await pause(1)
  }
  assert.ok(out() <= 1, `${out()} blocks are kept`)
  client.destroy()
  upstream.destroy()
})

test('a client that lingers after a refusal keeps no block', async (t) => {
  const stage = await Stage.open('plain')
  t.after(() => stage.close())
  const { client, upstream } = await sessionAt('in the body', stage)
  const out = blocksOut(stage.server.readPool)
  const sent = client.send(randomBytes(SIZE_LIMIT)).catch(() => {})
  await upstream.received(MIB)
  await upstream.send('552 5.3.4 too big\r\n')
  await upstream.reset()
  await sent
  await client.closed()
  assert.ok(out() <= 1, `${out()} blocks are kept`)
  client.destroy()
})

test('three unencrypted bodies whose upstreams stall arrive as they were sent (DAT-11)', async (t) => {
  const upstream = await ScriptedUpstream.start()
  t.after(() => upstream.close())
  const server = await startProxy({ PROXY_UPSTREAM: `smtp://127.0.0.1:${upstream.port}?tls=off` })
  t.after(() => server.close())
  const pairs: { readonly client: Peer; readonly upstream: Peer }[] = []
  for (let index = 0; index < 3; index += 1) {
    const client = await connectClient({ port: server.bound[0]!.port, limitMs: 60_000 })
    pairs.push({ client, upstream: await inData(client, await upstream.accept()) })
  }
  for (const pair of pairs) pair.upstream.pause()
  const bodies = pairs.map(() => largeBody(SIZE_LIMIT))
  const sent = pairs.map(({ client }, index) => client.send(Buffer.concat([bodies[index]!, Buffer.from('.\r\n')])))
  await stalled(() => server.liveBytes().transmit)
  for (const pair of pairs) pair.upstream.resume()
  await Promise.all(sent)
  for (const [index, pair] of pairs.entries()) {
    const arrived = (await pair.upstream.readUntil('\r\n.\r\n')).subarray(0, -3)
    assert.equal(hashOf(arrived), hashOf(bodies[index]!), `body ${index}`)
    pair.client.destroy()
    pair.upstream.destroy()
  }
})

/** Plays the upstream until it has asked for the body. */
async function inData(client: Peer, upstream: Peer): Promise<Peer> {
  await upstream.send('220 mail.example\r\n')
  await client.readReply()
  await client.send('MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n')
  await upstream.readUntil('DATA\r\n')
  await upstream.send('250 ok\r\n250 ok\r\n354 go\r\n')
  for (let replies = 0; replies < 3; replies += 1) await client.readReply()
  return upstream
}

/** Waits until a figure has not changed for a while. */
async function stalled(figure: () => number): Promise<void> {
  for (let last = -1; figure() !== last; ) {
    last = figure()
    await new Promise((later) => setTimeout(later, 200))
  }
}
