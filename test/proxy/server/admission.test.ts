/** Who may come in, how many at a time, and whose word about a client is believed. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { ProxyHeaderFault } from '../../../proxy/events/closed-sets.ts'
import { crc32c, MAX_V2_BLOCK } from '../../../proxy/net/proxy-protocol.ts'
import { ClientRig, type ClientRigOptions, type GreetedSession, type Listener } from '../../support/client-rig.ts'
import type { Peer } from '../../support/peers.ts'
import { TamperingRelay } from '../../support/tampering-relay.ts'

const LIMIT = '421 4.3.2 ahasend-smtp-proxy: too many connections, try again later\r\n'
const NOT_ALLOWED = '421 4.7.0 ahasend-smtp-proxy: your address may not use this proxy\r\n'

/** From this machine a header is required and believed; the clients behind it come from documentation networks. */
const BEHIND_A_BALANCER = {
  PROXY_TRUST_PROXY_PROTOCOL: '127.0.0.1/32',
  PROXY_ALLOW: '127.0.0.0/8,192.0.2.0/24,2001:db8::/32',
  PROXY_CLIENTS: 'billing=192.0.2.0/24',
}

async function open(context: TestContext, env: Record<string, string>, listener: Listener = 'plain') {
  return await openFor(context, { listener, env })
}

async function openFor(context: TestContext, options: ClientRigOptions) {
  const rig = await ClientRig.open(options)
  context.after(() => rig.close())
  return rig
}

/** The client reads this and a FIN, and nobody dialled the upstream for it. */
async function isTurnedAway(rig: ClientRig, client: Peer, word: string): Promise<void> {
  const { connections } = rig.upstream
  await client.closed()
  assert.equal(client.log.all.toString('latin1'), word)
  client.destroy()
  assert.equal(rig.upstream.connections, connections)
}

function v1(source: string, family: 'TCP4' | 'TCP6' = 'TCP4'): string {
  return `PROXY ${family} ${source} ${family === 'TCP4' ? '198.51.100.1' : '2001:db8::25'} 4711 25\r\n`
}

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')

/** Version 2: PROXY (or LOCAL) over TCP4 from 192.0.2.7 port 4711, and TLVs. */
function v2(command: 'PROXY' | 'LOCAL', tlvs: Buffer = Buffer.alloc(0)): Buffer {
  const fixed = Buffer.from([command === 'PROXY' ? 0x21 : 0x20, 0x11, 0, 12 + tlvs.length])
  const addresses = Buffer.from([192, 0, 2, 7, 198, 51, 100, 1, 4711 >> 8, 4711 & 0xff, 0, 25])
  return Buffer.concat([SIGNATURE, fixed, addresses, tlvs])
}

/** Version 2 with an ALPN and a CRC32c TLV, whose value is off by `error`. */
function v2WithChecksum(error = 0): Buffer {
  const header = v2('PROXY', Buffer.from([0x01, 0, 2, 0x68, 0x32, 0x03, 0, 4, 0, 0, 0, 0]))
  header.writeUInt32BE((crc32c(header) + error) >>> 0, header.length - 4)
  return header
}

describe('PROXY_ALLOW', () => {
  test('turns others away with a 421, and nobody is dialled', async (context) => {
    const rig = await open(context, { PROXY_ALLOW: '192.0.2.0/24' })
    await isTurnedAway(rig, await rig.client(), NOT_ALLOWED)
    await rig.quiet()
    const [session] = rig.recorder.sessions
    assert.equal(session?.one('session-close').reason, 'not_allowed')
    assert.deepEqual(session?.one('greeting').reply.cause, 'not_allowed')
  })

  test('closes without a reply on a listener with TLS from the first byte, and reports why', async (context) => {
    const rig = await open(context, { PROXY_ALLOW: '192.0.2.0/24' }, 'smtps')
    await isTurnedAway(rig, await rig.client(), '')
    await rig.quiet()
    const [session] = rig.recorder.sessions
    assert.equal(session?.one('session-close').reason, 'not_allowed')
    assert.deepEqual(session?.all('greeting'), [], 'there was no reply to count')
  })

  test('looks at the address that a trusted header names', async (context) => {
    const rig = await open(context, { ...BEHIND_A_BALANCER, PROXY_ALLOW: '192.0.2.0/24' })
    const session = await rig.greeted({ header: v1('192.0.2.7') })
    await session.end()
    const stranger = await rig.client()
    await stranger.send(v1('203.0.113.9'))
    await isTurnedAway(rig, stranger, NOT_ALLOWED)
  })
})

describe('PROXY_MAX_SESSIONS', () => {
  test('turns away those above it; the others go on, and who comes after one has left is served (MEM-02)', async (context) => {
    const rig = await open(context, { PROXY_MAX_SESSIONS: '4' })
    const sessions: GreetedSession[] = []
    for (let count = 0; count < 4; count += 1) sessions.push(await rig.greeted())
    for (let count = 0; count < 3; count += 1) await isTurnedAway(rig, await rig.client(), LIMIT)
    for (const session of sessions) await session.goesOn()
    await leaves(rig, sessions.shift()!)
    sessions.push(await rig.greeted())
    await isTurnedAway(rig, await rig.client(), LIMIT)
    for (const session of sessions) await session.goesOn()
    await Promise.all(sessions.map((session) => session.end()))
    const reasons = rig.recorder.sessions.map((session) => session.one('session-close').reason)
    assert.equal(reasons.filter((reason) => reason === 'session_limit').length, 4)
  })

  test('closes without a reply on a listener with TLS from the first byte, and reports why', async (context) => {
    const rig = await open(context, { PROXY_MAX_SESSIONS: '1' }, 'smtps')
    const session = await rig.greeted()
    await isTurnedAway(rig, await rig.client(), '')
    await session.end()
    const refused = rig.recorder.sessions[1]
    assert.equal(refused?.one('session-close').reason, 'session_limit')
    assert.deepEqual(refused?.all('greeting'), [], 'there was no reply to count')
  })

  test('does not count those that it turned away and that linger (MEM-02)', async (context) => {
    const rig = await open(context, { PROXY_MAX_SESSIONS: '1' })
    const session = await rig.greeted()
    const lingering = [await rig.client(), await rig.client()]
    for (const client of lingering) assert.equal(await client.readReply(), LIMIT)
    await leaves(rig, session)
    const next = await rig.greeted()
    for (const client of lingering) client.destroy()
    await next.end()
  })
})

describe('PROXY_MAX_SESSIONS_PER_CLIENT', () => {
  const perClient = { ...BEHIND_A_BALANCER, PROXY_MAX_SESSIONS_PER_CLIENT: '2' }
  const greedy: readonly (readonly [what: string, mine: readonly string[], other: string])[] = [
    ['address', [v1('192.0.2.7'), v1('192.0.2.7'), v1('192.0.2.7')], v1('192.0.2.8')],
    [
      '/64 of IPv6',
      [v1('2001:db8::1', 'TCP6'), v1('2001:db8::2', 'TCP6'), v1('2001:db8::ffff:1', 'TCP6')],
      v1('2001:db8:0:1::1', 'TCP6'),
    ],
  ]
  for (const [what, [first = '', second = '', third = ''], other] of greedy) {
    test(`counts each ${what} for itself (MEM-08)`, async (context) => {
      const rig = await open(context, perClient)
      const one = await rig.greeted({ header: first })
      const two = await rig.greeted({ header: second })
      const refused = await rig.client()
      await refused.send(third)
      await isTurnedAway(rig, refused, LIMIT)
      const neighbour = await rig.greeted({ header: other })
      for (const session of [one, two, neighbour]) await session.goesOn()
      await leaves(rig, one)
      const again = await rig.greeted({ header: third })
      await Promise.all([two, neighbour, again].map((session) => session.end()))
    })
  }
})

/** The session ends, and the proxy has noticed. */
async function leaves(rig: ClientRig, { client, upstream, recorded }: GreetedSession): Promise<void> {
  const before = rig.server.activeSessions
  client.destroy()
  upstream.destroy()
  while (rig.server.activeSessions === before) await new Promise((turn) => setTimeout(turn, 1))
  assert.equal(recorded.all('session-close').length, 1)
}

/** Waits until the first session was reported, and has ended. */
async function closedSession(rig: ClientRig): Promise<void> {
  while (rig.recorder.sessions[0]?.all('session-close').length !== 1) await new Promise((turn) => setTimeout(turn, 1))
  await rig.quiet()
}

describe('A PROXY header of a trusted load balancer', () => {
  const headers: readonly (readonly [what: string, header: string | Buffer, source: string, name: string])[] = [
    ['version 1, TCP4 (PXP-01)', v1('192.0.2.7'), '192.0.2.7 4711', 'billing'],
    ['version 1, TCP6 (PXP-01)', v1('2001:db8::7', 'TCP6'), '2001:db8::7 4711', 'other'],
    ['version 1, UNKNOWN (PXP-01)', 'PROXY UNKNOWN\r\n', 'peer', 'other'],
    ['version 2, PROXY (PXP-02)', v2('PROXY'), '192.0.2.7 4711', 'billing'],
    ['version 2 with TLVs and their checksum (PXP-02)', v2WithChecksum(), '192.0.2.7 4711', 'billing'],
    ['version 2, LOCAL (PXP-02)', v2('LOCAL'), 'peer', 'other'],
  ]
  for (const [what, header, source, name] of headers) {
    test(`names the client, and the upstream does not see it: ${what}`, async (context) => {
      const rig = await open(context, BEHIND_A_BALANCER)
      const session = await rig.greeted({ header })
      await session.goesOn()
      const { clientAddress, clientPort, clientName } = session.recorded.one('session-open')
      if (source === 'peer') assert.equal(clientAddress, '127.0.0.1')
      else assert.equal(`${clientAddress} ${clientPort}`, source)
      assert.equal(clientName, name)
      await session.end()
    })
  }

  test('with the first command in its segment: no octet is lost (PXP-03)', async (context) => {
    const rig = await open(context, BEHIND_A_BALANCER)
    for (const header of [v1('192.0.2.7'), v2('PROXY').toString('latin1'), v2WithChecksum().toString('latin1')]) {
      const session = await rig.greeted({ header: `${header}EHLO glued\r\n` })
      await session.reaches('EHLO glued\r\n')
      await session.upstream.send('250 h\r\n')
      assert.equal(await session.client.readReply(), '250 h\r\n')
      await session.goesOn()
      await session.end()
    }
  })

  test('octet by octet, the first command too (PXP-03)', async (context) => {
    const rig = await open(context, BEHIND_A_BALANCER)
    const relay = await TamperingRelay.open(rig.port)
    relay.tamper({ kind: 'trickle' })
    const session = await rig.greeted({ port: relay.port, header: `${v1('192.0.2.7')}NOOP glued\r\n` })
    await session.reaches('NOOP glued\r\n')
    assert.equal(session.recorded.one('session-open').clientAddress, '192.0.2.7')
    await session.end()
    await relay.close()
  })

  for (const [what, header] of [
    ['version 1', v1('192.0.2.7')],
    ['version 2', v2('PROXY')],
  ] as const) {
    test(`of ${what} comes before the TLS hello (PXP-08)`, async (context) => {
      const rig = await open(context, BEHIND_A_BALANCER, 'smtps')
      const session = await rig.greeted({ header })
      await session.goesOn()
      assert.equal(session.recorded.one('session-open').clientAddress, '192.0.2.7')
      await session.end()
    })

    test(`of ${what} with the TLS hello in its segment (PXP-08)`, async (context) => {
      const rig = await open(context, BEHIND_A_BALANCER, 'smtps')
      const relay = await TamperingRelay.open(rig.port)
      relay.tamper({ kind: 'in-front', octets: Buffer.from(header as string, 'latin1') })
      const session = await rig.greeted({ port: relay.port })
      await session.goesOn()
      assert.equal(session.recorded.one('session-open').clientAddress, '192.0.2.7')
      await session.end()
      await relay.close()
    })
  }
})

describe('Where a PROXY header is required', () => {
  test('a health check that sends a header and leaves is a client that closed', async (context) => {
    const rig = await open(context, BEHIND_A_BALANCER)
    const client = await rig.client()
    await client.send(v2('LOCAL'))
    await client.end()
    await closedSession(rig)
    const { by, reason } = rig.recorder.sessions[0]!.one('session-close')
    assert.deepEqual([by, reason], ['client', 'client_closed'])
    client.destroy()
  })

  test('a connection without one that a drain cuts is drained', async (context) => {
    const rig = await open(context, BEHIND_A_BALANCER)
    const client = await rig.client()
    await client.send('PROXY TCP4 192')
    while (rig.server.activeSessions === 0) await new Promise((turn) => setTimeout(turn, 1))
    await rig.server.close()
    await closedSession(rig)
    assert.equal(rig.recorder.sessions[0]!.one('session-close').reason, 'drained')
    client.destroy()
  })

  const v2TooLong = Buffer.concat([SIGNATURE, Buffer.from([0x21, 0x11, 0xff, 0xff])])
  const refused: readonly (readonly [what: string, octets: string | Buffer, fault: ProxyHeaderFault])[] = [
    ['a wrong checksum (PXP-02)', v2WithChecksum(1), 'bad_checksum'],
    ['SMTP in its place (PXP-05)', 'EHLO app\r\n', 'no_header'],
    ['version 1 that does not end (PXP-06)', `PROXY TCP4 ${'1'.repeat(200)}`, 'header_too_long'],
    ['version 2 of 65,535 bytes, before they come (PXP-06)', v2TooLong, 'header_too_long'],
    [
      'version 2 with more than it may hold (PXP-06)',
      Buffer.concat([v2TooLong, Buffer.alloc(MAX_V2_BLOCK)]),
      'header_too_long',
    ],
    ['version 3 (PXP-10)', Buffer.concat([SIGNATURE, Buffer.from([0x31])]), 'unsupported'],
    ['version 1 with a port too much (PXP-10)', 'PROXY TCP4 192.0.2.7 198.51.100.1 4711 25 25\r\n', 'malformed'],
    ['a TLS hello in its place (PXP-05)', Buffer.from('160301020001', 'hex'), 'no_header'],
  ]
  for (const [what, octets, fault] of refused) {
    test(`closed without a word: ${what}`, async (context) => {
      const rig = await open(context, BEHIND_A_BALANCER)
      const client = await rig.client()
      await client.send(octets)
      await isTurnedAway(rig, client, '')
      await rig.quiet()
      const { by, reason, detail } = rig.recorder.sessions[0]!.one('session-close')
      assert.deepEqual([by, reason, detail], ['proxy', 'proxy_header', fault])
    })
  }

  for (const [what, octets] of [
    ['no octet', ''],
    ['half a header', v1('192.0.2.7').slice(0, 20)],
    ['half a header of version 2', v2('PROXY').subarray(0, 20)],
  ] as const) {
    test(`${what}, and then silence: closed without a word after a while (PXP-05)`, async (context) => {
      const limits = { proxyHeaderMs: 100 }
      const rig = await openFor(context, { listener: 'plain', env: BEHIND_A_BALANCER, limits })
      const began = performance.now()
      const client = await rig.client()
      if (octets.length > 0) await client.send(octets)
      await isTurnedAway(rig, client, '')
      assert.ok(performance.now() - began > 80, 'not before the timer')
      const { reason, detail } = rig.recorder.sessions[0]!.one('session-close')
      assert.deepEqual([reason, detail], ['proxy_header', 'timeout'])
    })

    for (const [leave, silently] of [
      ['end', 'client_closed'],
      ['reset', 'client_reset'],
    ] as const) {
      test(`${what}, and then ${leave}: nothing is left, and nobody is dialled (PXP-07)`, async (context) => {
        const rig = await open(context, BEHIND_A_BALANCER)
        const client = await rig.client()
        if (octets.length > 0) await client.send(octets)
        await client[leave]()
        await closedSession(rig)
        client.destroy()
        assert.equal(rig.upstream.connections, 0)
        const { by, reason, detail } = rig.recorder.sessions[0]!.one('session-close')
        if (octets.length > 0) assert.deepEqual([by, reason, detail], ['proxy', 'proxy_header', 'incomplete'])
        else assert.deepEqual([by, reason, detail], ['client', silently, undefined])
      })
    }
  }
})

describe('Where no PROXY header is expected', () => {
  for (const [what, header] of [
    ['version 1', v1('192.0.2.7')],
    ['version 2', v2('PROXY')],
  ] as const) {
    test(`one of ${what} is nothing but a strange command (PXP-04)`, async (context) => {
      const rig = await open(context, { ...BEHIND_A_BALANCER, PROXY_TRUST_PROXY_PROTOCOL: '192.0.2.0/24' })
      const session = await rig.greeted({ header })
      await session.upstream.readUntil(header)
      await session.upstream.send('500 5.5.1 what is that\r\n')
      assert.equal(await session.client.readReply(), '500 5.5.1 what is that\r\n')
      assert.equal(session.recorded.one('session-open').clientAddress, '127.0.0.1')
      await session.end()
    })
  }
})
