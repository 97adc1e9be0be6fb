/**
 * A client that pipelines sends the end of a message together with the commands of the next one. Each write upstream is a
 * TLS record and a system call, so these bytes go up in one.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Stage } from '../../support/in-process/stage.ts'
import { type Peer, playPreamble } from '../../support/sockets/scripted-peers.ts'

const ENVELOPE = 'MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n'

describe('The end of a message and the commands after it', () => {
  for (const [size, bytes] of [
    ['short', 100],
    ['longer than what the proxy reads into a block of its own', 10_000],
  ] as const)
    test(`go up in one write if they arrive together (the message is ${size})`, async (t) => {
      const stage = await Stage.open('plain')
      t.after(() => stage.close())
      const session = await stage.connect()
      const { client, upstream } = session
      await playPreamble(upstream, session)
      await client.readReply()
      await sendEnvelope(client, upstream)

      const wire = `${'x'.repeat(bytes - 2)}\r\n.\r\n${ENVELOPE}`
      const records: string[] = []
      upstream.tls?.on('data', (record: Buffer) => records.push(record.toString('latin1')))
      await client.send(wire)
      await upstream.readUntil(`\r\n.\r\n${ENVELOPE}`)
      assert.deepEqual(records, [wire])
      client.destroy()
      upstream.destroy()
      await session.events()
    })
})

async function sendEnvelope(client: Peer, upstream: Peer): Promise<void> {
  await client.send(ENVELOPE)
  await upstream.readUntil('DATA\r\n')
  await upstream.send('250 ok\r\n250 ok\r\n354 go\r\n')
  for (let replies = 0; replies < 3; replies += 1) await client.readReply()
}
