/** When TLS sessions of upstreams are resumed, and when they are not. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import * as tls from 'node:tls'
import type { Dial } from '../../../proxy/events/dial.ts'
import * as localReplies from '../../../proxy/session/local-replies.ts'
import { Dialer, type DialledUpstream } from '../../../proxy/upstream/dialer.ts'
import { type Scene, startScene } from '../../support/in-process/dial-rig.ts'
import { Names } from '../../support/in-process/resolver.ts'
import { makeTrust, type Trust } from '../../support/in-process/trust.ts'
import { type Peer, ScriptedUpstream } from '../../support/sockets/scripted-peers.ts'
import { makeAuthority, makeSelfSigned } from '../../support/tls/certificates.ts'
import { hasOpenssl, startOpensslUpstream } from '../../support/tls/openssl-upstream.ts'
import { identityOf, isRefused, notAfterOf, secureWith, talks } from '../../support/tls/tls-upstream.ts'

const HOUR_MS = 60 * 60 * 1000
const DAY_MS = 24 * HOUR_MS
const NEVER = new AbortController().signal

let trust: Trust
before(async () => {
  trust = await makeTrust()
})
after(() => trust.remove())

/** One session that relays a command and ends. Returns its dial. */
async function session(scene: Scene, context: tls.SecureContext): Promise<Dial> {
  const index = scene.recorder.sessions.length
  const { client, peer } = await scene.meet()
  await secureWith(peer, context)
  await talks(client, peer)
  const dial = scene.recorder.sessions[index]!.one('dial')
  assert.equal(peer.tls?.isSessionReused(), dial.resumed)
  await client.end()
  await peer.closed()
  await peer.end()
  await scene.recorder.ended(index)
  return dial
}

/** One upstream, and a dialer whose clock the test sets. */
interface ClockedDialer {
  /** Dials at this time of the clock, to an upstream that uses `context` for TLS. */
  dialled(at: number, context: tls.SecureContext): Promise<Dial>
  [Symbol.asyncDispose](): Promise<void>
}

async function startClockedDialer({ caFile }: Trust): Promise<ClockedDialer> {
  let time = 0
  const upstream = await ScriptedUpstream.start()
  const dialer = new Dialer(caFile, () => time)
  return {
    async dialled(at, context) {
      time = at
      const dialing = dialer.dial({ host: 'localhost', port: upstream.port, tls: true }, 5000, NEVER)
      const peer = await upstream.accept()
      await secureWith(peer, context)
      const { dial, connection } = await dialing
      assert.ok(connection, dial.error)
      await readsTickets(peer, connection)
      connection.socket.destroy()
      return dial
    },
    [Symbol.asyncDispose]: () => upstream.close(),
  }
}

/** Waits until the tickets were read: the upstream's next bytes arrive after them. */
async function readsTickets(peer: Peer, connection: DialledUpstream): Promise<void> {
  await Promise.all([peer.send('250 ok\r\n'), once(connection.socket, 'data')])
}

/** The ticket in a TLS 1.3 ClientHello (RFC 8446 4.1.2, 4.2.11), in hexadecimal. */
function ticketIn(hello: Buffer): string | undefined {
  let at = 5 + 4 + 2 + 32 // headers of the record and the message, version, random
  at += 1 + hello.readUInt8(at) // session id
  at += 2 + hello.readUInt16BE(at) // cipher suites
  at += 1 + hello.readUInt8(at) // compression methods
  const end = at + 2 + hello.readUInt16BE(at)
  for (at += 2; at < end; at += 4 + hello.readUInt16BE(at + 2)) {
    if (hello.readUInt16BE(at) !== 41) continue
    return hello.subarray(at + 8, at + 8 + hello.readUInt16BE(at + 6)).toString('hex')
  }
  return undefined
}

describe('The TLS session of the last connection', () => {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    test(`is resumed by each next one, which still reports the certificate's expiry (${version}) (TLU-11)`, async () => {
      const context = tls.createSecureContext({ ...trust.identity, minVersion: version, maxVersion: version })
      await using scene = await startScene(trust)
      const dials: Dial[] = []
      for (let turn = 0; turn < 10; turn += 1) dials.push(await session(scene, context))
      assert.deepEqual(
        dials.map((dial) => dial.resumed),
        [false, ...Array.from({ length: 9 }, () => true)],
      )
      for (const dial of dials) {
        assert.deepEqual([dial.tlsProtocol, dial.error], [version, undefined])
        assert.equal(dial.certificateNotAfter, notAfterOf(trust.identity))
      }
    })

    test(`is replaced by a full handshake if the upstream forgot it (${version}) (TLU-11)`, async () => {
      const versions = { minVersion: version, maxVersion: version } as const
      const another = identityOf(await (await makeAuthority('Another Authority')).issue({}))
      await using scene = await startScene(trust)
      await session(scene, tls.createSecureContext({ ...trust.identity, ...versions }))
      const dial = await session(scene, tls.createSecureContext({ ...trust.identity, ...versions }))
      assert.equal(dial.resumed, false)
      const { client, peer } = await scene.meet()
      await isRefused(peer, tls.createSecureContext({ ...another, ...versions }))
      assert.equal(await client.readReply(), localReplies.UNTRUSTED.bytes.toString())
      assert.equal(peer.log.length, 0)
      await client.end()
    })

    test(`is not kept if the certificate was not trusted (${version}) (TLU-11)`, async () => {
      const context = tls.createSecureContext({
        ...identityOf(await makeSelfSigned({})),
        minVersion: version,
        maxVersion: version,
      })
      await using scene = await startScene(trust)
      for (let turn = 0; turn < 3; turn += 1) {
        const { client, peer } = await scene.meet()
        await isRefused(peer, context)
        assert.equal(peer.tls?.isSessionReused(), false)
        assert.equal(await client.readReply(), localReplies.UNTRUSTED.bytes.toString())
        await client.end()
        const { error, resumed } = (await scene.recorder.ended(turn)).one('dial')
        assert.deepEqual([error, resumed], ['tls_untrusted', false])
      }
    })

    test(`belongs to one host and port (${version}) (TLU-11)`, async () => {
      using _names = new Names({ localhost: ['127.0.0.1'], 'other.test': ['127.0.0.1'] })
      const context = tls.createSecureContext({ ...trust.identity, minVersion: version, maxVersion: version })
      const upstreams = [await ScriptedUpstream.start(), await ScriptedUpstream.start()] as const
      const dialer = new Dialer(trust.caFile)
      const dialed = async (host: string, upstream: ScriptedUpstream) => {
        const dialing = dialer.dial({ host, port: upstream.port, tls: true }, 5000, NEVER)
        const peer = await upstream.accept()
        await secureWith(peer, context).catch(() => {})
        const { dial, connection } = await dialing
        if (!connection) return dial.error
        await readsTickets(peer, connection)
        connection.socket.destroy()
        return dial.resumed
      }
      assert.equal(await dialed('localhost', upstreams[0]), false)
      assert.equal(await dialed('localhost', upstreams[0]), true)
      assert.equal(await dialed('localhost', upstreams[1]), false, 'another port')
      assert.equal(await dialed('127.0.0.1', upstreams[0]), false, 'another host')
      assert.equal(await dialed('other.test', upstreams[0]), 'tls_untrusted', 'a host that the certificate is not for')
      assert.equal(await dialed('localhost', upstreams[0]), true)
      for (const upstream of upstreams) await upstream.close()
    })
  }

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    test(`is resumed for a day at most, so that a renewed certificate is seen (${version}) (TLU-11)`, async () => {
      const versions = { minVersion: version, maxVersion: version, ticketKeys: randomBytes(48) }
      const renewed = identityOf(await trust.authority.issue({ notAfter: new Date(Date.now() + 90 * DAY_MS) }))
      await using clocked = await startClockedDialer(trust)
      const old = tls.createSecureContext({ ...trust.identity, ...versions })
      const next = tls.createSecureContext({ ...renewed, ...versions })
      const dials = [
        await clocked.dialled(0, old),
        await clocked.dialled(12 * HOUR_MS, old),
        await clocked.dialled(DAY_MS - 1, next),
        await clocked.dialled(DAY_MS, next),
        await clocked.dialled(2 * DAY_MS - 1, next),
        await clocked.dialled(2 * DAY_MS, next),
      ]
      assert.deepEqual(
        dials.map(({ resumed }) => resumed),
        [false, true, true, false, true, false],
      )
      const ends = [trust.identity, trust.identity, trust.identity, renewed, renewed, renewed]
      assert.deepEqual(
        dials.map(({ certificateNotAfter }) => certificateNotAfter),
        ends.map(notAfterOf),
      )
    })
  }

  test('is resumed for a day at most, even if each resumption issues a new ticket (TLU-11)', async (context) => {
    if (!(await hasOpenssl())) return context.skip('openssl is not installed')
    const upstream = await startOpensslUpstream(trust.certFile, trust.keyFile)
    context.after(() => upstream.close())
    let time = 0
    const dialer = new Dialer(trust.caFile, () => time)
    const dialled = async (at: number) => {
      time = at
      const { dial, connection } = await dialer.dial({ host: 'localhost', port: upstream.port, tls: true }, 5000, NEVER)
      assert.ok(connection, dial.error)
      let tickets = 0
      connection.socket.on('session', () => {
        tickets += 1
      })
      upstream.say('250 ok')
      await once(connection.socket, 'data')
      connection.socket.destroy()
      return [dial.resumed, tickets > 0]
    }
    assert.deepEqual(await dialled(0), [false, true])
    assert.deepEqual(await dialled(DAY_MS - 1), [true, true])
    assert.deepEqual(await dialled(DAY_MS), [false, true])
    assert.deepEqual(await dialled(2 * DAY_MS - 1), [true, true])
  })

  test('is another one for each dial if the upstream issues enough of them (RFC 8446 C.4)', async (context) => {
    if (!(await hasOpenssl())) return context.skip('openssl is not installed')
    const upstream = await startOpensslUpstream(trust.certFile, trust.keyFile)
    context.after(() => upstream.close())
    const dialer = new Dialer(trust.caFile)
    const resumed: boolean[] = []
    for (let number = 0; number < 10; number += 1) {
      const { dial, connection } = await dialer.dial({ host: 'localhost', port: upstream.port, tls: true }, 5000, NEVER)
      assert.ok(connection, dial.error)
      upstream.say('250 ok')
      await once(connection.socket, 'data')
      connection.socket.destroy()
      resumed.push(dial.resumed)
    }
    assert.deepEqual(resumed, [false, ...Array.from({ length: 9 }, () => true)])
    const [first, ...tickets] = upstream.hellos.map(ticketIn)
    assert.equal(first, undefined)
    assert.equal(new Set(tickets).size, 9, 'no ticket was used twice')
  })

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    test(`is resumed by all dials of a burst, although there are fewer sessions than dials (${version})`, async () => {
      const context = tls.createSecureContext({ ...trust.identity, minVersion: version, maxVersion: version })
      await using scene = await startScene(trust)
      await session(scene, context)
      const clients = await Promise.all(Array.from({ length: 20 }, () => scene.connect()))
      const peers = await Promise.all(clients.map(() => scene.upstream.accept()))
      await Promise.all(peers.map((peer) => secureWith(peer, context)))
      for (const client of clients) assert.equal(await client.readReply(), '220 mail.example ESMTP\r\n')
      const dials = scene.recorder.dials.slice(1)
      assert.deepEqual([dials.length, dials.filter((dial) => dial.resumed).length], [20, 20])
      for (const client of clients) client.destroy()
    })
  }

  test('is not resumed after the certificate has expired: running sessions continue, new ones fail closed (REL-10)', async () => {
    const notAfter = new Date(Math.ceil(Date.now() / 1000 + 5) * 1000) // whole seconds; until then two sessions begin
    const context = tls.createSecureContext(identityOf(await trust.authority.issue({ notAfter })))
    await using scene = await startScene(trust)
    const running = await scene.meet()
    await secureWith(running.peer, context)
    await talks(running.client, running.peer)
    assert.equal((await session(scene, context)).resumed, true)
    await pause(notAfter.getTime() - Date.now() + 50)
    const { client, peer } = await scene.meet()
    await isRefused(peer, context)
    assert.equal(await client.readReply(), localReplies.UNTRUSTED.bytes.toString())
    await client.end()
    const { error, detail } = (await scene.recorder.ended(2)).one('dial')
    assert.deepEqual([error, detail], ['tls_untrusted', 'CERT_HAS_EXPIRED'])
    await running.client.send('NOOP\r\n')
    assert.equal(await running.peer.readLine(), 'NOOP\r\n')
  })
})
