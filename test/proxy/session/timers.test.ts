/**
 * Timers: which timer decides, and what the client then reads. The proxy's are longer than AhaSend's on purpose, and none of
 * them sends a local reply in place of a final reply (RFC 5321 4.5.3.2). The test puts the proxy's clock forward; only
 * linger, dial and AhaSend's own limit take real time.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import * as localReplies from '../../../proxy/session/local-replies.ts'
import { AUTH_PLAIN, ask, mail } from '../../simulator/client.ts'
import { startSimulator } from '../../simulator/simulator.ts'
import { Clock } from '../../support/in-process/clock.ts'
import { startDialRig, startScene } from '../../support/in-process/dial-rig.ts'
import { sessionAt } from '../../support/in-process/message-states.ts'
import { retainedBufferBytes } from '../../support/in-process/retained-bytes.ts'
import { drop } from '../../support/in-process/session-end.ts'
import { Stage, type StagedSession } from '../../support/in-process/stage.ts'
import { makeTrust, type Trust } from '../../support/in-process/trust.ts'
import { connectClient } from '../../support/sockets/scripted-peers.ts'

const ACCEPTED = '250 2.0.0 r-000123\r\n'
const IDLE = localReplies.IDLE.bytes.toString()

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
    for (const byte of 'NOOP\r\n') {
      await someTime()
      await session.client.send(byte)
    }
    assert.equal(await session.upstream.readLine(), 'NOOP\r\n')
    for (const byte of '250 ok\r\n') {
      await someTime()
      assert.equal(session.client.log.length, read, 'nothing before the last byte')
      await session.upstream.send(byte)
    }
    assert.equal(await session.client.readReply(), '250 ok\r\n')
    await drop(session)
  })

  /** Less than half the limit: even if the last byte is read only now, the limit is not reached. */
  async function someTime(): Promise<void> {
    clock.passes(0.4 * IDLE_MS)
    await pause(LOOKS_MS)
  }

  test('sends 421 to a client that has sent half a command, and does not relay that half', async () => {
    const session = await sessionAt('between mails', stage)
    const sent = session.upstream.log.length
    await session.client.send('MAIL FRO')
    await pause(LOOKS_MS) // no event shows that the half was read
    clock.passes(IDLE_MS)
    assert.equal(await session.client.readReply(), IDLE)
    assert.equal(await session.upstream.closed(), 'fin')
    assert.equal(session.upstream.log.length, sent)
    await drop(session)
  })

  test('waits for the client to read the last reply no longer than the linger', async () => {
    const session = await sessionAt('between mails', stage)
    const began = Date.now() // not put forward by the clock of the test
    await isEndedAsIdle(session)
    const closed = (await session.events()).find(({ type }) => type === 'session-close')
    assert.deepEqual(closed?.type === 'session-close' && [closed.by, closed.reason], ['proxy', 'idle'])
    const lingered = Date.now() - began
    assert.ok(lingered > 250 && lingered < 9000, `${lingered} ms, and neither none nor the 10 s of the default`)
    await drop(session)
  })

  /** The session is idle: its client reads that, and its upstream leaves. */
  async function isEndedAsIdle({ client, upstream }: StagedSession): Promise<void> {
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
    await isEndedAsIdle(session)
    await session.client.send('x'.repeat(1001))
    await session.events()
    await drop(session)
  })

  test('ends a session whose client never reads: the upstream is paused, and little is kept (TMO-07)', async () => {
    const session = await sessionAt('between mails', stage)
    const reply = `${'250-this is more than any client reads\r\n'.repeat(900)}250 ok\r\n`
    const count = 1000
    session.client.pause()
    await session.client.send('NOOP\r\n'.repeat(count))
    await session.upstream.readBytes('NOOP\r\n'.length * count)
    const replies = Buffer.from(reply.repeat(count))
    const before = await retainedBufferBytes()
    void session.upstream.send(replies)
    await pause(500)
    const kept = (await retainedBufferBytes()) - before
    assert.ok(kept < 512 * 1024, `${kept} bytes more`)
    clock.passes(IDLE_MS)
    assert.equal(await session.upstream.closed(), 'reset')
    const all = await session.events()
    const close = all.find((event) => event.type === 'session-close')!
    assert.deepEqual([close.by, close.reason], ['proxy', 'idle'])
    // what the kernel keeps for a client that does not read, and not more
    assert.ok(close.receive < replies.length / 2, `${close.receive} of ${replies.length} bytes were read`)
    assert.ok(!all.some((event) => event.type === 'exchange' && event.reply.origin === 'proxy'), 'no local reply')
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
