/** Many chunks of BDAT (RFC 3030). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Stage } from '../../support/in-process/stage.ts'
import { type Peer, playPreamble } from '../../support/sockets/scripted-peers.ts'

test('10,000 chunks of one byte: in order, each answered, one message (BDT-11)', async (t) => {
  const stage = await Stage.open('plain')
  t.after(() => stage.close())
  const session = await stage.connect()
  const { client, upstream, identity } = session
  await playPreamble(upstream, { identity })
  await client.readReply()
  await client.send('EHLO app\r\n')
  await upstream.readUntil('EHLO app\r\n')
  await upstream.send('250-h\r\n250 CHUNKING\r\n')
  await client.readReply()
  await client.send('MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\n')
  await upstream.readUntil('example.net>\r\n')
  await upstream.send('250 ok\r\n250 ok\r\n')
  for (let replies = 0; replies < 2; replies += 1) await client.readReply()

  const chunks = Array.from({ length: 10_000 }, (_, index) => `BDAT 1${index === 9999 ? ' LAST' : ''}\r\n${index % 10}`)
  const wire = chunks.join('')
  const [, arrived] = await Promise.all([client.send(wire), answerChunks(upstream, wire.length)])
  assert.equal(arrived, wire)
  for (let replies = 0; replies < chunks.length; replies += 1) assert.equal(await client.readReply(), '250 ok\r\n')
  client.destroy()
  upstream.destroy()
  const events = await session.events()
  const ends = events.filter(({ type }) => type === 'tx-commit' || type === 'session-opaque')
  assert.deepEqual(
    ends.map((end) => ('size' in end ? end.size : end.type)),
    [10_000],
  )
  await stage.close()
})

/** Answers each chunk as it arrives; returns everything that arrived. */
async function answerChunks(upstream: Peer, count: number): Promise<string> {
  let arrived = ''
  let answered = 0
  while (arrived.length < count) {
    arrived +=
      (await upstream.readBytes(1)).toString('latin1') +
      upstream.log.take(upstream.log.unread.length).toString('latin1')
    const whole = arrived.split('BDAT').length - 1 - (/BDAT[^\n]*$|\n$/.test(arrived) ? 1 : 0)
    if (whole > answered) await upstream.send('250 ok\r\n'.repeat(whole - answered))
    answered = Math.max(answered, whole)
  }
  return arrived
}
