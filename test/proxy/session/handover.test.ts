/**
 * From a connection that is ready to the relay, and what must hold at each point of a dial: nothing is left open, and no
 * error ends the process (node:test fails a test with an uncaught error).
 */
import assert from 'node:assert/strict'
import { getEventListeners, once } from 'node:events'
import net from 'node:net'
import { after, before, describe, test } from 'node:test'
import { ClientConnection } from '../../../proxy/connection/client-connection.ts'
import { Dialer } from '../../../proxy/upstream/dialer.ts'
import { startScene } from '../../support/in-process/dial-rig.ts'
import { OpenResources } from '../../support/in-process/open-resources.ts'
import { Names } from '../../support/in-process/resolver.ts'
import { makeTrust, type Trust } from '../../support/in-process/trust.ts'
import { connectClient, type Peer, playPreamble, ScriptedUpstream } from '../../support/sockets/scripted-peers.ts'

let trust: Trust
before(async () => {
  trust = await makeTrust()
})
after(() => trust.remove())

/** How far an upstream may be when something happens. The first has accepted and sends nothing. */
const POINTS: readonly (readonly [string, (peer: Peer) => Promise<void>])[] = [
  ['before the greeting', async () => {}],
  ['in the middle of the greeting', (peer) => peer.send('220 mail.exa')],
  [
    'before the answer to EHLO',
    async (peer) => {
      await peer.send('220 mail.example\r\n')
      await peer.readLine()
    },
  ],
  [
    'before the answer to STARTTLS',
    async (peer) => {
      await peer.send('220 mail.example\r\n')
      await peer.readLine()
      await peer.send('250-mail.example\r\n250 STARTTLS\r\n')
      await peer.readUntil('STARTTLS\r\n')
    },
  ],
  [
    'in the handshake',
    async (peer) => {
      await POINTS[3]![1](peer)
      await peer.send('220 go\r\n')
      await peer.readBytes(5)
    },
  ],
]

/** How a client may leave. */
const LEAVING: readonly (readonly [string, (client: Peer) => Promise<void>])[] = [
  ['a FIN', (client) => client.end()],
  ['an RST', (client) => client.reset()],
]

describe('A client that leaves while the upstream is dialled ends the dial (DIS-11)', () => {
  for (const [point, play] of POINTS) {
    for (const [how, leave] of LEAVING) {
      test(`${how} ${point} closes the upstream connection, and no dial is reported as failed (DIS-11)`, async () => {
        using resources = new OpenResources()
        {
          await using scene = await startScene(trust)
          const { client, peer } = await scene.meet()
          await play(peer)
          await leave(client)
          await peer.closed()
          const session = await scene.recorder.closed()
          assert.deepEqual(
            session.events.map((event) => event.type),
            ['session-open', 'session-close'],
          )
        }
        await resources.allClosed(`${how} ${point}`)
      })
    }
  }

  for (const [point, play] of POINTS) {
    test(`a drain ${point} answers 421 at once and closes the upstream connection (LIF-01)`, async () => {
      using resources = new OpenResources()
      {
        await using scene = await startScene(trust)
        const { client, peer } = await scene.meet()
        await play(peer)
        const drained = scene.server.drain()
        assert.match(await client.readReply(), /^421 4\.3\.2 ahasend-smtp-proxy: /)
        await client.end()
        await peer.closed()
        assert.equal(await drained, 0)
      }
      await resources.allClosed(`drain ${point}`)
    })
  }
})

/** What an upstream may do to a connection that is ready while the client's own handshake is still in progress. */
const MEANWHILE: readonly (readonly [string, (peer: Peer) => Promise<void>, RegExp])[] = [
  ['resets the connection', (peer) => peer.reset(), /^(?:220 mail\.example ESMTP\r\n)?(?:421 [^\r\n]*\r\n)?$/],
  ['ends the connection', (peer) => peer.end(), /^220 mail\.example ESMTP\r\n$/],
  [
    'says 421 and ends the connection',
    async (peer) => {
      await peer.send('421 4.3.2 mail.example idle too long\r\n')
      await peer.end()
    },
    /^220 mail\.example ESMTP\r\n421 4\.3\.2 mail\.example idle too long\r\n$/,
  ],
]

describe('A connection that is ready before the client is', () => {
  for (const [what, act, expected] of MEANWHILE) {
    test(`the upstream ${what}: the client sees it as soon as it is inside TLS (DIS-06)`, async () => {
      using resources = new OpenResources()
      {
        await using scene = await startScene(trust, { smtps: true })
        const { client, peer } = await scene.meet()
        await playPreamble(peer, { identity: trust.identity })
        await act(peer)
        await client.secureAsClient({ ca: trust.authority.certPem, servername: 'localhost' })
        await client.closed()
        assert.match(client.log.all.toString('latin1'), expected)
        await client.end()
        await scene.recorder.closed()
      }
      await resources.allClosed(what)
    })
  }

  for (const [how, leave] of [...LEAVING, ['silence', async () => {}] as const]) {
    test(`the client ends its handshake by ${how}: the upstream connection is closed (TLC-10, TLC-12)`, async () => {
      using resources = new OpenResources()
      {
        // a silent client is cut after this time; until then the upstream must be ready
        const limits = how === 'silence' ? { handshakeMs: 2000 } : {}
        await using scene = await startScene(trust, { smtps: true, limits })
        const { client, peer } = await scene.meet()
        await playPreamble(peer, { identity: trust.identity })
        await client.send(Buffer.from('160301', 'hex'))
        await leave(client)
        await peer.closed()
        assert.equal(peer.log.length, 0)
        await scene.recorder.closed()
        client.destroy()
      }
      await resources.allClosed(how)
    })
  }
})

describe('The handover', () => {
  test('an RST right after the handshake ends the session, before or after the relay begins (DIS-06)', async () => {
    await using scene = await startScene(trust)
    for (let turn = 1; turn <= 20; turn += 1) {
      const { client, peer } = await scene.meet()
      await playPreamble(peer, { identity: trust.identity })
      await peer.reset()
      await client.closed()
      await client.end()
      await scene.recorder.closed(turn)
    }
  })

  test('an RST right after the greeting ends the session without TLS (DIS-06)', async () => {
    await using scene = await startScene(undefined, { plaintext: true })
    for (let turn = 1; turn <= 20; turn += 1) {
      const { client, peer } = await scene.meet()
      await peer.send('220 mail.example\r\n')
      await peer.reset()
      await client.closed()
      await client.end()
      await scene.recorder.closed(turn)
    }
  })

  for (const [what, clear] of [
    ['inside TLS', false],
    ['unencrypted', true],
  ] as const) {
    test(`a session (${what}) that is cut while a FIN of its client is being passed on leaves nothing open (LIF-03)`, async () => {
      using resources = new OpenResources()
      {
        await using scene = await startScene(trust, { plaintext: clear })
        const { client, peer } = await scene.meet()
        if (clear) await peer.send('220 mail.example ESMTP\r\n')
        else await playPreamble(peer, { identity: trust.identity })
        await client.readReply()
        await client.end()
        await peer.closed()
        await scene.server.close()
        await scene.recorder.closed()
      }
      await resources.allClosed('the cut session')
    })
  }

  test('a client connection that is reset while its FIN is being sent is closed (R5)', async () => {
    using resources = new OpenResources()
    {
      const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }).listen(0, '127.0.0.1')
      const accepted = once(server, 'connection')
      await once(server, 'listening')
      const client = await connectClient({ port: (server.address() as net.AddressInfo).port })
      const connection = new ClientConnection((await accepted)[0])
      const closed = new Promise<void>((done) => {
        connection.listen({ data: () => {}, ended: () => {}, drained: () => {}, closed: () => done() })
      })
      connection.end(undefined, { ms: 10_000, bytes: 1000 })
      connection.abort()
      await closed
      client.destroy()
      server.close()
    }
    await resources.allClosed('the connection')
  })
})

describe('Dialer.dial', () => {
  test('with a signal that is already aborted it connects to nothing, and a resolver that fails does no harm (DIS-11)', async () => {
    const upstream = await ScriptedUpstream.start()
    using _names = new Names({ 'known.test': ['127.0.0.1'], 'unknown.test': 'ENOTFOUND' })
    for (const host of ['known.test', 'unknown.test']) {
      using resources = new OpenResources()
      const server = { host, port: upstream.port, tls: true }
      const { dial, connection } = await new Dialer().dial(server, 1000, AbortSignal.abort())
      assert.equal(connection, undefined)
      assert.equal(dial.error, 'resolve_failed')
      await resources.allClosed('a dial that never began')
    }
    assert.equal(upstream.connections, 0)
    await upstream.close()
  })

  test('leaves no listener on the signal of a long-lived caller (GRT-10)', async () => {
    const upstream = await ScriptedUpstream.start()
    const stop = new AbortController()
    const dialer = new Dialer(trust.caFile)
    for (const outcome of ['connection', 'failure']) {
      const dialing = dialer.dial({ host: 'localhost', port: upstream.port, tls: true }, 5000, stop.signal)
      const peer = await upstream.accept()
      if (outcome === 'connection') await playPreamble(peer, { identity: trust.identity })
      else await peer.end()
      const { connection } = await dialing
      assert.equal(connection !== undefined, outcome === 'connection')
      connection?.socket.destroy()
    }
    assert.equal(getEventListeners(stop.signal, 'abort').length, 0)
    await upstream.close()
  })
})
