/** A preferred upstream that greets with 421: its connection is kept while the next upstream is dialled. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { DialError } from '../../../proxy/events/closed-sets.ts'
import { OpenResources } from '../../support/in-process/open-resources.ts'
import { makeTrust, type Trust } from '../../support/in-process/trust.ts'
import { dialsOf, startUpstreamPair, type UpstreamPair } from '../../support/in-process/upstream-pair.ts'
import type { Peer, ScriptedUpstream } from '../../support/sockets/scripted-peers.ts'

const BUSY = '421 4.3.2 first.example load shedding. Try later\r\n'

let trust: Trust
before(async () => {
  trust = await makeTrust()
})
after(() => trust.remove())

/** The only session got the 421 of `upstream`, and its events report this. */
function isLoadShedding({ rig }: UpstreamPair, upstream: ScriptedUpstream): void {
  const session = rig.recorder.sessions[0]!
  const { code, cause, origin } = session.one('greeting').reply
  assert.deepEqual({ code, cause, origin }, { code: 421, cause: 'load_shedding', origin: 'upstream' })
  const { dial, preconnected } = session.one('handover')
  assert.deepEqual([dial.serverPort, dial.replyCode, preconnected], [upstream.port, 421, false])
}

describe('The client gets the 421 of the preferred upstream if no other upstream accepts the session', () => {
  test('of several 421 greetings the client gets that of the preferred upstream (AHA-08, GRT-05)', async () => {
    await using pair = await startUpstreamPair(trust)
    const client = await pair.rig.connect()
    const preferred = await pair.first.accept()
    await preferred.send(BUSY)
    const peer = await pair.second.accept()
    await peer.send('421 4.3.2 second.example load shedding\r\n')
    await peer.closed()
    await preferred.end()
    assert.equal(await client.closed(), 'fin')
    assert.equal(client.log.all.toString(), BUSY)
    await client.end()
    await pair.rig.recorder.closed()
    assert.deepEqual(dialsOf(pair.rig), ['greeting_refused', 'greeting_refused'])
    isLoadShedding(pair, pair.first)
  })

  /** How the second upstream fails after the first greeted with 421, and the error of the dial. */
  const DOWN: readonly (readonly [string, (second: ScriptedUpstream) => Promise<unknown>, DialError])[] = [
    ['closes without a greeting', async (second) => (await second.accept()).end(), 'connect_reset'],
    ['sends nothing', async () => {}, 'greeting_timeout'],
    [
      'offers no STARTTLS',
      async (second) => {
        const peer = await second.accept()
        await peer.send('220 second.example\r\n')
        await peer.readLine()
        await peer.send('250 second.example\r\n')
      },
      'starttls_not_offered',
    ],
  ]
  for (const [what, fail, error] of DOWN) {
    test(`the first greets with 421 and the second ${what}: the client gets the 421 (AHA-08, GRT-05)`, async () => {
      using resources = new OpenResources()
      {
        await using pair = await startUpstreamPair(trust, { PROXY_DIAL_TIMEOUT: '2s' })
        const client = await pair.rig.connect()
        const peer = await pair.first.accept()
        await peer.send(BUSY)
        await fail(pair.second)
        assert.equal(await client.readReply(), BUSY)
        await client.send('QUIT\r\n')
        assert.equal(await peer.readLine(), 'QUIT\r\n')
        await peer.send('221 2.0.0 bye\r\n')
        assert.equal(await client.readReply(), '221 2.0.0 bye\r\n')
        await peer.end()
        assert.equal(await client.closed(), 'fin')
        await client.end()
        await pair.rig.recorder.closed()
        assert.deepEqual(dialsOf(pair.rig), ['greeting_refused', error])
        isLoadShedding(pair, pair.first)
      }
      await resources.allClosed(what)
    })
  }

  test('the second greets with 421 and the first is down: the 421 is reported for the second (AHA-08)', async () => {
    await using pair = await startUpstreamPair(trust)
    const client = await pair.rig.connect()
    await (await pair.first.accept()).reset()
    const peer = await pair.second.accept()
    await peer.send(BUSY)
    assert.equal(await client.readReply(), BUSY)
    await peer.end()
    await client.closed()
    await client.end()
    await pair.rig.recorder.closed()
    isLoadShedding(pair, pair.second)
  })

  /** Events on the connection of the first upstream while the second is dialled. */
  const MEANWHILE: readonly (readonly [string, string, (peer: Peer) => Promise<unknown>])[] = [
    ['a FIN', BUSY, (peer) => peer.end()],
    ['an RST', BUSY, (peer) => peer.reset()],
    [
      'more text and a FIN',
      `${BUSY}421 4.4.2 bye\r\n`,
      (peer) => peer.send('421 4.4.2 bye\r\n').then(() => peer.end()),
    ],
  ]
  for (const [what, relayed, act] of MEANWHILE) {
    test(`the client gets the 421 of the first upstream despite ${what} after it (AHA-08)`, async () => {
      using resources = new OpenResources()
      {
        await using pair = await startUpstreamPair(trust)
        const client = await pair.rig.connect()
        const peer = await pair.first.accept()
        await peer.send(BUSY)
        const second = await pair.second.accept()
        await act(peer)
        await second.end()
        await client.closed()
        assert.equal(client.log.all.toString(), relayed)
        await client.end()
        await pair.rig.recorder.closed()
        isLoadShedding(pair, pair.first)
      }
      await resources.allClosed(what)
    })
  }
})

describe('The connection that greeted with 421 is closed', () => {
  for (const greeting of ['554 5.3.2 no\r\n', '521 5.3.2 no mail here\r\n', '450 4.3.2 later\r\n']) {
    test(`if the second greets with ${greeting.slice(0, 3)}, which the client gets (AHA-09)`, async () => {
      await using pair = await startUpstreamPair(trust)
      const client = await pair.rig.connect()
      const first = await pair.first.accept()
      await first.send(BUSY)
      const second = await pair.second.accept()
      await second.send(greeting)
      assert.equal(await client.readReply(), greeting)
      await first.closed()
      await second.end()
      await client.closed()
      await client.end()
      await pair.rig.recorder.closed()
    })
  }

  test('if the client leaves while the second is dialled (AHA-09, DIS-11)', async () => {
    using resources = new OpenResources()
    {
      await using pair = await startUpstreamPair(trust)
      const client = await pair.rig.connect()
      const first = await pair.first.accept()
      await first.send(BUSY)
      const second = await pair.second.accept()
      await client.end()
      await Promise.all([first.closed(), second.closed()])
      await pair.rig.recorder.closed()
      assert.equal(pair.rig.server.activeSessions, 0)
    }
    await resources.allClosed('both dials of a client that left')
  })
})
