/** DNS answers as sessions get them: no session waits for the resolver, and a resolver that fails does not stop mail. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import * as localReplies from '../../../proxy/session/local-replies.ts'
import { FRESH_MS } from '../../../proxy/upstream/attempt.ts'
import { LAST_GOOD_MS, MISSING_MS } from '../../../proxy/upstream/name-cache.ts'
import { Clock } from '../../support/in-process/clock.ts'
import { type DialRig, type Scene, startDialRig, startScene } from '../../support/in-process/dial-rig.ts'
import { OpenResources } from '../../support/in-process/open-resources.ts'
import { Names } from '../../support/in-process/resolver.ts'
import { makeTrust, type Trust } from '../../support/in-process/trust.ts'
import { playPreamble, ScriptedUpstream } from '../../support/sockets/scripted-peers.ts'
import { until } from '../../support/waiting/until.ts'

const HERE = ['127.0.0.1']

let trust: Trust
before(async () => {
  trust = await makeTrust(['mail.test', 'mute.test', 'other.test'])
})
after(() => trust.remove())

/** A session that relays the upstream's greeting, and ends. Returns its dial. */
async function greets(scene: Pick<Scene, 'connect' | 'upstream' | 'recorder'>) {
  const index = scene.recorder.sessions.length
  const client = await scene.connect()
  const peer = await scene.upstream.accept()
  await playPreamble(peer, { identity: trust.identity })
  assert.equal(await client.readReply(), '220 mail.example ESMTP\r\n')
  await client.end()
  await peer.end()
  return (await scene.recorder.ended(index)).one('dial')
}

async function isUnreachable(rig: Pick<DialRig, 'connect' | 'recorder'>) {
  const index = rig.recorder.sessions.length
  const client = await rig.connect()
  assert.equal(await client.readReply(), localReplies.UNREACHABLE.bytes.toString())
  await client.end()
  return (await rig.recorder.ended(index)).all('dial')
}

describe('An upstream’s name', () => {
  test('is looked up once for many sessions; each dial still reports its resolve phase', async () => {
    using names = new Names({ 'mail.test': HERE })
    await using scene = await startScene(trust, { host: 'mail.test' })
    for (let number = 0; number < 10; number += 1) {
      const dial = await greets(scene)
      assert.deepEqual(Object.keys(dial.phases), ['resolve', 'connect', 'greeting', 'starttls', 'total'])
      assert.equal(dial.answerAgeMs, undefined)
      if (number > 0) assert.ok(dial.phases.resolve! < 5, `${dial.phases.resolve} ms`)
    }
    assert.deepEqual(names.asked, ['mail.test'])
  })

  test('is looked up again in the background, and a changed answer is used within seconds', async () => {
    using names = new Names({ 'mail.test': ['127.0.0.2'] })
    using clock = new Clock()
    await using scene = await startScene(trust, { host: 'mail.test', limits: { tickMs: 10 } })
    assert.equal((await isUnreachable(scene))[0]!.error, 'connect_refused')
    names.set('mail.test', HERE)
    clock.passes(5000)
    await until('the name is looked up', () => names.asked.length === 2)
    assert.equal((await greets(scene)).peerAddress, '127.0.0.1')
    assert.equal(names.asked.length, 2, 'no session looked it up')
  })

  test('with one family that does not answer: the other one is used', async () => {
    using names = new Names({ 'mail.test': ['::1', '127.0.0.1'] })
    using clock = new Clock()
    await using scene = await startScene(trust, { host: 'mail.test' })
    assert.equal((await greets(scene)).peerAddress, '127.0.0.1', 'no one listens at ::1')
    names.set('mail.test', HERE)
    clock.passes(FRESH_MS)
    assert.equal((await greets(scene)).peerAddress, '127.0.0.1')
  })
})

describe('While the resolver fails', () => {
  for (const failure of ['EAI_AGAIN', new Promise<never>(() => {})]) {
    const what = typeof failure === 'string' ? failure : 'silence'
    test(`sessions use the last good answer for an hour (${what}), which their dials report; then they get a 421`, async () => {
      // a lookup that never ends is shared by all later ones of its name
      const host = what === 'silence' ? 'mute.test' : 'mail.test'
      using names = new Names({ [host]: HERE })
      using clock = new Clock()
      await using scene = await startScene(trust, {
        host,
        limits: { tickMs: 10 },
        env: { PROXY_DIAL_TIMEOUT: '2500ms' },
      })
      await greets(scene)
      names.set(host, failure)
      for (const minutes of [1, 20, 37]) {
        clock.passes(minutes * 60_000)
        const { answerAgeMs = 0, error } = await greets(scene)
        assert.equal(error, undefined)
        assert.ok(answerAgeMs >= minutes * 60_000, `${answerAgeMs} ms`)
      }
      assert.equal((await greets(scene)).error, undefined)
      clock.passes(LAST_GOOD_MS)
      assert.deepEqual(
        (await isUnreachable(scene)).map(({ error }) => error),
        ['resolve_failed'],
      )
      const failures = scene.recorder.upstreamEvents.map((event) => event.type === 'lookup' && event.error)
      assert.ok(failures.length > 0 && failures.every((error) => error), `${failures}`)
    })
  }

  test('a name that is gone: after five minutes the next upstream is dialled', async () => {
    using names = new Names({ 'mail.test': HERE, 'other.test': HERE })
    using clock = new Clock()
    const [first, second] = [await ScriptedUpstream.start(), await ScriptedUpstream.start()]
    {
      await using rig = await startDialRig([`mail.test:${first.port}`, `other.test:${second.port}`], trust)
      const at = (upstream: ScriptedUpstream) => greets({ ...rig, upstream })
      await at(first)
      names.set('mail.test', 'ENOTFOUND')
      clock.passes(FRESH_MS)
      assert.equal((await at(first)).error, undefined)
      clock.passes(MISSING_MS)
      const index = rig.recorder.sessions.length
      const client = await rig.connect()
      const peer = await second.accept()
      await playPreamble(peer, { identity: trust.identity })
      await client.readReply()
      await client.end()
      await peer.end()
      assert.deepEqual(
        (await rig.recorder.ended(index)).all('dial').map(({ error }) => error),
        ['resolve_failed', undefined],
      )
    }
    await first.close()
    await second.close()
  })

  test('a stop leaves no timer and no connection behind', async () => {
    const host = 'silent.test'
    using names = new Names({ [host]: new Promise<never>(() => {}) })
    using resources = new OpenResources()
    {
      await using rig = await startDialRig([`${host}:587`], trust, { limits: { tickMs: 10 } })
      const client = await rig.connect()
      await until('the lookup has begun', () => names.asked.length === 1)
      await client.end()
      await rig.recorder.closed()
      await rig.server.drain()
    }
    await resources.allClosed('a silent resolver')
  })
})
