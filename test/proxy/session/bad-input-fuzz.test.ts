/**
 * Sessions of nonsense: both sides send random bytes, mixed with pieces of SMTP and cut anywhere, and close at any time.
 * Seeded; the seed is printed, and `SEED=... node --test test/proxy/session/bad-input-fuzz.test.ts` repeats the run.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { OpenResources } from '../../support/in-process/open-resources.ts'
import { Stage, type StagedSession } from '../../support/in-process/stage.ts'
import { type Peer, playPreamble } from '../../support/sockets/scripted-peers.ts'
import { SeededRandom } from '../../support/traffic/seeded-random.ts'

const SESSIONS = 300
const AT_ONCE = 10

/** What a client may send, so that nonsense gets further than the first reply. */
const COMMANDS = [
  'EHLO app.example\r\n',
  'MAIL FROM:<a@example.com>\r\n',
  'RCPT TO:<b@example.net>\r\n',
  'MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n',
  'DATA\r\n',
  'Subject: x\r\n\r\nhello\r\n',
  '.\r\n',
  '\r\n.\r\nQUIT\r\n',
  'BDAT 5\r\nhello',
  'BDAT 0 LAST\r\n',
  'BDAT 99999999999999\r\n',
  'AUTH LOGIN\r\n',
  'AUTH GSSAPI\r\n',
  'UVVJVA==\r\n',
  'STARTTLS\r\n',
  'XCLIENT ADDR=1\r\n',
  'RSET\r\n',
  'NOOP\r\n',
  'LHLO x\r\n',
  'FOO\r\n',
  '\r\n',
  '\n',
  '\r',
  '\0',
  'NO',
  'QUIT\r\n',
]

const REPLIES = [
  '250 ok\r\n',
  '250-mail.example\r\n250-PIPELINING\r\n250 CHUNKING\r\n',
  '250-half\r\n',
  '250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n',
  '354 go ahead\r\n',
  '334 \r\n',
  '235 ok\r\n',
  '421 4.3.2 idle too long\r\n',
  '451 later\r\n',
  '550 no\r\n',
  '221 bye\r\n',
  '220 begin\r\n',
  '999 what\r\n',
  '2',
  '50',
  '\n',
  '\r\n',
  'garbage\r\n',
]

/** One side: sends some things, and ends somehow. */
async function babble(peer: Peer, phrases: readonly string[], random: SeededRandom): Promise<void> {
  for (let left = random.below(20); left > 0 && peer.ending === undefined; left -= 1) {
    await peer.send(
      random.chance(0.85) ? random.one(phrases) : random.bytes(1 + random.below(random.chance(0.1) ? 20_000 : 40)),
    )
    if (random.chance(0.5)) await pause(random.below(3))
  }
  if (random.chance(0.4)) await peer.end()
  else if (random.chance(0.5)) await peer.reset()
  await pause(random.below(5))
}

async function upstreamSide({ upstream, identity }: StagedSession, random: SeededRandom): Promise<void> {
  // an upstream that sends nonsense from the first byte on rarely gets far
  if (random.chance(0.85)) await playPreamble(upstream, { identity })
  await babble(upstream, REPLIES, random)
}

async function clientSide({ client }: StagedSession, random: SeededRandom, stage: Stage): Promise<void> {
  if (random.chance(0.2)) {
    await client.readReply()
    await client.send('STARTTLS\r\n')
    await client.readReply()
    const secured = client.secureAsClient(stage.clientTls)
    // a handshake may fail twice
    client.tls?.on('error', () => {})
    await secured
  }
  await babble(client, COMMANDS, random)
}

describe('Nonsense from both sides (BYT-11)', () => {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32))
  const warnings: Error[] = []
  const warned = (warning: Error) => void warnings.push(warning)
  let stage: Stage

  before(async () => {
    process.on('warning', warned)
    stage = await Stage.open('starttls', {
      env: { PROXY_IDLE_TIMEOUT: '1s', PROXY_DIAL_TIMEOUT: '500ms' },
      limits: { linger: { ms: 100, bytes: 10_000 }, handshakeMs: 100, finalReplyMs: 1000, tickMs: 20 },
    })
  })
  after(async () => {
    process.off('warning', warned)
    await stage.close()
  })

  test(`${SESSIONS} sessions: none crashes, hangs, stays open or is reported twice`, async (context) => {
    context.diagnostic(`SEED=${seed}`)
    using resources = new OpenResources()
    let next = 0
    const work = async () => {
      while (next < SESSIONS) {
        const number = next
        next += 1
        await oneSession(await connectInTurn(), seed + number)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work))
    const { recorder, server } = stage
    const deadline = performance.now() + 5000
    while (server.activeSessions > 0 && performance.now() < deadline) await pause(10)
    assert.equal(server.activeSessions, 0)
    assert.equal(recorder.sessions.length, SESSIONS)
    for (const { events } of recorder.sessions) {
      assert.equal(events.filter(({ type }) => type === 'session-close').length, 1)
      const begun = events.filter(({ type }) => type === 'tx-begin').length
      const ended = events.filter(({ type }) => /^tx-(commit|rollback|reset|lost)$/.test(type)).length
      assert.equal(ended, begun, 'every mail that began ends, once')
    }
    assert.deepEqual(recorder.failures, [], 'the dialogue understands, or gives up: it never throws')
    assert.deepEqual(warnings, [], 'Node has nothing to warn of')
    await resources.allClosed('nonsense')
  })

  let connecting: Promise<unknown> = Promise.resolve()

  /** One at a time, so that client and upstream belong together. */
  function connectInTurn(): Promise<StagedSession> {
    const session = connecting.then(() => stage.connect())
    connecting = session.catch(() => {})
    return session
  }

  async function oneSession(session: StagedSession, sessionSeed: number): Promise<void> {
    const random = new SeededRandom(sessionSeed)
    const [ofClient, ofUpstream] = [new SeededRandom(random.below(2 ** 32)), new SeededRandom(random.below(2 ** 32))]
    // the outcome does not matter: a handshake may fail, a reply may never come
    await Promise.allSettled([clientSide(session, ofClient, stage), upstreamSide(session, ofUpstream)])
    session.client.destroy()
    session.upstream.destroy()
  }
})
