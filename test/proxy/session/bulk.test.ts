/** Large bodies: no byte is altered, however the reads are cut. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { ProxyServer } from '../../../proxy/server/server.ts'
import { type Simulator, startSimulator } from '../../simulator/simulator.ts'
import { connectClient, type Peer } from '../../support/sockets/scripted-peers.ts'
import { hashOf, largeBody, MIB, SIZE_LIMIT, startProxy } from '../../support/traffic/large-bodies.ts'

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
      proxy = await startProxy({
        PROXY_UPSTREAM: `smtp://localhost:${simulator.port}${tls ? '' : '?tls=off'}`,
        PROXY_UPSTREAM_CA_FILE: simulator.caFile,
      })
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
      return simulator.ledger.bodies.has(hashOf(body))
    }

    for (const [size, code] of [
      [SIZE_LIMIT - 1, '250'],
      [SIZE_LIMIT, '250'],
      [SIZE_LIMIT + 1, '552'],
    ] as const) {
      test(`${size} bytes: AhaSend replies ${code}, the proxy has no limit of its own (DAT-02)`, async () => {
        const body = largeBody(size)
        assert.equal((await deliver(body)).slice(0, 3), code)
        if (code === '250') assert.ok(received(body))
      })
    }

    test('20 bodies of 1 MB in chunks of 1 to 65,536 bytes, five at a time (DAT-11)', async () => {
      const bodies = Array.from({ length: 20 }, () => largeBody(MIB))
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
      const values = Buffer.from(
        Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => byte !== 10 && byte !== 13),
      )
      const body = Buffer.concat([Buffer.alloc(25_000_000, values), Buffer.from('\r\n')])
      assert.match(await deliver(body), /^552 /) // AhaSend's size limit; it has received every byte
      assert.equal(simulator.ledger.messages.at(-1)?.size, body.length)
    })
  })
}
