/**
 * A drain: when an idle session is closed, and that a message in flight finishes first. The test puts the proxy's clock
 * forward. Pipelining clients: see drain-pipelined.test.ts.
 */
import assert from 'node:assert/strict'
import { after, before, describe, type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import * as localReplies from '../../../proxy/session/local-replies.ts'
import { Clock } from '../../support/in-process/clock.ts'
import { MAIL, STATES, type State, sessionAt } from '../../support/in-process/message-states.ts'
import { Stage, type StagedSession } from '../../support/in-process/stage.ts'

const ACCEPTED = '250 2.0.0 r-000123\r\n'
const DRAINING = localReplies.DRAINING.bytes.toString()

/** Sessions are checked often. */
const tickMs = 10
/** Time for some checks, and for what was sent to be read. */
const LOOKS_MS = 100

let clock: Clock
before(() => {
  clock = new Clock()
})
after(() => clock[Symbol.dispose]())

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
    assert.equal(session.client.log.unread.length, 0, 'nothing while the final reply is awaited')
    await session.upstream.send(ACCEPTED)
    assert.equal(await session.client.readReply(), ACCEPTED)
    await pause(LOOKS_MS)
    assert.equal(session.client.log.unread.length, 0, 'not immediately')
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
      assert.equal(session.client.log.unread.length, 0, 'nothing, however long the client waits')
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
