/** What Node's sockets do at the end of a connection, and how UpstreamConnection reports it. Real sockets. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { before, describe, type TestContext, test } from 'node:test'
import tls from 'node:tls'
import { UpstreamConnection } from '../../../proxy/connection/upstream-connection.ts'
import type { Identity } from '../../support/sockets/scripted-peers.ts'
import { makeAuthority } from '../../support/tls/certificates.ts'

const REFUSAL = '552 5.3.4 message too big\r\n'
/** More than the kernel holds for a peer that does not read. */
const BODY = Buffer.alloc(16 * 1024 * 1024, 'body\r\n')

/** One end of a connection: its TLS socket, or the TCP socket twice. */
interface End {
  readonly socket: net.Socket
  readonly tcp: net.Socket
}

/** What was reported to the owner of the connection, in order. */
class Heard {
  readonly events: string[] = []
  readonly #closed = Promise.withResolvers<readonly string[]>()

  constructor(connection: UpstreamConnection) {
    connection.listen({
      data: (chunk) => this.events.push(chunk.toString('latin1')),
      drained: () => {},
      ended: () => this.events.push('ended'),
      failed: () => this.events.push('failed'),
      closed: () => this.#closed.resolve(this.events),
    })
  }

  /** Everything, once the connection is gone. */
  get all(): Promise<readonly string[]> {
    return this.#closed.promise
  }
}

let identity: Identity
before(async () => {
  const { certPem: cert, keyPem: key } = await (await makeAuthority()).issue({ dnsNames: ['localhost'] })
  identity = { cert, key }
})

/** Connects two ends on loopback: the proxy's and the upstream's. The upstream's is paused. */
async function connected(context: TestContext, layer: string): Promise<{ near: End; far: End }> {
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  const accepted = once(server, 'connection') as Promise<[net.Socket]>
  const nearTcp = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
  const [farTcp] = await accepted
  const [near, far] = layer === 'TLS' ? await secured(nearTcp, farTcp) : [nearTcp, farTcp]
  for (const socket of [near, nearTcp, far, farTcp]) socket.on('error', () => {})
  far.pause()
  context.after(() => {
    for (const socket of [near, nearTcp, far, farTcp]) socket.destroy()
    server.close()
  })
  return { near: { socket: near, tcp: nearTcp }, far: { socket: far, tcp: farTcp } }
}

async function secured(nearTcp: net.Socket, farTcp: net.Socket): Promise<[net.Socket, net.Socket]> {
  const far = new tls.TLSSocket(farTcp, { isServer: true, secureContext: tls.createSecureContext(identity) })
  const near = tls.connect({ socket: nearTcp, rejectUnauthorized: false })
  await Promise.all([once(near, 'secureConnect'), once(far, 'secure')])
  return [near, far]
}

/** Sends something and closes with unread bytes: an RST follows at once. */
async function sayAndReset({ socket, tcp }: End, text: string): Promise<void> {
  if (text !== '') await new Promise((sent) => socket.write(text, sent))
  tcp.destroy()
}

for (const layer of ['TCP', 'TLS']) {
  describe(`An upstream connection over ${layer}`, () => {
    test('reads a reply that came before an RST, although a write fails first', async (context) => {
      const { near, far } = await connected(context, layer)
      const connection = new UpstreamConnection(near)
      const heard = new Heard(connection)
      connection.write(BODY)
      await sayAndReset(far, REFUSAL)
      connection.write(BODY)
      assert.deepEqual(await heard.all, [REFUSAL, 'failed'])
    })

    test('reports an RST without a reply as a failure and not as a FIN, although a write fails first', async (context) => {
      const { near, far } = await connected(context, layer)
      const connection = new UpstreamConnection(near)
      const heard = new Heard(connection)
      connection.write(BODY)
      await sayAndReset(far, '')
      connection.write(BODY)
      assert.deepEqual(await heard.all, ['failed'])
    })

    test('reads the reply of an upstream that closes after it, although the reader was paused', async (context) => {
      const { near, far } = await connected(context, layer)
      const connection = new UpstreamConnection(near)
      const heard = new Heard(connection)
      connection.write(BODY)
      connection.pause()
      await sayAndReset(far, REFUSAL)
      connection.write(BODY)
      connection.pause()
      assert.deepEqual(await heard.all, [REFUSAL, 'failed'])
    })

    test('reports a failed write after a second if the upstream stays silent, and writes nothing meanwhile', async (context) => {
      context.mock.timers.enable({ apis: ['setTimeout'] })
      const { near } = await connected(context, layer)
      let writes = 0
      near.socket._write = (_chunk, _encoding, written) => {
        writes += 1
        written(new Error('EPIPE'))
      }
      const connection = new UpstreamConnection(near)
      const heard = new Heard(connection)
      connection.write(Buffer.from('MAIL'))
      connection.write(Buffer.from('RCPT'))
      context.mock.timers.tick(999)
      await new Promise((turn) => setImmediate(turn))
      assert.deepEqual([heard.events, writes], [[], 1])
      context.mock.timers.tick(1)
      assert.deepEqual(await heard.all, ['failed'])
    })

    for (const [what, end, upstreamSees] of [
      ['finish', (connection: UpstreamConnection) => connection.finish(), 'end'],
      ['release', (connection: UpstreamConnection) => connection.release(), 'close'],
      ['abort', (connection: UpstreamConnection) => connection.abort(), 'close'],
    ] as const) {
      test(`${what}, called while data arrives: a flood is read or refused, and never buffered`, async (context) => {
        const { near, far } = await connected(context, layer)
        const connection = new UpstreamConnection(near)
        const flood = () => {
          while (far.socket.writable && far.socket.write(BODY.subarray(0, 65_536)));
        }
        let after = 0
        let ended = false
        const enough = Promise.withResolvers<void>()
        connection.listen({
          data: (chunk) => {
            if (ended) after += chunk.length
            if (after > BODY.length) enough.resolve()
            if (!ended) end(connection)
            ended = true
          },
          drained: () => {},
          ended: () => {},
          failed: () => {},
          closed: () => enough.resolve(),
        })
        const seen = new Promise((resolve) => far.socket.once(upstreamSees, resolve))
        far.socket.on('drain', flood).resume()
        flood()
        await Promise.all([seen, enough.promise])
        assert.ok(what === 'finish' || after < BODY.length, 'who was refused is not read')
      })
    }
  })
}
