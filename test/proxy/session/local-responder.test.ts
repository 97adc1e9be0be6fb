/**
 * Clients that pipeline commands which the proxy answers itself: faster than they read the replies, or faster than other
 * sessions get their turn. Neither may cost memory or delay other sessions.
 */
import assert from 'node:assert/strict'
import { after, before, describe, type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import * as localReplies from '../../../proxy/session/local-replies.ts'
import { ClientRig, type GreetedSession } from '../../support/in-process/client-rig.ts'
import { Clock } from '../../support/in-process/clock.ts'
import { TURN } from '../../support/in-process/local-commands.ts'
import { retainedBytes } from '../../support/in-process/retained-bytes.ts'

const BLOCKED = localReplies.BLOCKED.bytes.toString('latin1')

/** More than the kernel holds of the replies for a client that does not read: they are ten times as long. */
const FLOOD = 300_000

const IDLE_MS = 60_000
const env = { PROXY_IDLE_TIMEOUT: '60s' }

let clock: Clock
before(() => {
  clock = new Clock()
})
after(() => clock[Symbol.dispose]())

async function greeted(t: TestContext, listener: 'plain' | 'smtps' = 'plain'): Promise<GreetedSession> {
  const rig = await ClientRig.open({
    listener,
    env,
    limits: { tickMs: 10, linger: { ms: 300, bytes: 1_000_000 } },
  })
  t.after(() => rig.close())
  return await rig.greeted()
}

/** Resolves with the number of commands that were answered, once that number no longer changes. */
async function answered({ recorded }: GreetedSession): Promise<number> {
  for (let count = -1; ; ) {
    if (count === recorded.events.length) return recorded.all('exchange').length
    count = recorded.events.length
    await pause(300)
  }
}

/** The client sends many commands and reads nothing; resolves when the proxy has stopped reading. */
async function flooded(session: GreetedSession): Promise<number> {
  session.client.pause()
  void session.client.send(TURN.repeat(FLOOD))
  return await answered(session)
}

describe('A client that never reads local replies', () => {
  for (const listener of ['plain', 'smtps'] as const) {
    test(`is no longer read (${listener}), and gets every reply in order once it reads`, async (t) => {
      const session = await greeted(t, listener)
      const kept = await retainedBytes()
      const count = await flooded(session)
      assert.ok(count < FLOOD / 2, `${count} commands were answered`)
      // the test keeps what was reported: about 250 bytes an event
      const more = (await retainedBytes()) - kept - count * 250
      assert.ok(more < 8 * 1024 * 1024, `${more} bytes more`)
      void session.client.send('NOOP\r\n')
      session.client.resume()
      const replies = await session.client.readBytes(FLOOD * BLOCKED.length)
      assert.ok(replies.equals(Buffer.from(BLOCKED.repeat(FLOOD))))
      await session.reaches('NOOP\r\n')
      await session.end()
    })
  }

  test('meets the idle limit', async (t) => {
    const session = await greeted(t)
    await flooded(session)
    // again, if the machine stalled and the proxy had not yet stopped reading
    while (session.upstream.ending === undefined) {
      clock.passes(IDLE_MS)
      await pause(100)
    }
    await session.upstream.end()
    assert.equal(session.upstream.log.unread.length, 0)
    await session.end()
    const { by, reason } = session.recorded.one('session-close')
    assert.deepEqual([by, reason], ['proxy', 'idle'])
    assert.equal(session.recorded.all('exchange').at(-1)?.reply.code, localReplies.IDLE.code)
  })

  test('is noticed when it resets its connection', async (t) => {
    const session = await greeted(t)
    await flooded(session)
    await session.client.reset()
    assert.equal(await session.upstream.closed(), 'reset')
    await session.end()
    const { by, reason } = session.recorded.one('session-close')
    assert.deepEqual([by, reason], ['client', 'client_reset'])
  })

  test('may end its sending side: its FIN goes up once the replies are read', async (t) => {
    const session = await greeted(t)
    await flooded(session)
    void session.client.end()
    session.client.resume()
    assert.equal(await session.upstream.closed(), 'fin')
    assert.equal(session.upstream.log.unread.length, 0)
    assert.equal(session.client.log.length, BLOCKED.length * FLOOD + '220 mail.example ESMTP\r\n'.length)
    await session.end()
  })
})

describe('Many local replies', () => {
  test('are at most 100 in a turn, so that other sessions get theirs', async (t) => {
    const session = await greeted(t)
    const { recorded } = session
    const count = 5000
    await session.client.send(TURN.repeat(count))
    let most = 0
    for (let seen = 0; seen < count; ) {
      await new Promise((turn) => setImmediate(turn))
      const now = recorded.all('exchange').length
      most = Math.max(most, now - seen)
      seen = now
    }
    assert.ok(most <= 100, `${most} in one turn`)
    await session.client.readBytes(count * BLOCKED.length)
    await session.end()
  })

  test('keep the order among relayed commands', async (t) => {
    const session = await greeted(t)
    await session.client.send(`${TURN.repeat(250)}NOOP 1\r\n${TURN.repeat(250)}NOOP 2\r\n`)
    await session.reaches('NOOP 1\r\n')
    await session.upstream.send('250 1\r\n')
    await session.reaches('NOOP 2\r\n')
    await session.upstream.send('250 2\r\n')
    const half = BLOCKED.repeat(250)
    const expected = `${half}250 1\r\n${half}250 2\r\n`
    assert.equal((await session.client.readBytes(expected.length)).toString('latin1'), expected)
    await session.end()
  })
})
