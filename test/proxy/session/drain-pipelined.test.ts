/** A drain, and clients that send the next command before they have read the last reply (RFC 2920). */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { DRAINING } from '../../../proxy/session/local-replies.ts'
import { MAIL, type State, sessionAt } from '../../support/in-process/message-states.ts'
import { drop, mailOf } from '../../support/in-process/session-end.ts'
import { Stage, type StagedSession } from '../../support/in-process/stage.ts'

const FAREWELL = DRAINING.bytes.toString('latin1')
const ACCEPTED = '250 2.0.0 r-000123\r\n'
const NEXT = 'MAIL FROM:<next@example.com>\r\n'
const GROUP = `${NEXT}RCPT TO:<b@example.net>\r\nDATA\r\n`

/** How long a session must be idle before silence is answered 421: long, so that only a command is answered. */
const drainQuietMs = 60_000

async function draining(t: TestContext, state: State): Promise<StagedSession & { readonly drained: Promise<number> }> {
  const stage = await Stage.open('plain', { limits: { tickMs: 10, drainQuietMs, drainSpreadMs: 1 } })
  t.after(() => stage.close())
  const session = await sessionAt(state, stage)
  return { ...session, drained: stage.server.drain() }
}

/** The client sends `said`, of which the upstream reads `relayed` and nothing else before it answers. */
async function relays({ client, upstream }: StagedSession, said: string, relayed: string): Promise<void> {
  await client.send(said)
  assert.equal((await upstream.readBytes(relayed.length)).toString('latin1'), relayed)
}

/** The client reads `replies` and nothing else; nothing more was relayed, and nothing is cut. */
async function ends(session: StagedSession & { readonly drained: Promise<number> }, replies: string): Promise<void> {
  const { client, upstream } = session
  assert.equal((await client.readBytes(replies.length)).toString('latin1'), replies)
  assert.equal(await client.closed(), 'fin')
  assert.equal(client.log.unread.length, 0)
  assert.equal(await upstream.closed(), 'fin')
  assert.equal(upstream.log.unread.toString('latin1'), '', 'nothing of the next message was relayed')
  await client.end()
  await upstream.end()
  assert.equal(await session.drained, 0)
}

describe('At a drain, a MAIL that is sent together with the end of a message', () => {
  for (const [what, behind] of [
    ['alone', NEXT],
    ['with its group', GROUP],
  ] as const) {
    test(`is answered 421, after the final reply (${what})`, async (t) => {
      const session = await draining(t, 'in the body')
      await relays(session, `.\r\n${behind}`, '.\r\n')
      await session.upstream.send(ACCEPTED)
      await ends(session, ACCEPTED + FAREWELL)
    })
  }

  test('is answered 421 after a final reply that refuses, too', async (t) => {
    const session = await draining(t, 'in the body')
    await relays(session, `.\r\n${NEXT}`, '.\r\n')
    await session.upstream.send('451 4.3.0 later\r\n')
    await ends(session, `451 4.3.0 later\r\n${FAREWELL}`)
  })

  test('is answered 421 after the replies to the commands before it', async (t) => {
    const session = await draining(t, 'in the body')
    await relays(session, `.\r\nRSET\r\nNOOP\r\n${NEXT}`, '.\r\nRSET\r\nNOOP\r\n')
    await session.upstream.send(ACCEPTED)
    await session.upstream.send('250 reset\r\n250 ok\r\n')
    await ends(session, `${ACCEPTED}250 reset\r\n250 ok\r\n${FAREWELL}`)
  })

  test('is answered 421 if its client has ended its sending side', async (t) => {
    const session = await draining(t, 'in the body')
    await relays(session, `.\r\n${NEXT}`, '.\r\n')
    await session.client.end()
    await session.upstream.send(ACCEPTED)
    await ends(session, ACCEPTED + FAREWELL)
  })

  test('does not hide a reset of its client: the final reply is counted as undelivered', async (t) => {
    const session = await draining(t, 'in the body')
    await relays(session, `.\r\n${NEXT}`, '.\r\n')
    await session.client.reset()
    await pause(100) // no event shows that the proxy has noticed
    await session.upstream.send(ACCEPTED)
    assert.equal(await session.upstream.closed(), 'reset')
    assert.equal(mailOf(await drop(session)), 'tx-commit accepted 250 undelivered END-OF-MESSAGE')
    assert.equal(await session.drained, 0)
  })

  test('gets no reply if the upstream closes without a final reply', async (t) => {
    const session = await draining(t, 'in the body')
    await relays(session, `.\r\n${NEXT}`, '.\r\n')
    await session.upstream.end()
    await ends(session, '')
  })

  test('is also answered 421 after the last chunk of a BDAT', async (t) => {
    const stage = await Stage.open('plain', { limits: { tickMs: 10, drainQuietMs, drainSpreadMs: 1 } })
    t.after(() => stage.close())
    const chunked = await sessionAt('greeted', stage)
    for (const [said, answer] of [
      ['EHLO app\r\n', '250-h\r\n250 CHUNKING\r\n'],
      ['MAIL FROM:<a@example.com>\r\n', '250 ok\r\n'],
      ['RCPT TO:<b@example.net>\r\n', '250 ok\r\n'],
    ] as const) {
      await relays(chunked, said, said)
      await chunked.upstream.send(answer)
      await chunked.client.readBytes(answer.length)
    }
    const drained = stage.server.drain()
    await relays(chunked, `BDAT 3 LAST\r\nabc${NEXT}`, 'BDAT 3 LAST\r\nabc')
    await chunked.upstream.send(ACCEPTED)
    await ends({ ...chunked, drained }, ACCEPTED + FAREWELL)
  })
})

test('a MAIL inside a transaction is answered by the upstream, also at a drain', async (t) => {
  const session = await draining(t, 'MAIL unanswered')
  await session.client.send(NEXT)
  await session.upstream.send(MAIL[1].answer)
  assert.equal(await session.client.readReply(), MAIL[1].answer)
  assert.equal(await session.upstream.readLine(), NEXT)
  await session.upstream.send('503 5.5.1 nested MAIL\r\n')
  assert.equal(await session.client.readReply(), '503 5.5.1 nested MAIL\r\n')
  await relays(session, 'RSET\r\n', 'RSET\r\n')
  await session.upstream.send('250 reset\r\n')
  assert.equal(await session.client.readReply(), '250 reset\r\n')
  await session.client.send('NOOP\r\n')
  await ends(session, FAREWELL)
})
