/** One side closes while something is still unsent: what was sent before arrives, and half a reply does not. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { ALL_STATES, type State, sessionAt } from '../../support/in-process/message-states.ts'
import { closeOf, mailOf } from '../../support/in-process/session-end.ts'
import { Stage, type StagedSession } from '../../support/in-process/stage.ts'

const SAID_421 = '421 4.3.2 mail.example shutting down\r\n'
const ACCEPTED = '250 2.0.0 r-000123\r\n'
const LOST_IN_BODY = 'tx-lost body tempfail upstream_lost'
const IN_DOUBT = 'tx-lost final-reply in_doubt upstream_lost'

describe('A close while something is still unsent', () => {
  for (const listener of ['plain', 'smtps'] as const) {
    describe(`on a ${listener} listener`, () => {
      let stage: Stage
      before(async () => {
        stage = await Stage.open(listener)
      })
      after(() => stage.close())

      test('a client that sends QUIT and closes still reads the 221 (DIS-02)', async () => {
        const session = await at('between mails')
        const { client, upstream } = session
        await client.send('QUIT\r\n')
        await client.end()
        assert.equal(await upstream.readLine(), 'QUIT\r\n')
        assert.equal(await upstream.closed(), 'fin')
        await upstream.send('221 bye\r\n')
        await upstream.end()
        assert.equal(await client.readReply(), '221 bye\r\n')
        assert.equal(await client.closed(), 'fin')
        assert.equal(closeOf(await session.events()), 'client quit')
      })

      test('a client that sends the final dot and closes still reads the 250 (DIS-03)', async () => {
        const session = await at('in the body')
        const { client, upstream } = session
        await client.send('.\r\n')
        await client.end()
        await upstream.readUntil('.\r\n')
        assert.equal(await upstream.closed(), 'fin')
        await upstream.send(ACCEPTED)
        await upstream.end()
        assert.equal(await client.readReply(), ACCEPTED)
        assert.equal(await client.closed(), 'fin')
        assert.equal(mailOf(await session.events()), 'tx-commit accepted 250 after_fin END-OF-MESSAGE')
      })

      test('a client that sends the final dot, QUIT and FIN reads the 250 and the 221, and nothing is reported as lost', async () => {
        const session = await at('in the body')
        const { client, upstream } = session
        await client.send('.\r\nQUIT\r\n')
        await client.end()
        await upstream.readUntil('.\r\nQUIT\r\n')
        assert.equal(await upstream.closed(), 'fin')
        await upstream.send(`${ACCEPTED}221 bye\r\n`)
        await upstream.end()
        assert.equal((await client.readReply()) + (await client.readReply()), `${ACCEPTED}221 bye\r\n`)
        const events = await session.events()
        assert.deepEqual([mailOf(events), closeOf(events)], ['tx-commit accepted 250', 'client quit'])
      })

      test('a client that closes after the final dot: the 250 is written, and reported as written after its FIN', async () => {
        const session = await at('dot unanswered')
        const { client, upstream } = session
        client.destroy()
        assert.equal(await upstream.closed(), 'fin')
        await upstream.send(ACCEPTED)
        await upstream.end()
        assert.equal(mailOf(await session.events()), 'tx-commit accepted 250 after_fin END-OF-MESSAGE')
      })

      for (const [what, reply, mail] of [
        ['a refusal', '451 4.3.0 later\r\n', 'tx-rollback tempfail 451 END-OF-MESSAGE'],
        ['no final reply', '354 go on\r\n', 'tx-lost final-reply in_doubt 354'],
      ] as const) {
        test(`${what} to a client that closes after the final dot is no lost acceptance`, async () => {
          const session = await at('dot unanswered')
          const { client, upstream } = session
          await client.end()
          assert.equal(await upstream.closed(), 'fin')
          await upstream.send(reply)
          await upstream.end()
          assert.equal(await client.readReply(), reply)
          assert.equal(mailOf(await session.events()), mail)
        })
      }

      test('a 250 and a FIN in one segment: the client reads the 250, then the end (DIS-09)', async () => {
        const session = await at('dot unanswered')
        const { client, upstream } = session
        await Promise.all([upstream.send(ACCEPTED), upstream.end()])
        assert.equal(await client.readReply(), ACCEPTED)
        assert.equal(await client.closed(), 'fin')
        await client.end()
        await upstream.closed()
        const events = await session.events()
        assert.deepEqual([mailOf(events), closeOf(events)], ['tx-commit accepted 250', 'upstream upstream_closed'])
      })

      test('a 421 is read at once, and the connection is closed when the upstream closes it, not before (DIS-12)', async () => {
        const session = await at('between mails')
        const { client, upstream } = session
        await upstream.send(SAID_421)
        assert.equal(await client.readReply(), SAID_421)
        await client.send('NOOP\r\n')
        assert.equal(await upstream.readLine(), 'NOOP\r\n')
        assert.equal(client.ending, undefined)
        await upstream.end()
        assert.equal(await client.closed(), 'fin')
        await client.end()
        await session.events()
      })

      test('an upstream that closes its half still reads what the client sends (DIS-14)', async () => {
        const session = await at('in the body')
        const { client, upstream } = session
        await upstream.end()
        assert.equal(await client.closed(), 'fin')
        await client.send('more of the body\r\n')
        assert.equal(await upstream.readLine(), 'more of the body\r\n')
        await client.end()
        assert.equal(await upstream.closed(), 'fin')
        assert.equal(mailOf(await session.events()), LOST_IN_BODY)
      })

      test('a reply that arrives in four pieces is delivered when it is complete, and not before (DIS-15)', async () => {
        const session = await at('between mails')
        const { client, upstream } = session
        await client.send('NOOP\r\n')
        await upstream.readLine()
        const read = client.log.length
        for (const piece of ['2', '50 o', 'k\r']) {
          await upstream.send(piece)
          await pause(20)
          assert.equal(client.log.length, read)
        }
        await upstream.send('\n')
        assert.equal(await client.readReply(), '250 ok\r\n')
        await goodbye(session)
      })

      test('half a final reply is no reply: it is dropped, counted, and the close is mirrored (DIS-15, R2)', async () => {
        const session = await at('dot unanswered')
        const { client, upstream } = session
        await upstream.send('250-2.0.0 first line\r\n250 2.0.0 r-0001')
        await upstream.end()
        assert.equal(await client.closed(), 'fin')
        await client.end()
        const events = await session.events()
        assert.equal(client.log.unread.length, 0)
        assert.equal(mailOf(events), `incomplete END-OF-MESSAGE ${IN_DOUBT}`)
      })

      test('a client that gets a 421 in its body and reads only after sending everything still finds it (DAT-09)', async () => {
        const session = await at('in the body')
        const { client, upstream } = session
        client.pause()
        await upstream.send(SAID_421)
        upstream.destroy()
        // more than the kernel's buffers hold: if no one reads it, the client never reads its reply
        const body = Buffer.alloc(8 * 1024 * 1024, 'all that was to be said\r\n')
        await client.send(body)
        await client.end()
        client.resume()
        assert.equal(await client.readReply(), SAID_421)
        assert.equal(await client.closed(), 'fin')
        assert.equal(mailOf(await session.events()), 'tx-rollback tempfail 421 UNSOLICITED')
      })

      test('both sides reset at once (300 times): nothing is left and nothing throws (DIS-13)', async () => {
        for (let run = 0; run < 300; run += 1) {
          const state = ALL_STATES[run % ALL_STATES.length]!
          const { client, upstream, events } = await at(state)
          await (run % 2 === 0
            ? Promise.all([client.reset(), upstream.reset()])
            : Promise.all([upstream.reset(), client.reset()]))
          closeOf(await events())
        }
        assert.equal(stage.server.activeSessions, 0)
      })

      const at = (state: State) => sessionAt(state, stage)
    })
  }
})

describe('On a listener that offers STARTTLS', () => {
  test('a client whose EHLO will never be answered can leave at once (DIS-06)', async () => {
    const stage = await Stage.open('starttls')
    const session = await sessionAt('EHLO unanswered', stage)
    const { client, upstream } = session
    await upstream.end()
    assert.equal(await client.closed(), 'fin')
    await client.end()
    assert.equal(await upstream.closed(), 'fin')
    assert.equal(closeOf(await session.events()), 'upstream upstream_closed')
    await stage.close()
  })
})

async function goodbye({ client, upstream, events }: StagedSession): Promise<void> {
  await client.end()
  await upstream.closed()
  await upstream.end()
  await client.closed()
  await events()
}
