/** After its last reply the proxy keeps reading for a while: a close with unread bytes would destroy that reply (RST). */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import * as localReplies from '../../../proxy/session/local-replies.ts'
import { ClientRig, type GreetedSession } from '../../support/in-process/client-rig.ts'

const FAREWELL = localReplies.HTTP.bytes.toString('latin1')

/** A session that the proxy ends, whose client has not read the last reply yet and may still send. */
async function sentAway(context: TestContext, linger: { ms: number; bytes: number }, layer: string) {
  const rig = await ClientRig.open({ listener: 'starttls', limits: { linger } })
  context.after(() => rig.close())
  const session = await rig.greeted()
  if (layer === 'inside TLS') await session.startTls()
  session.client.pause()
  await session.client.send('GET / HTTP/1.1\r\n')
  assert.equal(await session.upstream.closed(), 'fin')
  await session.upstream.end()
  return { rig, session }
}

async function readsTheFarewell({ client }: GreetedSession): Promise<void> {
  client.resume()
  assert.equal(await client.readReply(), FAREWELL)
  assert.equal(await client.closed(), 'fin')
}

for (const layer of ['unencrypted', 'inside TLS']) {
  describe(`A client that got its last reply, ${layer}`, () => {
    test('may keep sending and can still read the reply (R5)', async (context) => {
      const { rig, session } = await sentAway(context, { ms: 10_000, bytes: 64 * 1024 * 1024 }, layer)
      for (let times = 0; times < 20; times += 1) await session.client.send(Buffer.alloc(100_000, 'x\r\n'))
      await readsTheFarewell(session)
      await session.client.end()
      await rig.quiet()
    })

    test('is cut after the bytes of the linger (R5)', async (context) => {
      const { rig, session } = await sentAway(context, { ms: 10_000, bytes: 100_000 }, layer)
      await session.client.send(Buffer.alloc(90_000, 'x\r\n'))
      assert.equal(rig.server.activeSessions, 1, 'as long as it keeps below')
      await session.client.send(Buffer.alloc(20_000, 'x\r\n'))
      await rig.quiet()
      session.client.destroy()
    })

    test('is cut after the time of the linger (R5)', async (context) => {
      const began = performance.now()
      const { rig, session } = await sentAway(context, { ms: 100, bytes: 100_000 }, layer)
      await rig.quiet()
      assert.ok(performance.now() - began > 80, 'not before')
      session.client.destroy()
    })

    test('is closed at once when it ends its sending side (R5)', async (context) => {
      const { rig, session } = await sentAway(context, { ms: 10_000, bytes: 100_000 }, layer)
      await session.client.end()
      await rig.quiet()
      await readsTheFarewell(session)
    })
  })
}
