/** Several upstreams in order of preference: when the next one is dialled and when it is not. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { DialError } from '../../../proxy/events/closed-sets.ts'
import * as localReplies from '../../../proxy/session/local-replies.ts'
import { startDialRig } from '../../support/in-process/dial-rig.ts'
import { OpenResources } from '../../support/in-process/open-resources.ts'
import { makeTrust, type Trust } from '../../support/in-process/trust.ts'
import { dialsOf, startUpstreamPair, type UpstreamPair } from '../../support/in-process/upstream-pair.ts'
import { openBlackHole } from '../../support/sockets/black-hole.ts'
import { type Peer, playPreamble, ScriptedUpstream } from '../../support/sockets/scripted-peers.ts'

const BUSY = '421 4.3.2 first.example load shedding. Try later\r\n'
const GREETING = '220 second.example ESMTP\r\n'

let trust: Trust
before(async () => {
  trust = await makeTrust()
})
after(() => trust.remove())

function startPair(env?: Readonly<Record<string, string>>): Promise<UpstreamPair> {
  return startUpstreamPair(trust, env)
}

/** Half of this time is long enough to dial an upstream on a busy machine. */
const SHARED = { PROXY_DIAL_TIMEOUT: '5s' }

/** How the preferred upstream fails, and the error of the dial. */
const UNABLE: readonly (readonly [string, (peer: Peer) => Promise<unknown>, DialError])[] = [
  ['greets with 421', (peer) => peer.send(BUSY), 'greeting_refused'],
  ['greets with 421 and a FIN', (peer) => peer.send(BUSY).then(() => peer.end()), 'greeting_refused'],
  ['closes without a greeting', (peer) => peer.end(), 'connect_reset'],
  ['resets without a greeting', (peer) => peer.reset(), 'connect_reset'],
  ['sends a greeting that is not SMTP', (peer) => peer.send('HTTP/1.1 400 Bad Request\r\n\r\n'), 'greeting_refused'],
  [
    'offers no STARTTLS',
    async (peer) => {
      await peer.send('220 first.example\r\n')
      await peer.readLine()
      await peer.send('250 first.example\r\n')
    },
    'starttls_not_offered',
  ],
  ['sends nothing in its share of the time', async () => {}, 'greeting_timeout'],
]

describe('The next upstream is dialled if the previous one fails', () => {
  for (const [what, act, error] of UNABLE) {
    test(`the first ${what}; the client does not notice, and the first gets no client byte (AHA-09)`, async () => {
      using resources = new OpenResources()
      {
        await using pair = await startPair(SHARED)
        const client = await pair.rig.connect()
        await client.send('EHLO app.example\r\n')
        const refusing = await pair.first.accept()
        await act(refusing)
        const peer = await pair.second.accept()
        await playPreamble(peer, { identity: trust.identity, greeting: GREETING })
        assert.equal(await client.readReply(), GREETING)
        assert.equal(await peer.readLine(), 'EHLO app.example\r\n')
        await refusing.closed()
        assert.ok(!refusing.log.all.includes('app.example'))
        assert.deepEqual(dialsOf(pair.rig), [error, undefined])
        assert.deepEqual([pair.first.connections, pair.second.connections], [1, 1])
        client.destroy()
      }
      await resources.allClosed(what)
    })
  }

  test('the first refuses TCP (AHA-09)', async () => {
    await using pair = await startPair()
    await pair.first.close()
    pair.first.close = async () => {}
    const client = await pair.rig.connect()
    await playPreamble(await pair.second.accept(), { identity: trust.identity, greeting: GREETING })
    assert.equal(await client.readReply(), GREETING)
    assert.deepEqual(dialsOf(pair.rig), ['connect_refused', undefined])
    const [, used] = pair.rig.recorder.dials
    assert.equal(used!.serverPort, pair.second.port)
  })

  test('the first drops all packets: the second still gets its share of PROXY_DIAL_TIMEOUT (AHA-09, GRT-07)', async () => {
    await using hole = await openBlackHole('127.0.0.2')
    const second = await ScriptedUpstream.start()
    const upstreams = [`127.0.0.2:${hole.port}`, `localhost:${second.port}`]
    await using rig = await startDialRig(upstreams, trust, { env: SHARED })
    const client = await rig.connect()
    await playPreamble(await second.accept(), { identity: trust.identity, greeting: GREETING })
    assert.equal(await client.readReply(), GREETING)
    assert.deepEqual(dialsOf(rig), ['connect_timeout', undefined])
    const { total = 0 } = rig.recorder.dials[0]!.phases
    assert.ok(total >= 2495 && total < 4900, `half of it: ${total} ms`)
    await second.close()
  })
})

describe('The next upstream is not dialled', () => {
  for (const greeting of ['554 5.3.2 no\r\n', '521 5.3.2 no mail here\r\n', '450 4.3.2 later\r\n']) {
    test(`if the first greets with ${greeting.slice(0, 3)}, which the client gets (AHA-09)`, async () => {
      await using pair = await startPair()
      const client = await pair.rig.connect()
      const peer = await pair.first.accept()
      await peer.send(greeting)
      assert.equal(await client.readReply(), greeting)
      await peer.end()
      assert.equal(await client.closed(), 'fin')
      await client.end()
      await pair.rig.recorder.closed()
      assert.equal(pair.second.connections, 0)
    })
  }

  /** How the connection to an upstream is lost after its greeting. */
  const LOSSES: readonly (readonly [string, (peer: Peer) => Promise<unknown>])[] = [
    ['a FIN', (peer) => peer.end()],
    ['an RST', (peer) => peer.reset()],
    ['a 421 and a FIN', (peer) => peer.send(BUSY).then(() => peer.end())],
  ]
  for (const [what, lose] of LOSSES) {
    test(`after a greeting was relayed, despite ${what} (AHA-09, R13)`, async () => {
      await using pair = await startPair()
      const client = await pair.rig.connect()
      const peer = await pair.first.accept()
      await playPreamble(peer, { identity: trust.identity })
      await client.readReply()
      await client.send('MAIL FROM:<a@example.com>\r\n')
      await peer.readLine()
      await lose(peer)
      await client.closed()
      await client.end()
      await pair.rig.recorder.closed()
      assert.deepEqual([pair.first.connections, pair.second.connections], [1, 0])
    })
  }

  test('if the client has left meanwhile (AHA-09, DIS-11)', async () => {
    using resources = new OpenResources()
    {
      await using pair = await startPair()
      const client = await pair.rig.connect()
      const peer = await pair.first.accept()
      await client.end()
      await peer.closed()
      await pair.rig.recorder.closed()
      assert.equal(pair.rig.server.activeSessions, 0)
      assert.equal(pair.second.connections, 0)
    }
    await resources.allClosed('the dial of a client that left')
  })
})

describe('If all upstreams fail', () => {
  test('each is dialled once, within PROXY_DIAL_TIMEOUT in total, and the client gets a 421 (AHA-09, GRT-10)', async () => {
    using resources = new OpenResources()
    {
      await using pair = await startPair(SHARED)
      const began = performance.now()
      const client = await pair.rig.connect()
      assert.equal(await client.readReply(), localReplies.UNREACHABLE.bytes.toString())
      const took = performance.now() - began
      assert.ok(took >= 4990 && took < 9900, `${took} ms: not twice as long`)
      await client.end()
      await pair.rig.recorder.closed()
      assert.deepEqual(dialsOf(pair.rig), ['greeting_timeout', 'greeting_timeout'])
      assert.deepEqual([pair.first.connections, pair.second.connections], [1, 1])
      for (const upstream of [pair.first, pair.second]) await (await upstream.accept()).closed()
    }
    await resources.allClosed('two silent upstreams')
  })

  const CLIENTS = 50
  test(`load shedding: ${CLIENTS} clients cause ${CLIENTS} upstream connections, and no more (AHA-08)`, async () => {
    using resources = new OpenResources()
    const upstream = await ScriptedUpstream.start()
    {
      await using rig = await startDialRig([`localhost:${upstream.port}`], trust)
      const serve = async () => {
        const peer = await upstream.accept()
        await peer.send(BUSY)
        await peer.end()
      }
      const connect = async () => {
        const client = await rig.connect()
        assert.equal(await client.closed(), 'fin')
        assert.equal(client.log.all.toString(), BUSY)
        await client.end()
      }
      await Promise.all(Array.from({ length: CLIENTS }, () => [serve(), connect()]).flat())
      await rig.recorder.closed(CLIENTS)
      assert.equal(upstream.connections, CLIENTS)
      assert.equal(rig.recorder.dials.length, CLIENTS)
    }
    await upstream.close()
    await resources.allClosed('shed clients')
  })
})
