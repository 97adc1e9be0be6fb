/** Connections and greetings: the catalogue's group GRT, through a proxy in this process. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import * as localReplies from '../../../proxy/session/local-replies.ts'
import { MAX_REPLY_BYTES, MAX_REPLY_LINES } from '../../../proxy/smtp/reply.ts'
import { startScene } from '../../support/in-process/dial-rig.ts'
import { failsClosed, type UnfitUpstream } from '../../support/in-process/fail-closed.ts'
import { OpenResources } from '../../support/in-process/open-resources.ts'
import { makeTrust, type Trust } from '../../support/in-process/trust.ts'
import { type Peer, playPreamble } from '../../support/sockets/scripted-peers.ts'

let trust: Trust
before(async () => {
  trust = await makeTrust()
})
after(() => trust.remove())

describe('The greeting', () => {
  test('of the upstream is passed on byte for byte (GRT-01)', async () => {
    await using scene = await startScene(trust)
    const { client, peer } = await scene.meet()
    await playPreamble(peer, { identity: trust.identity, greeting: '220 send.ahasend.com ESMTP r-1\r\n' })
    assert.equal(await client.readReply(), '220 send.ahasend.com ESMTP r-1\r\n')
    const { reply } = scene.recorder.sessions[0]!.one('greeting')
    assert.deepEqual(reply, { code: 220, cause: 'none', origin: 'upstream' })
    assert.equal(client.log.length, '220 send.ahasend.com ESMTP r-1\r\n'.length)
  })

  test('of several lines that arrive separately is written in one piece (GRT-02)', async () => {
    const lines = ['220-a\r\n', '220-b \xff\r\n', '220 c\r\n']
    await using scene = await startScene(trust)
    const { client, peer } = await scene.meet()
    for (const line of lines.slice(0, 2)) {
      await peer.send(line)
      await pause(5) // a segment of its own
      assert.equal(client.log.length, 0)
    }
    await playPreamble(peer, { identity: trust.identity, greeting: lines[2]! })
    await client.readReply()
    assert.equal(client.log.all.toString('latin1'), lines.join(''))
    assert.equal(client.log.arrivals.length, 1)
  })

  test('is awaited for PROXY_DIAL_TIMEOUT (GRT-03)', async () => {
    await using scene = await startScene(trust, { env: { PROXY_DIAL_TIMEOUT: '20s' } })
    const { client, peer } = await scene.meet()
    await pause(500)
    assert.equal(client.log.length, 0)
    assert.equal(client.ending, undefined)
    await playPreamble(peer, { identity: trust.identity })
    assert.equal(await client.readReply(), '220 mail.example ESMTP\r\n')
    const greeting = scene.recorder.sessions[0]!.one('greeting')
    assert.ok(greeting.end - greeting.at >= 495, 'the telemetry counts from the connection on')
  })

  test('makes an early talker wait: its bytes arrive after the preamble (GRT-12)', async () => {
    await using scene = await startScene(trust)
    const { client, peer } = await scene.meet()
    await client.send('EHLO app.example\r\n')
    await playPreamble(peer, { identity: trust.identity })
    assert.equal(await peer.readLine(), 'EHLO app.example\r\n')
    await peer.send('250 mail.example\r\n')
    assert.equal(await client.readReply(), '220 mail.example ESMTP\r\n')
    assert.equal(await client.readReply(), '250 mail.example\r\n')
    assert.equal(scene.recorder.sessions[0]!.all('early-talk').length, 1)
  })

  test('reports an early talker once, however many pieces it sends, and other clients never (GRT-12)', async () => {
    await using scene = await startScene(trust)
    for (const early of [['EHLO app', '.example\r\n'], []]) {
      const { client, peer } = await scene.meet()
      for (const piece of early) {
        await client.send(piece)
        await pause(20) // no event shows that the proxy has read the piece
      }
      await playPreamble(peer, { identity: trust.identity })
      assert.equal(await client.readReply(), '220 mail.example ESMTP\r\n')
      await client.send('NOOP\r\n')
      await peer.readUntil('NOOP\r\n')
    }
    assert.deepEqual(
      scene.recorder.sessions.map((session) => session.all('early-talk').length),
      [1, 0],
    )
  })

  test('lets an early talker close its half and still get its replies (GRT-12)', async () => {
    await using scene = await startScene(trust)
    const { client, peer } = await scene.meet()
    await client.send('QUIT\r\n')
    await client.end()
    await playPreamble(peer, { identity: trust.identity })
    assert.equal(await peer.readLine(), 'QUIT\r\n')
    assert.equal(await peer.closed(), 'fin')
    await peer.send('221 bye\r\n')
    await peer.end()
    assert.equal(await client.closed(), 'fin')
    assert.equal(client.log.all.toString(), '220 mail.example ESMTP\r\n221 bye\r\n')
  })

  test('holds a limited number of bytes of an early talker, and loses none (GRT-12, R15)', async () => {
    // more than the buffers of the kernel take on both sides
    const early = Buffer.concat([Buffer.from('DATA\r\n'), Buffer.alloc(24 * 1024 * 1024, 'early\r\n')])
    await using scene = await startScene(trust)
    const { client, peer } = await scene.meet()
    let taken = false
    const sent = client.send(early).then(() => {
      taken = true
    })
    await pause(300)
    assert.equal(taken, false)
    await playPreamble(peer, { identity: trust.identity })
    await peer.readUntil('DATA\r\n')
    await peer.send('354 go\r\n')
    await peer.received(early.length)
    assert.ok(peer.log.all.equals(early))
    await sent
  })
})

const LOST = { word: localReplies.UNREACHABLE, error: 'connect_reset' } as const
const TIMED_OUT = { word: localReplies.UNREACHABLE, error: 'greeting_timeout', dialTimeoutMs: 1000 } as const
const NO_GREETING = { word: localReplies.UNREACHABLE, error: 'greeting_refused' } as const

const UNFIT: readonly UnfitUpstream[] = [
  { what: 'sends nothing (GRT-10)', play: async () => {}, ...TIMED_OUT },
  { what: 'sends half a greeting (GRT-10)', play: (peer) => peer.send('220 mail.exa'), ...TIMED_OUT },
  {
    what: 'sends the first line of a greeting (GRT-10)',
    play: (peer) => peer.send('220-mail.example\r\n'),
    ...TIMED_OUT,
  },
  { what: 'closes without a byte (GRT-10)', play: (peer) => peer.end(), ...LOST },
  { what: 'resets without a byte (GRT-10)', play: (peer) => peer.reset(), ...LOST, detail: 'ECONNRESET' },
  {
    what: 'closes in the middle of a greeting (GRT-10)',
    play: async (peer) => {
      await peer.send('220-mail.example\r\n220 mai')
      await peer.end()
    },
    ...LOST,
  },
  ...[
    'HTTP/1.1 400 Bad Request\r\n\r\n',
    'SSH-2.0-OpenSSH_9.6\r\n',
    '+OK POP3 ready\r\n',
    '* OK IMAP4rev1\r\n',
    '2200 mail.example\r\n',
    '22 mail.example\r\n',
    ' 220 mail.example\r\n',
    '\r\n220 mail.example\r\n',
    '220-mail.example\r\nHTTP/1.1 400 Bad Request\r\n',
    '\x15\x03\x01\x00\x02\x02\x0a\n',
  ].map((greeting) => ({
    what: `greets with ${JSON.stringify(greeting)} (GRT-11)`,
    play: (peer: Peer) => peer.send(greeting),
    replyCode: 0,
    ...NO_GREETING,
  })),
  ...['200 news', '250 ok', '354 go', '334 '].map((greeting) => ({
    what: `greets with ${JSON.stringify(greeting)} (GRT-11)`,
    play: (peer: Peer) => peer.send(`${greeting}\r\n`),
    replyCode: Number(greeting.slice(0, 3)),
    ...NO_GREETING,
  })),
  {
    what: 'greets with a line that does not end (GRT-11)',
    play: (peer) => peer.send('x'.repeat(MAX_REPLY_BYTES + 1)),
    replyCode: 0,
    ...NO_GREETING,
  },
  {
    what: 'greets with lines that do not end (GRT-11)',
    play: (peer) => peer.send('220-x\r\n'.repeat(MAX_REPLY_LINES + 1)),
    replyCode: 0,
    ...NO_GREETING,
  },
]

describe('an upstream that does not greet is unreachable: 421, and none of its bytes (R8)', () => {
  for (const upstream of UNFIT) {
    test(upstream.what, async () => {
      const dial = await failsClosed(upstream, trust)
      assert.ok('connect' in dial.phases && !('starttls' in dial.phases))
    })
  }
})

describe('Port probes', () => {
  const PROBES = 100

  for (const how of ['FIN', 'RST'] as const) {
    test(`${PROBES} clients that connect and leave by ${how} leave nothing open (GRT-13)`, async () => {
      using resources = new OpenResources()
      {
        await using scene = await startScene(trust)
        for (let count = 0; count < PROBES; count += 1) {
          const socket = net.connect({ host: '127.0.0.1', port: scene.port })
          await once(socket, 'connect')
          if (how === 'FIN') socket.end().resume()
          else socket.resetAndDestroy()
        }
        await scene.recorder.closed(PROBES)
        assert.equal(scene.server.activeSessions, 0)
        assert.deepEqual(scene.recorder.dials, [], 'a dial whose client has left is not reported as failed')
      }
      await resources.allClosed('probes')
    })
  }
})
