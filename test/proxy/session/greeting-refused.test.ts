/** A greeting that is a refusal: it is relayed, and then nothing but QUIT goes up unencrypted. Ids of the group GRT. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import * as localReplies from '../../../proxy/session/local-replies.ts'
import { startScene } from '../../support/in-process/dial-rig.ts'
import { OpenResources } from '../../support/in-process/open-resources.ts'
import { makeTrust, type Trust } from '../../support/in-process/trust.ts'
import type { Peer } from '../../support/sockets/scripted-peers.ts'

let trust: Trust
before(async () => {
  trust = await makeTrust()
})
after(() => trust.remove())

const REFUSALS = [
  '554 no\r\n',
  '521 host does not accept mail\r\n',
  '554-not\r\n554 you\r\n',
  '450 later\r\n',
  '421 x\r\n',
]

describe('A greeting that refuses', () => {
  for (const greeting of REFUSALS) {
    test(`${JSON.stringify(greeting)} is relayed, there is no preamble, and QUIT goes up (GRT-04, AHA-02)`, async () => {
      using resources = new OpenResources()
      {
        await using scene = await startScene(trust)
        const { client, peer } = await scene.meet()
        await peer.send(greeting)
        assert.equal(await client.readReply(), greeting)
        await client.send('QUIT\r\n')
        await peer.readUntil('QUIT\r\n')
        await peer.send('221 bye\r\n')
        await peer.end()
        assert.equal(await client.readReply(), '221 bye\r\n')
        assert.equal(await client.closed(), 'fin')
        await client.end()
        assert.equal(await peer.closed(), 'fin')
        assert.equal(peer.log.all.toString(), 'QUIT\r\n')
        const session = await scene.recorder.closed()
        const code = Number(greeting.slice(0, 3))
        assert.deepEqual([session.one('dial').error, session.one('dial').replyCode], ['greeting_refused', code])
        assert.deepEqual([session.one('greeting').reply.code, session.one('greeting').reply.origin], [code, 'upstream'])
        assert.equal(scene.upstream.connections, 1)
      }
      await resources.allClosed(greeting)
    })
  }

  const SECRET = 'AUTH PLAIN AGFwcABzZWNyZXQ=\r\n'
  /** What the client sends, and what of it may go up unencrypted. */
  const SAYINGS: readonly (readonly [string, string, string])[] = [
    ['EHLO', 'EHLO app.example\r\n', ''],
    ['AUTH', SECRET, ''],
    ['MAIL', 'MAIL FROM:<a@example.com>\r\n', ''],
    ['STARTTLS', 'STARTTLS\r\n', ''],
    ['RSET', 'RSET\r\n', ''],
    ['an empty line', '\r\n', ''],
    ['an unknown verb', 'FOO bar\r\n', ''],
    ['a long line without an end', 'x'.repeat(5000), ''],
    ['a long line that begins like AUTH', `AUTH PLAIN ${'A'.repeat(5000)}`, ''],
    ['QUIT, and AUTH after it in one segment', `QUIT\r\n${SECRET}`, 'QUIT\r\n'],
    ['AUTH, and QUIT after it in one segment', `${SECRET}QUIT\r\n`, ''],
    ['a verb that begins with QUIT', `QUITE ${SECRET}`, ''],
    ['QUIT with an argument that is a secret', `QUIT ${SECRET}`, ''],
    ['a long QUIT without an end', `QUIT ${'A'.repeat(5000)}`, ''],
  ]

  for (const [what, said, up] of SAYINGS) {
    for (const when of ['before', 'behind'] as const) {
      test(`${what}, sent ${when} the greeting, is answered 421 and not relayed (GRT-04, R8)`, async () => {
        await using scene = await startScene(trust)
        const { client, peer } = await scene.meet()
        if (when === 'before') await client.send(said)
        await peer.send('554 5.3.2 no\r\n')
        assert.equal(await client.readReply(), '554 5.3.2 no\r\n')
        if (when === 'behind') await client.send(said)
        if (up !== '') {
          await peer.readUntil(up)
          await peer.send('221 bye\r\n')
          assert.equal(await client.readReply(), '221 bye\r\n')
        }
        assert.equal(await client.readReply(), localReplies.REFUSED.bytes.toString())
        assert.equal(await client.closed(), 'fin')
        await peer.closed()
        assert.equal(peer.log.all.toString(), up)
      })
    }
  }

  test('unsolicited replies after the refusal let nothing up unencrypted (GRT-04, R8)', async () => {
    await using scene = await startScene(trust)
    const { client, peer } = await scene.meet()
    await peer.send('554 no\r\n')
    await client.readReply()
    for (const stray of ['250 first\r\n', '250 second\r\n', '250 third\r\n']) {
      await peer.send(stray)
      assert.equal(await client.readReply(), stray)
    }
    await client.send(SECRET)
    assert.equal(await client.readReply(), localReplies.REFUSED.bytes.toString())
    await peer.closed()
    assert.equal(peer.log.all.toString(), '')
  })

  test('a 220 after the refusal lets nothing up either (GRT-04, R8)', async () => {
    await using scene = await startScene(trust)
    const { client, peer } = await scene.meet()
    await peer.send('554 no\r\n')
    await client.readReply()
    await client.send('QUIT\r\n')
    await peer.readUntil('QUIT\r\n')
    await peer.send('220 mail.example changed its mind\r\n')
    await client.closed()
    await peer.closed()
    assert.equal(peer.log.all.toString(), 'QUIT\r\n')
  })

  /** How the 421 of a busy upstream may arrive. */
  const FAREWELLS: readonly (readonly [string, (peer: Peer, text: string) => Promise<void>])[] = [
    ['in one segment', (peer, text) => peer.send(text)],
    ['byte by byte', (peer, text) => peer.trickle(text)],
  ]
  const BUSY = '421 4.3.2 mail.example load shedding. Try later\r\n'
  const TEXTS = [BUSY, `${BUSY}421 mail.example disconnecting due to previous error\r\n`]

  for (const [how, say] of FAREWELLS) {
    for (const text of TEXTS) {
      test(`${text.split('\r\n').length - 1} line(s) of 421 and a FIN, ${how}, reach the client unchanged (GRT-05, AHA-14)`, async () => {
        using resources = new OpenResources()
        {
          await using scene = await startScene(trust)
          const { client, peer } = await scene.meet()
          await say(peer, text)
          await peer.end()
          assert.equal(await client.closed(), 'fin')
          assert.equal(client.log.all.toString(), text)
          await client.end()
          assert.equal(await peer.closed(), 'fin')
          assert.equal(peer.log.length, 0)
          const session = await scene.recorder.closed()
          assert.equal(session.one('greeting').reply.cause, 'load_shedding')
          assert.equal(session.one('session-close').reason, 'upstream_421')
          assert.equal(scene.upstream.connections, 1, 'the proxy does not try again')
        }
        await resources.allClosed(how)
      })
    }
  }
})
