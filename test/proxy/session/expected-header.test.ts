/** The result of waiting for a PROXY header. Which headers are valid: see test/proxy/net/proxy-protocol.test.ts. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { ClientConnection } from '../../../proxy/connection/client-connection.ts'
import { type ExpectedHeader, expectProxyHeader } from '../../../proxy/session/expected-header.ts'
import { listenOnLoopback } from '../../support/sockets/listen.ts'

const HEADER = 'PROXY TCP4 192.0.2.7 198.51.100.1 4711 25\r\n'
const SOURCE = { address: '192.0.2.7', port: 4711 }

/** Longer than any test here takes. */
const LONG_MS = 60_000

/** A client whose header is expected within `limitMs`, and every outcome that was reported. */
async function expecting(context: TestContext, limitMs: number) {
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true })
  const port = await listenOnLoopback(server)
  const client = net.connect(port, '127.0.0.1')
  client.on('error', () => {})
  const [accepted] = (await once(server, 'connection')) as [net.Socket]
  const connection = new ClientConnection(accepted)
  context.after(() => {
    client.destroy()
    connection.destroy()
    server.close()
  })
  const outcomes: ExpectedHeader[] = []
  const settled = new Promise<ExpectedHeader>((settle) => {
    expectProxyHeader(connection, limitMs, (outcome) => {
      outcomes.push(outcome)
      settle(outcome)
    })
  })
  return { client, connection, settled, outcomes }
}

describe('Waiting for a PROXY header', () => {
  const end = (client: net.Socket) => client.end()
  const reset = (client: net.Socket) => client.resetAndDestroy()
  const stay = () => {}
  const cases: readonly (readonly [
    what: string,
    sent: string,
    leave: (client: net.Socket) => void,
    limitMs: number,
    outcome: ExpectedHeader,
  ])[] = [
    ['a header', HEADER, stay, LONG_MS, { source: SOURCE, rest: Buffer.alloc(0) }],
    [
      'a header and a command',
      `${HEADER}EHLO a\r\n`,
      stay,
      LONG_MS,
      { source: SOURCE, rest: Buffer.from('EHLO a\r\n') },
    ],
    ['a header without a source', 'PROXY UNKNOWN\r\n', stay, LONG_MS, { source: undefined, rest: Buffer.alloc(0) }],
    ['a command instead', 'EHLO app\r\n', stay, LONG_MS, { fault: 'no_header' }],
    ['nothing, and then silence', '', stay, 50, { fault: 'timeout' }],
    ['part of a header, and then silence', HEADER.slice(0, 20), stay, 50, { fault: 'timeout' }],
    ['nothing, and then a FIN', '', end, LONG_MS, { left: 'client_closed' }],
    ['nothing, and then an RST', '', reset, LONG_MS, { left: 'client_reset' }],
    ['part of a header, and then a FIN', HEADER.slice(0, 20), end, LONG_MS, { fault: 'incomplete' }],
    ['part of a header, and then an RST', HEADER.slice(0, 20), reset, LONG_MS, { fault: 'incomplete' }],
  ]
  for (const [what, sent, leave, limitMs, outcome] of cases) {
    test(`${what}: ${Object.keys(outcome)[0]} ${JSON.stringify(Object.values(outcome)[0])}`, async (context) => {
      const { client, settled, outcomes } = await expecting(context, limitMs)
      if (sent !== '') await new Promise<unknown>((written) => client.write(sent, written))
      // a reset discards what the other side has not read
      if (sent !== '' && leave === reset) await pause(100)
      leave(client)
      assert.deepEqual(await settled, outcome)
      client.end()
      await pause(20)
      assert.equal(outcomes.length, 1, 'one outcome, although the client leaves afterwards')
    })
  }

  test('keeps the connection paused after a header, so that its owner gets what follows', async (context) => {
    const { client, connection, settled } = await expecting(context, LONG_MS)
    client.write(HEADER)
    const first = settled.then(
      () =>
        new Promise<Buffer>((data) => {
          connection.listen({ data, ended() {}, drained() {}, closed() {} })
        }),
    )
    await settled
    client.write('EHLO a\r\n')
    await pause(50)
    assert.equal(connection.tcp.isPaused(), true)
    connection.resume()
    assert.equal((await first).toString(), 'EHLO a\r\n')
  })
})
