/**
 * Timers: which timer decides, and what the client then reads. The proxy's are longer than AhaSend's on purpose, and none of
 * them sends a local reply in place of a final reply (RFC 5321 4.5.3.2). The test puts the proxy's clock forward; only
 * linger, dial and AhaSend's own limit take real time.
 */
import assert from 'node:assert/strict'
import { after, before, describe, type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import * as localReplies from '../../../proxy/session/local-replies.ts'
import { AUTH_PLAIN, ask, mail } from '../../simulator/client.ts'
import { startSimulator } from '../../simulator/simulator.ts'
import { Clock } from '../../support/in-process/clock.ts'
import { startDialRig, startScene } from '../../support/in-process/dial-rig.ts'
import { MAIL, STATES, type State, sessionAt } from '../../support/in-process/message-states.ts'
import { retainedBufferBytes } from '../../support/in-process/retained-bytes.ts'
import { drop } from '../../support/in-process/session-end.ts'
import { Stage, type StagedSession } from '../../support/in-process/stage.ts'
import { makeTrust, type Trust } from '../../support/in-process/trust.ts'
import { connectClient } from '../../support/sockets/scripted-peers.ts'

const ACCEPTED = '250 2.0.0 r-000123\r\n'
const IDLE = localReplies.IDLE.bytes.toString()
const DRAINING = localReplies.DRAINING.bytes.toString()

/** Sessions are checked often. */
const tickMs = 10
/** Time for some checks, and for what was sent to be read. */
const LOOKS_MS = 100

/** By the clock of the test. Long, so that only the test can let it pass, and not a machine that stalls. */
const IDLE_MS = 60_000
const idleEnv = { PROXY_IDLE_TIMEOUT: '60s' }

let clock: Clock
before(() => {
  clock = new Clock()
})
after(() => clock[Symbol.dispose]())

describe('An opaque session', () => {
  test('may be waiting for a final reply, so its idle limit is that of a final reply (R11, R14)', async (t) => {
    const stage = await Stage.open('plain', { env: idleEnv, limits: { tickMs, finalReplyMs: 10 * IDLE_MS } })
    t.after(() => stage.close())
    const session = await sessionAt('dot unanswered', stage)
    const { client, upstream } = session
    await upstream.send('250 2.0.0 stray\r\n250 2.0.0 stray\r\n250 2.0.0 stray\r\n')
    for (let replies = 0; replies < 3; replies += 1) await client.readReply()
    clock.passes(2 * IDLE_MS)
    await pause(LOOKS_MS)
    await upstream.send(ACCEPTED)
    assert.equal(await client.readReply(), ACCEPTED)
    await drop(session)
  })
})

describe('The upstream’s idle limit', () => {
  test('ends the session, between messages and in a body: with the upstream’s reply, at its time (TMO-01, AHA-07)', async () => {
    const idleMs = 2500
    await using simulator = await startSimulator({ idleMs })
    await using rig = await startDialRig([`localhost:${simulator.port}`], { caFile: simulator.caFile } as Trust)
    for (const inBody of [false, true]) {
      const client = await connectClient({ port: rig.port })
      await client.readReply()
      let lastSaid = 0
      for (const line of ['EHLO app.example', AUTH_PLAIN, ...(inBody ? mail().slice(0, 3) : [])]) {
        lastSaid = performance.now()
        await ask(client, line)
      }
      assert.equal(await client.readReply(), '421 4.3.2 rehearsal.ahasend.example idle too long\r\n')
      assert.ok(performance.now() - lastSaid < idleMs + 5000, 'the proxy holds nothing back')
      assert.equal(await client.closed(), 'fin')
      client.destroy()
    }
    await rig.recorder.closed(2)
    for (const session of rig.recorder.sessions) {
      const last = session.all('exchange').at(-1)!
      assert.deepEqual([last.command, last.reply.origin, last.reply.cause], ['UNSOLICITED', 'upstream', 'idle_timeout'])
      assert.equal(session.one('session-close').reason, 'upstream_421')
    }
  })
})

describe('The proxy’s own idle limit', () => {
  let stage: Stage
  before(async () => {
    stage = await Stage.open('plain', { env: idleEnv, limits: { tickMs, linger: { ms: 300, bytes: 1000 } } })
  })
  after(() => stage.close())

  test('does not end a session that awaits a final reply: it comes after twice that time, and is delivered (DAT-14)', async () => {
    const session = await sessionAt('dot unanswered', stage)
    clock.passes(2 * IDLE_MS)
    await pause(LOOKS_MS)
    assert.equal(session.client.ending, undefined)
    await session.upstream.send(ACCEPTED)
    assert.equal(await session.client.readReply(), ACCEPTED)
    await drop(session)
  })

  test('does not end a session whose client sends a byte now and then, nor one whose reply comes byte by byte (TMO-03, TMO-05)', async () => {
    const session = await sessionAt('between mails', stage)
    const read = session.client.log.length
    for (const octet of 'NOOP\r\n') {
      await someTime()
      await session.client.send(octet)
    }
    assert.equal(await session.upstream.readLine(), 'NOOP\r\n')
    for (const octet of '250 ok\r\n') {
      await someTime()
      assert.equal(session.client.log.length, read, 'nothing before the last octet')
      await session.upstream.send(octet)
    }
    assert.equal(await session.client.readReply(), '250 ok\r\n')
    await drop(session)
  })

  /** Less than half the limit: even if the last byte is read only now, the limit is not reached. */
  async function someTime(): Promise<void> {
    clock.passes(0.4 * IDLE_MS)
    await pause(LOOKS_MS)
  }

  test('sends 421 to a client that has sent half a command, and the half does not go up', async () => {
    const session = await sessionAt('between mails', stage)
    const sent = session.upstream.log.length
    await session.client.send('MAIL FRO')
    await pause(LOOKS_MS) // nobody shows that the half was read
    clock.passes(IDLE_MS)
    assert.equal(await session.client.readReply(), IDLE)
    assert.equal(await session.upstream.closed(), 'fin')
    assert.equal(session.upstream.log.length, sent)
    await drop(session)
  })

  test('waits for the client to read the last reply no longer than the linger', async () => {
    const session = await sessionAt('between mails', stage)
    const told = Date.now() // not put forward by the clock of the test
    await isSentAway(session)
    const closed = (await session.events()).find(({ type }) => type === 'session-close')
    assert.deepEqual(closed?.type === 'session-close' && [closed.by, closed.reason], ['proxy', 'idle'])
    const lingered = Date.now() - told
    assert.ok(lingered > 250 && lingered < 9000, `${lingered} ms, and neither none nor the 10 s of the default`)
    await drop(session)
  })

  /** The session is idle: its client reads that, and its upstream leaves. */
  async function isSentAway({ client, upstream }: StagedSession): Promise<void> {
    clock.passes(IDLE_MS)
    assert.equal(await client.readReply(), IDLE)
    await upstream.end()
  }

  test('reads no more after the last reply than the linger allows', async (t) => {
    // the time of this linger is longer than the test waits for the end
    const patient = await Stage.open('plain', {
      env: idleEnv,
      limits: { tickMs, linger: { ms: 600_000, bytes: 1000 } },
    })
    t.after(() => patient.close())
    const session = await sessionAt('between mails', patient)
    await isSentAway(session)
    await session.client.send('x'.repeat(1001))
    await session.events()
    await drop(session)
  })

  test('ends a session whose client never reads: the upstream is paused, and little is kept (TMO-07)', async () => {
    const session = await sessionAt('between mails', stage)
    const reply = `${'250-this is more than anybody wants to know\r\n'.repeat(900)}250 ok\r\n`
    const count = 1000
    session.client.pause()
    await session.client.send('NOOP\r\n'.repeat(count))
    await session.upstream.readBytes('NOOP\r\n'.length * count)
    const replies = Buffer.from(reply.repeat(count))
    const before = await retainedBufferBytes()
    void session.upstream.send(replies)
    await pause(500)
    const kept = (await retainedBufferBytes()) - before
    assert.ok(kept < 512 * 1024, `${kept} octets more`)
    clock.passes(IDLE_MS)
    assert.equal(await session.upstream.closed(), 'reset')
    const all = await session.events()
    const close = all.find((event) => event.type === 'session-close')!
    assert.deepEqual([close.by, close.reason], ['proxy', 'idle'])
    // what the kernel keeps for a client that does not read, and not more
    assert.ok(close.receive < replies.length / 2, `${close.receive} of ${replies.length} octets were read`)
    assert.ok(!all.some((event) => event.type === 'exchange' && event.reply.origin === 'proxy'), 'no word of the proxy')
    await drop(session)
  })
})

describe('The limits of the dial and of the final reply (R14)', () => {
  let trust: Trust
  before(async () => {
    trust = await makeTrust()
  })
  after(() => trust.remove())

  test('an upstream that stalls after STARTTLS costs the client the dial timeout, and a 421 (TMO-06)', async () => {
    await using scene = await startScene(trust, { env: { PROXY_DIAL_TIMEOUT: '2s' } })
    const began = performance.now()
    const { client, peer } = await scene.meet()
    await peer.send('220 mail.example ESMTP\r\n')
    await peer.readLine()
    await peer.send('250-mail.example\r\n250 STARTTLS\r\n')
    await peer.readUntil('STARTTLS\r\n')
    await peer.send('220 go\r\n')
    assert.match(await client.readReply(), /^421 4\.(4\.1|7\.0) /)
    const waited = performance.now() - began
    assert.ok(waited > 1990 && waited < 9000, `${waited} ms, and not the 10 s of the default`)
    assert.equal(await client.closed(), 'fin')
    await client.end()
  })

  test('a final reply that never comes, and whose client has gone, is awaited for as long as one may take (DIS-10)', async (t) => {
    const finalReplyMs = 60_000
    const stage = await Stage.open('plain', { limits: { tickMs, finalReplyMs } })
    t.after(() => stage.close())
    const session = await sessionAt('dot unanswered', stage)
    await session.client.reset()
    clock.passes(finalReplyMs / 2)
    await pause(LOOKS_MS)
    assert.equal(session.upstream.ending, undefined)
    clock.passes(finalReplyMs / 2)
    assert.equal(await session.upstream.closed(), 'reset')
    const lost = (await session.events()).find((event) => event.type === 'tx-lost')
    assert.deepEqual([lost?.stage, lost?.outcome], ['final-reply', 'in_doubt'])
  })
})

describe('A drain', () => {
  const drainQuietMs = 60_000

  /** Each test has its own stage, because a drain ends it. */
  async function draining(
    t: TestContext,
    state: State,
  ): Promise<StagedSession & { readonly drained: Promise<number> }> {
    const stage = await Stage.open('plain', { limits: { tickMs, drainQuietMs, drainSpreadMs: 1 } })
    t.after(() => stage.close())
    const session = await sessionAt(state, stage)
    return { ...session, drained: stage.server.drain() }
  }

  test('never sends its 421 right after a 250: it waits until the client has been quiet (LIF-02)', async (t) => {
    const session = await draining(t, 'dot unanswered')
    clock.passes(2 * drainQuietMs)
    await pause(LOOKS_MS)
    assert.equal(session.client.log.unread.length, 0, 'not a word while the verdict is awaited')
    await session.upstream.send(ACCEPTED)
    assert.equal(await session.client.readReply(), ACCEPTED)
    await pause(LOOKS_MS)
    assert.equal(session.client.log.unread.length, 0, 'not a word at once')
    clock.passes(drainQuietMs / 2)
    await pause(LOOKS_MS)
    assert.equal(session.client.log.unread.length, 0, 'not before')
    clock.passes(drainQuietMs / 2)
    assert.equal(await session.client.readReply(), DRAINING)
    await over(session)
  })

  test('leaves the last reply to the upstream if the client sends QUIT after its 250 (LIF-02)', async (t) => {
    const session = await draining(t, 'dot unanswered')
    await session.upstream.send(ACCEPTED)
    assert.equal(await session.client.readReply(), ACCEPTED)
    await session.client.send('QUIT\r\n')
    await session.upstream.readUntil('QUIT\r\n')
    await session.upstream.send('221 bye\r\n')
    await session.upstream.end()
    assert.equal(await session.client.readReply(), '221 bye\r\n')
    await over(session)
    assert.equal(session.client.log.unread.length, 0)
  })

  test('also if the QUIT came in one segment with the dot (PIP-10)', async (t) => {
    const session = await draining(t, 'in the body')
    await session.client.send('.\r\nQUIT\r\n')
    await session.upstream.readUntil('QUIT\r\n')
    await session.upstream.send(`${ACCEPTED}221 bye\r\n`)
    await session.upstream.end()
    assert.equal(await session.client.readReply(), ACCEPTED)
    assert.equal(await session.client.readReply(), '221 bye\r\n')
    await over(session)
    assert.equal(session.client.log.unread.length, 0)
  })

  for (const line of ['MAIL FROM:<a@example.com>', 'RSET', 'NOOP', 'EHLO app.example', 'STARTTLS', 'FOO']) {
    test(`answers ${line} between messages with its 421, and relays nothing (LIF-02)`, async (t) => {
      const session = await draining(t, 'mail accepted')
      const sent = session.upstream.log.length
      await session.client.send(`${line}\r\n`)
      assert.equal(await session.client.readReply(), DRAINING)
      assert.equal(session.upstream.log.length, sent)
      await over(session)
    })
  }

  test('a message whose MAIL the proxy refuses while it drains failed because of the drain (LIF-02)', async (t) => {
    const session = await draining(t, 'mail accepted')
    await session.client.send('MAIL FROM:<next@example.com>\r\n')
    assert.equal(await session.client.readReply(), DRAINING)
    await over(session)
    const refused = (await session.events()).find((event) => event.type === 'tx-rollback')
    assert.deepEqual([refused?.outcome, refused?.error, refused?.command], ['tempfail', 'drained', 'MAIL'])
  })

  for (const state of ['MAIL unanswered', 'in the envelope', 'DATA unanswered', 'in the body'] as const) {
    test(`lets a message finish that is ${state} (LIF-02)`, async (t) => {
      const session = await draining(t, state)
      clock.passes(2 * drainQuietMs)
      await pause(LOOKS_MS)
      assert.equal(session.client.log.unread.length, 0, 'not a word, however long the client thinks')
      assert.equal(session.client.ending, undefined)
      await finish(session, state)
      await session.client.send('MAIL FROM:<next@example.com>\r\n')
      assert.equal(await session.client.readReply(), DRAINING)
      await over(session)
    })
  }

  /** Plays the rest of a message. */
  async function finish({ client, upstream }: StagedSession, state: State): Promise<void> {
    const { over: done } = STATES[state]
    for (const [index, { said, answer }] of MAIL.slice(done).entries()) {
      if (index > 0 || !('asked' in STATES[state])) {
        await client.send(said)
        await upstream.readBytes(said.length)
      }
      await upstream.send(answer)
      await client.readBytes(answer.length)
    }
  }

  /** The session and the drain are over, and nothing was cut. */
  async function over(session: StagedSession & { readonly drained: Promise<number> }): Promise<void> {
    assert.equal(await session.client.closed(), 'fin')
    await session.client.end()
    await session.upstream.closed()
    await session.upstream.end()
    assert.equal(await session.drained, 0)
  }
})
