/**
 * The upstream refuses a message before its end and closes at once, with unread bytes: its RST follows the refusal. The
 * client still reads the refusal, whether it reads replies while it sends or not.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { closeOf, mailOf } from '../../support/in-process/session-end.ts'
import { Stage, type StagedSession } from '../../support/in-process/stage.ts'
import { playPreamble } from '../../support/sockets/scripted-peers.ts'

/** More than all the buffers between client and upstream. */
const BODY = Buffer.alloc(16 * 1024 * 1024, 'all that is to be said\r\n')
/** What the upstream reads of it. */
const READ = 100_000
/** The kernel decides which of RST, write and read comes first: a few runs meet each order. */
const RUNS = 5

const GREETING = '220 mail.example ESMTP\r\n'
const EHLO = '250-mail.example\r\n250-PIPELINING\r\n250 CHUNKING\r\n'
const OK = '250 ok\r\n'

/** Two ways to send a message. */
const WAYS = {
  DATA: { begins: 'DATA\r\n', answer: '354 go ahead\r\n', command: 'END-OF-MESSAGE' },
  BDAT: { begins: `BDAT ${BODY.length} LAST\r\n`, answer: '', command: 'BDAT' },
} as const

for (const listener of ['plain', 'smtps'] as const) {
  describe(`A message that is refused before its end, and then an RST, with a client on a ${listener} listener`, () => {
    let stage: Stage
    before(async () => {
      stage = await Stage.open(listener)
    })
    after(() => stage.close())

    for (const way of ['DATA', 'BDAT'] as const) {
      for (const code of [421, 452, 552]) {
        for (const reads of ['while it sends', 'when all is sent'] as const) {
          test(`${code} to ${way}: a client that reads ${reads} reads it (R5)`, async () => {
            for (let run = 0; run < RUNS; run += 1) await refuse({ way, code, reads })
          })
        }
      }
    }

    async function refuse({ way, code, reads }: { way: keyof typeof WAYS; code: number; reads: string }) {
      const refusal = `${code} ${Math.floor(code / 100)}.3.4 no\r\n`
      const session = await beginsToSend(await stage.connect(), way)
      const { client, upstream } = session
      if (reads !== 'while it sends') client.pause()
      const sent = client.send(BODY)
      await upstream.received(READ)
      upstream.pause()
      await upstream.send(refusal)
      upstream.destroy()
      await sent
      client.resume()
      assert.equal(await client.readReply(), refusal)
      assert.equal(await client.closed(), 'fin')
      await client.end()
      const events = await session.events()
      const outcome = code < 500 ? 'tempfail' : 'permfail'
      const command = code === 421 && way === 'DATA' ? 'UNSOLICITED' : WAYS[way].command
      assert.equal(mailOf(events), `tx-rollback ${outcome} ${code} ${command}`)
      assert.equal(closeOf(events), `upstream ${code === 421 ? 'upstream_421' : 'upstream_reset'}`)
    }
  })
}

describe('An RST', () => {
  test('is mirrored as an RST once the client of a refused message has sent its next command (R5)', async (context) => {
    const stage = await Stage.open('plain')
    context.after(() => stage.close())
    const session = await beginsToSend(await stage.connect(), 'DATA')
    const { client, upstream } = session
    await upstream.send('552 5.3.4 no\r\n')
    await client.readReply()
    await client.send('.\r\nNOOP\r\n')
    await upstream.readUntil('NOOP\r\n')
    await upstream.reset()
    assert.equal(await client.closed(), 'reset')
    assert.equal(closeOf(await session.events()), 'upstream upstream_reset')
  })
})

async function beginsToSend(session: StagedSession, way: keyof typeof WAYS): Promise<StagedSession> {
  const { client, upstream, identity } = session
  await playPreamble(upstream, { identity, greeting: GREETING })
  assert.equal(await client.readReply(), GREETING)
  const { begins, answer } = WAYS[way]
  const script = [
    ['EHLO app.example\r\n', EHLO],
    ['MAIL FROM:<a@example.com>\r\n', OK],
    ['RCPT TO:<b@example.net>\r\n', OK],
    [begins, answer],
  ] as const
  for (const [said, reply] of script) {
    await client.send(said)
    await upstream.readUntil(said)
    if (reply === '') continue
    await upstream.send(reply)
    assert.equal(await client.readReply(), reply)
  }
  return session
}
