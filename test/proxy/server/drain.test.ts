/** Which sessions a drain counts as cut, what it refuses, and how it reports the sessions that it ends. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { DRAINING } from '../../../proxy/session/local-replies.ts'
import { sessionAt } from '../../support/in-process/message-states.ts'
import { Stage, type StageOptions } from '../../support/in-process/stage.ts'
import { connectClient, playPreamble } from '../../support/sockets/scripted-peers.ts'

const FAREWELL = DRAINING.bytes.toString('latin1')

async function open(t: TestContext, options: StageOptions): Promise<Stage> {
  const stage = await Stage.open('plain', options)
  t.after(() => stage.close())
  return stage
}

/** A session between messages. */
async function idle(stage: Stage) {
  const session = await stage.connect()
  await playPreamble(session.upstream, session)
  await session.client.readReply()
  return session
}

test('a client that does not close after its 421 is not counted as cut', async (t) => {
  const limits = { tickMs: 10, drainQuietMs: 1, drainSpreadMs: 1 }
  const stage = await open(t, { env: { PROXY_DRAIN_TIMEOUT: '1s' }, limits })
  const { client } = await idle(stage)
  const drained = stage.server.drain()
  assert.equal(await client.readReply(), FAREWELL)
  assert.equal(await drained, 0)
  client.destroy()
})

test('a message in flight at the timeout is counted as cut', async (t) => {
  const stage = await open(t, { env: { PROXY_DRAIN_TIMEOUT: '1s' }, limits: { tickMs: 10 } })
  const { client, upstream } = await sessionAt('in the body', stage)
  assert.equal(await stage.server.drain(), 1)
  client.destroy()
  upstream.destroy()
})

for (const command of ['TURN', 'XCLIENT NAME=x', 'MAIL FROM:<a@example.com>'])
  test(`a drain answers 421 to ${command}, not one of the other local replies`, async (t) => {
    // the session must not end because the client is idle
    const stage = await open(t, { limits: { tickMs: 10, drainQuietMs: 60_000, drainSpreadMs: 1 } })
    const { client } = await idle(stage)
    const drained = stage.server.drain()
    await client.send(`${command}\r\n`)
    assert.equal(await client.readReply(), FAREWELL)
    await client.end()
    assert.equal(await drained, 0)
  })

test('a session that the proxy ends during the dial is reported as drained by the proxy', async (t) => {
  const stage = await open(t, {})
  const client = await connectClient({ port: stage.port, transcript: stage.upstream.transcript })
  const upstream = await stage.upstream.accept() // it never sends a greeting
  await stage.server.close()
  const close = stage.recorder.sessions[0]?.events.find((event) => event.type === 'session-close')
  assert.deepEqual([close?.by, close?.reason], ['proxy', 'drained'])
  client.destroy()
  upstream.destroy()
})

test('a drain sends no reply to a client whose upstream has closed: a 421 could not be delivered any more', async (t) => {
  const limits = { tickMs: 10, drainQuietMs: 1, drainSpreadMs: 1 }
  const stage = await open(t, { env: { PROXY_DRAIN_TIMEOUT: '1s' }, limits })
  const session = await idle(stage)
  await session.upstream.end()
  assert.equal(await session.client.closed(), 'fin')
  assert.equal(await stage.server.drain(), 0, 'nothing was cut')
  const events = await session.events()
  const replies = events.filter((event) => event.type === 'exchange' && event.reply.origin === 'proxy')
  assert.deepEqual(replies, [])
  session.client.destroy()
})
