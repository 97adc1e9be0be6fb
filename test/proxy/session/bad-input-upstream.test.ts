/** An upstream that sends too much, and peers that do not react: no session stays open for ever. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import * as localReplies from '../../../proxy/session/local-replies.ts'
import { MAX_REPLY_BYTES, MAX_REPLY_LINES } from '../../../proxy/smtp/reply.ts'
import { Clock } from '../../support/in-process/clock.ts'
import { MAX_OWED_REPLIES } from '../../support/in-process/limits.ts'
import { sessionAt } from '../../support/in-process/message-states.ts'
import { drop } from '../../support/in-process/session-end.ts'
import { Stage, type StagedSession } from '../../support/in-process/stage.ts'
import { connectClient } from '../../support/sockets/scripted-peers.ts'

const MEBIBYTE = 1024 * 1024

describe('An upstream that sends too much', () => {
  let stage: Stage
  before(async () => {
    stage = await Stage.open('plain')
  })
  after(() => stage.close())

  const TOO_LONG = localReplies.REPLY_TOO_LONG.bytes.toString()
  const ENDLESS: readonly (readonly [string, string])[] = [
    ['a line without an end', 'x'.repeat(MAX_REPLY_BYTES + 1)],
    ['a reply of too many bytes', `250-${'x'.repeat(1000)}\r\n`.repeat(70)],
    ['a reply of 1,001 lines', `${'250-x\r\n'.repeat(MAX_REPLY_LINES)}250 x\r\n`],
  ]
  for (const [what, reply] of ENDLESS) {
    test(`${what}: the client gets a local reply, and nothing of the upstream's`, async () => {
      const session = await sessionAt('EHLO unanswered', stage)
      const read = session.client.log.length
      await session.upstream.send(reply)
      assert.equal(await session.client.readReply(), TOO_LONG)
      assert.equal(await session.client.closed(), 'fin')
      assert.equal(session.client.log.length, read + TOO_LONG.length)
      await drop(session)
    })

    for (const state of ['in the body', 'dot unanswered'] as const) {
      test(`${what}, ${state}: no local reply takes the place of a final reply`, async () => {
        const session = await sessionAt(state, stage)
        const read = session.client.log.length
        await session.upstream.send(reply)
        assert.equal(await session.client.closed(), 'reset')
        assert.equal(session.client.log.length, read)
        await drop(session)
      })
    }

    test(`${what}, in an opaque session: no local reply either`, async () => {
      const session = await sessionAt('between mails', stage)
      await session.upstream.send('250 stray\r\n250 stray\r\n')
      assert.equal(
        (await session.client.readReply()) + (await session.client.readReply()),
        '250 stray\r\n250 stray\r\n',
      )
      await session.client.send('DATA\r\n.\r\n')
      await session.upstream.readUntil('.\r\n')
      await session.upstream.send(reply)
      assert.equal(await session.client.closed(), 'reset')
      assert.equal(session.client.log.unread.length, 0)
      await drop(session)
    })
  }

  test('a reply of 1,000 lines is delivered completely', async () => {
    const session = await sessionAt('EHLO unanswered', stage)
    const reply = `${'250-x\r\n'.repeat(MAX_REPLY_LINES - 1)}250 x\r\n`
    await session.upstream.send(reply)
    assert.equal(await session.client.readReply(), reply)
    await drop(session)
  })

  test('unsolicited replies reach the client', async () => {
    const session = await sessionAt('between mails', stage)
    const replies = Array.from({ length: 5000 }, (_, number) => `250 stray ${number}\r\n`).join('')
    await session.upstream.send(replies)
    assert.equal((await session.client.readBytes(replies.length)).toString(), replies)
    await drop(session)
  })

  test('bytes that are no reply reach the client, line by line', async () => {
    const session = await sessionAt('between mails', stage)
    const garbage = Buffer.from(Array.from({ length: 5000 }, (_, index) => (index * 7) % 256))
    const whole = garbage.subarray(0, garbage.lastIndexOf(0x0a) + 1)
    await session.upstream.send(garbage)
    assert.ok((await session.client.readBytes(whole.length)).equals(whole))
    await drop(session)
  })
})

describe('A peer that does not react', () => {
  /** By the clock of the test. */
  const idleMs = 60_000
  let clock: Clock
  let stage: Stage
  before(async () => {
    clock = new Clock()
    stage = await open(200)
  })
  after(async () => {
    try {
      await stage?.close()
    } finally {
      clock[Symbol.dispose]()
    }
  })

  function open(lingerMs: number): Promise<Stage> {
    const limits = { linger: { ms: lingerMs, bytes: 1000 }, tickMs: 20, finalReplyMs: idleMs }
    return Stage.open('plain', { env: { PROXY_IDLE_TIMEOUT: '60s' }, limits })
  }

  /** Lets the limit pass. Several times: bytes that still move between the buffers restart it. */
  async function isLeft(session: StagedSession): Promise<void> {
    let over = false
    const ended = session.events().finally(() => {
      over = true
    })
    for (let passed = 0; !over && passed < 5; passed += 1) {
      clock.passes(idleMs)
      await Promise.race([ended, pause(100)])
    }
    await ended
  }

  test('an upstream that does not answer a client’s close is cut once nothing moves any more', async () => {
    const session = await sessionAt('in the envelope', stage)
    await session.client.end()
    assert.equal(await session.upstream.closed(), 'fin')
    await isLeft(session)
    await drop(session)
  })

  test('a client that does not answer the upstream’s close is cut after the linger', async () => {
    const session = await sessionAt('in the envelope', stage)
    await session.upstream.end()
    const began = performance.now()
    assert.equal(await session.client.closed(), 'fin')
    await session.events() // the clock is not put forward: it is not the idle limit
    const lingered = performance.now() - began
    assert.ok(lingered < 9000, `${lingered} ms, and not the 10 s of the default`)
    await drop(session)
  })

  test('a client whose replies will never come does not wait for them', async (t) => {
    // longer than the test waits for the end
    const patient = await open(600_000)
    t.after(() => patient.close())
    const session = await sessionAt('between mails', patient)
    await session.client.send('NOOP\r\n'.repeat(2 * MAX_OWED_REPLIES))
    await session.upstream.received(session.upstream.log.length + 1)
    await session.upstream.end()
    assert.equal(await session.client.closed(), 'fin')
    await session.client.end()
    assert.equal(await session.upstream.closed(), 'fin')
    await session.events()
    await drop(session)
  })

  test('an upstream that does not read is cut once its client has gone', async () => {
    const session = await sessionAt('in the body', stage)
    session.upstream.pause()
    void session.client.send(Buffer.alloc(32 * MEBIBYTE, 'more than all the buffers between\r\n'))
    await pause(100)
    await session.client.reset()
    await isLeft(session)
    await drop(session)
  })

  test('a client that closes while the upstream does not read is cut, too', async () => {
    const session = await sessionAt('in the body', stage)
    session.upstream.pause()
    void session.client.send(Buffer.alloc(32 * MEBIBYTE, 'more than all the buffers between\r\n'))
    void session.client.end()
    await isLeft(session)
    await drop(session)
  })

  test('500 clients that connect and close leave nothing open, here or at the upstream (GRT-13)', async () => {
    const probes: Promise<void>[] = []
    for (let probe = 0; probe < 500; probe += 1) {
      probes.push(
        connectClient({ port: stage.port }).then((client) => (probe % 2 === 0 ? client.end() : client.reset())),
      )
      if (probe % 20 === 0) await Promise.all(probes)
    }
    await Promise.all(probes)
    const { sessions } = stage.recorder
    await until(() => stage.server.activeSessions === 0 && sessions.every(({ hasClosed }) => hasClosed))
    for (const { events } of sessions) {
      assert.equal(events.filter(({ type }) => type === 'session-close').length, 1)
    }
  })
})

async function until(done: () => boolean): Promise<void> {
  const deadline = performance.now() + 5000
  while (!done()) {
    assert.ok(performance.now() < deadline, String(done))
    await pause(5)
  }
}
