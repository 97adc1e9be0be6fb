/** The group whose key a dial sends first: a wrong guess costs a round trip. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import * as net from 'node:net'
import { after, before, describe, type TestContext, test } from 'node:test'
import * as tls from 'node:tls'
import { TlsContexts } from '../../../proxy/upstream/tls-contexts.ts'
import { makeTrust, type Trust } from '../../support/in-process/trust.ts'
import { listenOnLoopback } from '../../support/sockets/listen.ts'

let trust: Trust
before(async () => {
  trust = await makeTrust()
})
after(() => trust.remove())

/** Starts a TLS server that accepts these groups. Returns its port. */
async function serverWith(context: TestContext, ecdhCurve: string): Promise<number> {
  const server = tls.createServer({ ...trust.identity, ecdhCurve }, (socket) => socket.on('error', () => {}).resume())
  context.after(() => server.close())
  return await listenOnLoopback(server)
}

/** Counts the messages of this type of a TLS handshake in unencrypted records. */
function countMessages(bytes: Buffer, type: number): number {
  let count = 0
  for (let at = 0; at + 5 < bytes.length; at += 5 + bytes.readUInt16BE(at + 3))
    if (bytes[at] === 22 && bytes[at + 5] === type) count += 1
  return count
}

/** Connects through a TCP relay that reads along. Returns the group, and the number of the client's ClientHellos. */
async function connectOnce(contexts: TlsContexts, port: number, upstream = `localhost:${port}`) {
  const sent: Buffer[] = []
  const relay = net.createServer((client) => {
    const server = net.connect(port, '127.0.0.1')
    for (const end of [client, server]) end.on('error', () => end.destroy())
    client.on('data', (chunk) => sent.push(chunk))
    client.pipe(server).pipe(client)
  })
  const relayPort = await listenOnLoopback(relay)
  const socket = tls.connect({ port: relayPort, servername: 'localhost', secureContext: contexts.for(upstream) })
  await once(socket, 'secureConnect')
  contexts.secured(upstream, socket)
  const { name } = socket.getEphemeralKeyInfo() as { readonly name?: string }
  socket.destroy()
  relay.close()
  return [name, countMessages(Buffer.concat(sent), 1)]
}

describe('A dial', () => {
  for (const group of ['X25519MLKEM768', 'prime256v1', 'secp384r1'])
    test(`sends at once the key that the upstream requested the last time (${group})`, async (context) => {
      const contexts = new TlsContexts(trust.caFile)
      const port = await serverWith(context, group)
      assert.deepEqual(await connectOnce(contexts, port), [group, 2])
      assert.deepEqual(await connectOnce(contexts, port), [group, 1])
    })

  test('sends an X25519 key to an upstream that accepts it', async (context) => {
    const contexts = new TlsContexts(trust.caFile)
    const port = await serverWith(context, 'X25519:prime256v1')
    assert.deepEqual(await connectOnce(contexts, port), ['X25519', 1])
    assert.deepEqual(await connectOnce(contexts, port), ['X25519', 1])
  })

  test('still agrees with an upstream that changed its groups, and with others', async (context) => {
    const contexts = new TlsContexts(trust.caFile)
    const [before, later, other] = [
      await serverWith(context, 'secp384r1'),
      await serverWith(context, 'X25519'),
      await serverWith(context, 'X25519'),
    ]
    assert.deepEqual(await connectOnce(contexts, before, 'mail.example:587'), ['secp384r1', 2])
    assert.deepEqual(await connectOnce(contexts, later, 'mail.example:587'), ['X25519', 2])
    assert.deepEqual(await connectOnce(contexts, later, 'mail.example:587'), ['X25519', 1])
    assert.deepEqual(await connectOnce(contexts, other, 'other.example:587'), ['X25519', 1])
  })
})
