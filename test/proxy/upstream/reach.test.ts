/** Names, addresses and ports of upstreams, as a client of the proxy sees them. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { after, before, describe, test } from 'node:test'
import nodemailer from 'nodemailer'
import type { DialError } from '../../../proxy/events/closed-sets.ts'
import * as localReplies from '../../../proxy/session/local-replies.ts'
import { parseConfig } from '../../../proxy/settings/settings.ts'
import { FRESH_MS } from '../../../proxy/upstream/attempt.ts'
import { MISSING_MS } from '../../../proxy/upstream/name-cache.ts'
import { DEFAULT_ACCOUNT, startSimulator } from '../../simulator/simulator.ts'
import { Clock } from '../../support/in-process/clock.ts'
import { type DialRig, startDialRig, startScene } from '../../support/in-process/dial-rig.ts'
import { OpenResources } from '../../support/in-process/open-resources.ts'
import type { RecordedSession } from '../../support/in-process/recorder.ts'
import { type Answer, Names } from '../../support/in-process/resolver.ts'
import { makeTrust, type Trust } from '../../support/in-process/trust.ts'
import { openBlackHole } from '../../support/sockets/black-hole.ts'
import { type Peer, playPreamble } from '../../support/sockets/scripted-peers.ts'

/** After this time a session does not use a DNS answer without a new lookup. */
const ANSWER_MS = FRESH_MS + 1

let trust: Trust
before(async () => {
  trust = await makeTrust(['mail.test'])
})
after(() => trust.remove())

/** A port without a listener: it was free a moment ago. */
async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

interface Failure {
  readonly error: DialError
  readonly detail?: string
}

/** A client connects and gets the 421 for an unreachable upstream. Returns its session after the end. */
async function isUnreachable(rig: DialRig, { error, detail }: Failure): Promise<RecordedSession> {
  const index = rig.recorder.sessions.length
  const client = await rig.connect()
  assert.equal(await client.readReply(), localReplies.UNREACHABLE.bytes.toString())
  assert.equal(await client.closed(), 'fin')
  assert.equal(client.log.length, localReplies.UNREACHABLE.bytes.length)
  await client.end()
  const session = await rig.recorder.ended(index)
  assert.deepEqual([session.one('dial').error, session.one('dial').detail], [error, detail])
  assert.equal(session.one('session-close').reason, 'dial_failed')
  return session
}

/** The same. Returns the time that it took, in milliseconds. */
async function waitUntilUnreachable(rig: DialRig, failure: Failure): Promise<number> {
  const began = performance.now()
  await isUnreachable(rig, failure)
  return performance.now() - began
}

describe('An upstream that cannot be reached', () => {
  test('a closed port: a 421 4.4.1 immediately, and a FIN (GRT-06)', async () => {
    using resources = new OpenResources()
    {
      await using rig = await startDialRig([`127.0.0.1:${await freePort()}`], trust)
      const refused = { error: 'connect_refused', detail: 'ECONNREFUSED' } as const
      const session = await isUnreachable(rig, refused)
      const waits = [await waitUntilUnreachable(rig, refused), await waitUntilUnreachable(rig, refused)]
      // the faster of two, so that one stall of the machine does not count as a wait
      assert.ok(Math.min(...waits) < 1500, `${waits} ms`)
      assert.deepEqual(Object.keys(session.one('dial').phases), ['resolve', 'connect', 'total'])
      assert.equal(session.one('dial').peerAddress, undefined)
    }
    await resources.allClosed('the refused dial')
  })

  test('an address that drops all packets: a 421 after PROXY_DIAL_TIMEOUT, and the socket is closed (GRT-07)', async () => {
    await using hole = await openBlackHole('127.0.0.2')
    using resources = new OpenResources()
    {
      await using rig = await startDialRig([`127.0.0.2:${hole.port}`], trust, { env: { PROXY_DIAL_TIMEOUT: '1s' } })
      const session = await isUnreachable(rig, { error: 'connect_timeout' })
      const { total = 0 } = session.one('dial').phases
      assert.ok(total >= 995 && total < 5000, `${total} ms`)
    }
    await resources.allClosed('the silent dial')
  })

  /** Failures of the resolver. The client always gets the same reply; the events differ. */
  const RESOLVERS: readonly (readonly [string, Answer, string | undefined])[] = [
    ['there is no such name', 'ENOTFOUND', 'ENOTFOUND'],
    ['the resolver failed', 'EAI_AGAIN', 'EAI_AGAIN'],
    ['the resolver does not answer', new Promise(() => {}), undefined],
  ]
  for (const [index, [what, answer, detail]] of RESOLVERS.entries()) {
    test(`${what}: a 421 without the name (GRT-08)`, async () => {
      const name = `resolver-${index}.test`
      using resources = new OpenResources()
      using names = new Names({ [name]: answer })
      {
        await using rig = await startDialRig([`${name}:587`], trust, { env: { PROXY_DIAL_TIMEOUT: '300ms' } })
        const session = await isUnreachable(rig, { error: 'resolve_failed', ...(detail && { detail }) })
        assert.deepEqual(Object.keys(session.one('dial').phases), ['resolve', 'total'])
        assert.deepEqual(names.asked, [name])
      }
      await resources.allClosed(what)
    })
  }

  test('waiting sessions share one lookup of a slow resolver, which may fail after they have ended (GRT-08)', async () => {
    const { promise, reject } = Promise.withResolvers<string[]>()
    using names = new Names({ 'mail.test': promise })
    await using rig = await startDialRig(['mail.test:587'], trust, { env: { PROXY_DIAL_TIMEOUT: '300ms' } })
    const failing = Array.from({ length: 5 }, async () => {
      const client = await rig.connect()
      assert.equal(await client.readReply(), localReplies.UNREACHABLE.bytes.toString())
      await client.end()
    })
    await Promise.all(failing)
    assert.deepEqual(names.asked, ['mail.test'])
    reject(new Error('after all sessions'))
    await promise.catch(() => {})
    names.set('mail.test', 'ENOTFOUND')
    await isUnreachable(rig, { error: 'resolve_failed', detail: 'ENOTFOUND' })
    assert.deepEqual(names.asked, ['mail.test', 'mail.test'], 'the next session asks again')
  })
})

/** A client that got its greeting through the proxy. */
async function isGreeted(client: Peer, peer: Peer): Promise<void> {
  await playPreamble(peer, { identity: trust.identity })
  assert.equal(await client.readReply(), '220 mail.example ESMTP\r\n')
}

/** A command and its reply pass between client and upstream. */
async function talks(client: Peer, peer: Peer): Promise<void> {
  await client.send('NOOP\r\n')
  assert.equal(await peer.readLine(), 'NOOP\r\n')
  await peer.send('250 ok\r\n')
  assert.equal(await client.readReply(), '250 ok\r\n')
}

describe('A name with several addresses', () => {
  test('the session works over the second address if the first refuses (GRT-09)', async () => {
    using _names = new Names({ 'mail.test': ['127.0.0.2', '127.0.0.1'] })
    await using scene = await startScene(trust, { host: 'mail.test' })
    const { client, peer } = await scene.meet()
    await isGreeted(client, peer)
    await talks(client, peer)
    assert.equal(peer.tls?.servername, 'mail.test')
    assert.equal(scene.upstream.connections, 1)
    assert.equal(scene.recorder.sessions[0]!.one('dial').peerAddress, '127.0.0.1')
  })

  test('new sessions follow the name, and old ones continue, also while the name does not resolve (REL-11)', async () => {
    using names = new Names({ 'mail.test': ['127.0.0.1'] })
    using clock = new Clock()
    const env = { PROXY_IDLE_TIMEOUT: '24h' }
    await using scene = await startScene(trust, { host: 'mail.test', env })
    const old = await scene.meet()
    await isGreeted(old.client, old.peer)
    names.set('mail.test', ['127.0.0.2'])
    clock.passes(ANSWER_MS)
    await isUnreachable(scene, { error: 'connect_refused', detail: 'ECONNREFUSED' })
    names.set('mail.test', 'ENOTFOUND')
    clock.passes(ANSWER_MS)
    await isUnreachable(scene, { error: 'connect_refused', detail: 'ECONNREFUSED' })
    clock.passes(MISSING_MS)
    await isUnreachable(scene, { error: 'resolve_failed', detail: 'ENOTFOUND' })
    names.set('mail.test', ['127.0.0.1'])
    const next = await scene.meet()
    await isGreeted(next.client, next.peer)
    await talks(next.client, next.peer)
    await talks(old.client, old.peer)
    assert.equal(scene.upstream.connections, 2)
  })
})

describe('Address families', () => {
  for (const [listen, host] of [
    ['[::1]', '127.0.0.1'],
    ['127.0.0.1', '::1'],
  ] as const) {
    test(`a message from a listener on ${listen} to an upstream at ${host} (GRT-14)`, async () => {
      await using simulator = await startSimulator({ host, keepBodies: true })
      const upstream = `${net.isIPv6(host) ? `[${host}]` : host}:${simulator.port}`
      await using rig = await startDialRig([upstream], undefined, {
        env: { PROXY_LISTEN: `smtp://${listen}:0`, PROXY_UPSTREAM_CA_FILE: simulator.caFile },
      })
      const client = nodemailer.createTransport({
        host: listen.replace(/[[\]]/g, ''),
        port: rig.port,
        auth: DEFAULT_ACCOUNT,
      })
      const sent = await client.sendMail({ from: 'a@example.com', to: 'b@example.net', subject: 's', text: 'Hello.' })
      client.close()
      assert.match(sent.response, /^250 /)
      assert.equal(simulator.ledger.messages.length, 1)
      const session = await rig.recorder.closed()
      assert.equal(session.one('dial').peerAddress, host)
      assert.equal(session.one('tx-commit').outcome, 'accepted')
    })
  }
})

describe('A slow upstream', () => {
  test('greets late, but within PROXY_DIAL_TIMEOUT: a client library waits and then sends (GRT-03)', async () => {
    await using simulator = await startSimulator({ faults: { 'slow-700-at-greeting': {} } })
    await using rig = await startDialRig([`localhost:${simulator.port}`], undefined, {
      env: { PROXY_UPSTREAM_CA_FILE: simulator.caFile },
    })
    const client = nodemailer.createTransport({ host: '127.0.0.1', port: rig.port, auth: DEFAULT_ACCOUNT })
    const sent = await client.sendMail({ from: 'a@example.com', to: 'b@example.net', subject: 's', text: 'Hello.' })
    client.close()
    assert.match(sent.response, /^250 /)
    const { at, end } = (await rig.recorder.closed()).one('greeting')
    assert.ok(end - at >= 695 && end - at < 9000, `${end - at} ms`)
  })
})

describe('An upstream that is the proxy itself', () => {
  test('is refused at start if the configuration shows it (GRT-15)', () => {
    for (const host of ['127.0.0.1', 'localhost']) {
      const parsed = parseConfig({ PROXY_LISTEN: 'smtp://127.0.0.1:2525', PROXY_UPSTREAM: `smtp://${host}:2525` })
      assert.ok('mistakes' in parsed && parsed.mistakes.some((mistake) => mistake.startsWith('PROXY_UPSTREAM')))
    }
  })

  test('behind a name is a loop that PROXY_MAX_SESSIONS ends: the client gets a 421, and no session is left (GRT-15)', async () => {
    using _names = new Names({ 'mail.test': ['127.0.0.1'] })
    using resources = new OpenResources()
    {
      const port = await freePort()
      await using rig = await startDialRig([`mail.test:${port}`], trust, {
        env: { PROXY_LISTEN: `smtp://127.0.0.1:${port}`, PROXY_MAX_SESSIONS: '20' },
      })
      const client = await rig.connect()
      assert.equal(await client.readReply(), localReplies.SESSION_LIMIT.bytes.toString())
      assert.equal(await client.closed(), 'fin')
      await client.end()
      await rig.recorder.closed(21)
      assert.equal(rig.recorder.sessions.length, 21)
    }
    await resources.allClosed('the loop')
  })
})
