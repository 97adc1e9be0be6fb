/** Large bodies: no byte is altered, however the reads are cut and however slow the upstream is. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { pooled, ReadPool } from '../../../proxy/connection/read-pool.ts'
import { UpstreamConnection } from '../../../proxy/connection/upstream-connection.ts'
import type { Telemetry } from '../../../proxy/events/observer.ts'
import { type ProxyServer, startServer } from '../../../proxy/server/server.ts'
import type { Config } from '../../../proxy/settings/config.ts'
import { parseConfig } from '../../../proxy/settings/settings.ts'
import { type Simulator, startSimulator } from '../../simulator/simulator.ts'
import { sessionAt } from '../../support/in-process/message-states.ts'
import { retainedBufferBytes } from '../../support/in-process/retained-bytes.ts'
import { Stage } from '../../support/in-process/stage.ts'
import { connectClient, type Peer, playPreamble, ScriptedUpstream } from '../../support/sockets/scripted-peers.ts'

const MIB = 2 ** 20
const LIMIT = 20 * MIB

test('a block that was given back is taken next, and at most 64 are kept', () => {
  const pool = new ReadPool()
  const blocks = Array.from({ length: 70 }, () => pool.take())
  assert.equal(new Set(blocks).size, 70)
  for (const block of blocks) pool.give(block)
  const again = Array.from({ length: 70 }, () => pool.take())
  assert.equal(again[0], blocks[63])
  assert.equal(again.filter((block) => blocks.includes(block)).length, 64)
})

test('a block is read into again only after it was given back', async (t) => {
  const pool = new ReadPool()
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }).listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const sender = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [accepted] = (await once(server, 'connection')) as [Socket]
  const kept: { readonly chunk: Buffer; readonly asRead: Buffer; readonly release: () => void }[] = []
  let octets = 0
  const reader = {
    bulk: () => true,
    data: (chunk: Buffer, release?: () => void) => {
      octets += chunk.length
      kept.push({ chunk, asRead: Buffer.from(chunk), release: release! })
    },
  }
  const socket = pooled(accepted, pool, reader)
  assert.notEqual(socket, accepted, 'this Node has no way to read into blocks: see pooled()')
  socket.resume()
  sender.end(randomBytes(MIB))
  await once(socket, 'end')
  assert.equal(octets, MIB)
  for (const { chunk, asRead } of kept) assert.ok(chunk.equals(asRead), 'a block that nobody gave back was read into')
  const blocks = new Set(kept.map(({ chunk }) => chunk.buffer))
  assert.equal(blocks.size, kept.length)
  kept[0]?.release()
  assert.equal(pool.take().buffer, kept[0]?.chunk.buffer)
  socket.destroy()
  sender.destroy()
})

const SILENT: Telemetry = {
  open: () => () => {},
  dial() {},
  observerFailed: (error) => assert.fail(String(error)),
}

function configOf(env: Readonly<Record<string, string>>): Config {
  const parsed = parseConfig({ PROXY_LISTEN: 'smtp://127.0.0.1:0', PROXY_WARM_CONNECTIONS: '0', ...env })
  if ('mistakes' in parsed) throw new Error(parsed.mistakes.join('\n'))
  return parsed.config
}

/** Lines of base64 with a dot, a stuffed dot and an empty line among them; ends in CRLF. */
function text(octets: number): Buffer {
  const block = `${randomBytes(57 * 700)
    .toString('base64')
    .replaceAll(/.{76}/g, '$&\r\n')}..\r\n\r\na.b\r\n`
  const body = Buffer.from(block.repeat(Math.ceil(octets / block.length)).slice(0, octets), 'latin1')
  body.write('xx\r\n', octets - 4, 'latin1')
  return body
}

function hash(body: Buffer): string {
  return createHash('sha256').update(body).digest('hex')
}

async function ask(client: Peer, line: string): Promise<string> {
  await client.send(`${line}\r\n`)
  return client.readReply()
}

/** A session that sends its body next. */
async function untilData(port: number): Promise<Peer> {
  const client = await connectClient({ port, limitMs: 60_000 })
  await client.readReply()
  for (const line of ['EHLO app', 'MAIL FROM:<a@example.com>', 'RCPT TO:<b@example.net>', 'DATA'])
    await ask(client, line)
  return client
}

for (const tls of [true, false]) {
  describe(`bodies through the proxy to the simulated AhaSend, ${tls ? 'inside TLS' : 'unencrypted (?tls=off)'}`, () => {
    let simulator: Simulator
    let proxy: ProxyServer

    before(async () => {
      simulator = await startSimulator({ requireAuth: false, requireTls: tls, offerTls: tls })
      const config = configOf({
        PROXY_UPSTREAM: `smtp://localhost:${simulator.port}${tls ? '' : '?tls=off'}`,
        PROXY_UPSTREAM_CA_FILE: simulator.caFile,
      })
      proxy = await startServer({ config, telemetry: SILENT })
    })
    after(async () => {
      await proxy?.close()
      await simulator?.close()
    })

    async function deliver(body: Buffer, chunk = () => MIB): Promise<string> {
      const client = await untilData(proxy.bound[0]!.port)
      const wire = Buffer.concat([body, Buffer.from('.\r\n')])
      for (let at = 0, end = 0; at < wire.length; at = end) {
        end = at + chunk()
        await client.send(wire.subarray(at, end))
      }
      const reply = await client.readReply()
      client.destroy()
      return reply
    }

    function received(body: Buffer): boolean {
      return simulator.ledger.bodies.has(hash(body))
    }

    for (const [octets, code] of [
      [LIMIT - 1, '250'],
      [LIMIT, '250'],
      [LIMIT + 1, '552'],
    ] as const) {
      test(`${octets} bytes: AhaSend replies ${code}, the proxy has no limit of its own (DAT-02)`, async () => {
        const body = text(octets)
        assert.equal((await deliver(body)).slice(0, 3), code)
        if (code === '250') assert.ok(received(body))
      })
    }

    test('20 bodies of 1 MB in chunks of 1 to 65,536 bytes, five at a time (DAT-11)', async () => {
      const bodies = Array.from({ length: 20 }, () => text(MIB))
      const chunk = () => 1 + Math.floor(Math.random() * 65_536)
      for (let first = 0; first < bodies.length; first += 5) {
        await Promise.all(bodies.slice(first, first + 5).map((body) => deliver(body, chunk)))
      }
      assert.deepEqual(
        bodies.map(received),
        bodies.map(() => true),
      )
    })

    test('one line of 25 MB with every byte value except CR and LF (DAT-12)', async () => {
      const octets = Buffer.from(
        Array.from({ length: 256 }, (_, octet) => octet).filter((octet) => octet !== 10 && octet !== 13),
      )
      const body = Buffer.concat([Buffer.alloc(25_000_000, octets), Buffer.from('\r\n')])
      assert.match(await deliver(body), /^552 /) // AhaSend's size limit; the octets have arrived all the same
      assert.equal(simulator.ledger.messages.at(-1)?.size, body.length)
    })
  })
}

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
  const body = text(LIMIT)
  const before = await retainedBufferBytes()
  const sent = client.send(Buffer.concat([body, Buffer.from('.\r\n')]))
  await stalled(() => stage.server.liveBytes().transmit)
  assert.ok(stage.server.liveBytes().transmit < LIMIT / 2, 'the kernels on the way hold a few MB')
  const grown = (await retainedBufferBytes()) - before - body.length
  assert.ok(grown < MIB, `the proxy held ${grown} octets more`)

  upstream.resume()
  await sent
  assert.equal(hash((await upstream.readUntil('\r\n.\r\n')).subarray(0, -3)), hash(body))
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
  const sent = client.send(randomBytes(LIMIT)).catch(() => {})
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
  const server = await startServer({
    config: configOf({ PROXY_UPSTREAM: `smtp://127.0.0.1:${upstream.port}?tls=off` }),
    telemetry: SILENT,
  })
  t.after(() => server.close())
  const pairs: { readonly client: Peer; readonly upstream: Peer }[] = []
  for (let index = 0; index < 3; index += 1) {
    const client = await connectClient({ port: server.bound[0]!.port, limitMs: 60_000 })
    pairs.push({ client, upstream: await inData(client, await upstream.accept()) })
  }
  for (const pair of pairs) pair.upstream.pause()
  const bodies = pairs.map(() => text(LIMIT))
  const sent = pairs.map(({ client }, index) => client.send(Buffer.concat([bodies[index]!, Buffer.from('.\r\n')])))
  await stalled(() => server.liveBytes().transmit)
  for (const pair of pairs) pair.upstream.resume()
  await Promise.all(sent)
  for (const [index, pair] of pairs.entries()) {
    const arrived = (await pair.upstream.readUntil('\r\n.\r\n')).subarray(0, -3)
    assert.equal(hash(arrived), hash(bodies[index]!), `body ${index}`)
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

test('10,000 chunks of one byte: in order, each answered, one message (BDT-11)', async (t) => {
  const stage = await Stage.open('plain')
  t.after(() => stage.close())
  const session = await stage.connect()
  const { client, upstream, identity } = session
  await playPreamble(upstream, { identity })
  await client.readReply()
  await client.send('EHLO app\r\n')
  await upstream.readUntil('EHLO app\r\n')
  await upstream.send('250-h\r\n250 CHUNKING\r\n')
  await client.readReply()
  await client.send('MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\n')
  await upstream.readUntil('example.net>\r\n')
  await upstream.send('250 ok\r\n250 ok\r\n')
  for (let replies = 0; replies < 2; replies += 1) await client.readReply()

  const chunks = Array.from({ length: 10_000 }, (_, index) => `BDAT 1${index === 9999 ? ' LAST' : ''}\r\n${index % 10}`)
  const wire = chunks.join('')
  const [, arrived] = await Promise.all([client.send(wire), answerChunks(upstream, wire.length)])
  assert.equal(arrived, wire)
  for (let replies = 0; replies < chunks.length; replies += 1) assert.equal(await client.readReply(), '250 ok\r\n')
  client.destroy()
  upstream.destroy()
  const events = await session.events()
  const ends = events.filter(({ type }) => type === 'tx-commit' || type === 'session-opaque')
  assert.deepEqual(
    ends.map((end) => ('size' in end ? end.size : end.type)),
    [10_000],
  )
  await stage.close()
})

/** Answers each chunk as it arrives; returns everything that arrived. */
async function answerChunks(upstream: Peer, octets: number): Promise<string> {
  let arrived = ''
  let answered = 0
  while (arrived.length < octets) {
    arrived +=
      (await upstream.readBytes(1)).toString('latin1') +
      upstream.log.take(upstream.log.unread.length).toString('latin1')
    const whole = arrived.split('BDAT').length - 1 - (/BDAT[^\n]*$|\n$/.test(arrived) ? 1 : 0)
    if (whole > answered) await upstream.send('250 ok\r\n'.repeat(whole - answered))
    answered = Math.max(answered, whole)
  }
  return arrived
}
