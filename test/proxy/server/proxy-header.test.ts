/** PROXY protocol headers: from which peers they are required, what they change, and which ones are refused. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ProxyHeaderFault } from '../../../proxy/events/closed-sets.ts'
import { crc32c, MAX_V2_BLOCK } from '../../../proxy/net/proxy-protocol.ts'
import { BEHIND_A_BALANCER, isRefused, open, openFor, v1 } from '../../support/in-process/admission-rig.ts'
import type { ClientRig } from '../../support/in-process/client-rig.ts'
import { TamperingRelay } from '../../support/sockets/tampering-relay.ts'

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')

/** Version 2: PROXY or LOCAL over TCP4 from 192.0.2.7 port 4711, with TLVs. */
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

/** Waits until the end of the first session was reported. */
async function closedSession(rig: ClientRig): Promise<void> {
  while (rig.recorder.sessions[0]?.all('session-close').length !== 1) await new Promise((turn) => setTimeout(turn, 1))
  await rig.quiet()
}

describe('A PROXY header from a trusted load balancer', () => {
  const headers: readonly (readonly [what: string, header: string | Buffer, source: string, name: string])[] = [
    ['version 1, TCP4 (PXP-01)', v1('192.0.2.7'), '192.0.2.7 4711', 'billing'],
    ['version 1, TCP6 (PXP-01)', v1('2001:db8::7', 'TCP6'), '2001:db8::7 4711', 'other'],
    ['version 1, UNKNOWN (PXP-01)', 'PROXY UNKNOWN\r\n', 'peer', 'other'],
    ['version 2, PROXY (PXP-02)', v2('PROXY'), '192.0.2.7 4711', 'billing'],
    ['version 2 with TLVs and their checksum (PXP-02)', v2WithChecksum(), '192.0.2.7 4711', 'billing'],
    ['version 2, LOCAL (PXP-02)', v2('LOCAL'), 'peer', 'other'],
  ]
  for (const [what, header, source, name] of headers) {
    test(`determines the client, and does not reach the upstream: ${what}`, async (context) => {
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

  test('with the first command in the same segment: no byte is lost (PXP-03)', async (context) => {
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

  test('byte by byte, including the first command (PXP-03)', async (context) => {
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
    test(`${what}, before the TLS hello (PXP-08)`, async (context) => {
      const rig = await open(context, BEHIND_A_BALANCER, 'smtps')
      const session = await rig.greeted({ header })
      await session.goesOn()
      assert.equal(session.recorded.one('session-open').clientAddress, '192.0.2.7')
      await session.end()
    })

    test(`${what}, with the TLS hello in the same segment (PXP-08)`, async (context) => {
      const rig = await open(context, BEHIND_A_BALANCER, 'smtps')
      const relay = await TamperingRelay.open(rig.port)
      relay.tamper({ kind: 'in-front', bytes: Buffer.from(header as string, 'latin1') })
      const session = await rig.greeted({ port: relay.port })
      await session.goesOn()
      assert.equal(session.recorded.one('session-open').clientAddress, '192.0.2.7')
      await session.end()
      await relay.close()
    })
  }
})

describe('If a PROXY header is required', () => {
  test('a health check that sends only a header is reported as a client that closed', async (context) => {
    const rig = await open(context, BEHIND_A_BALANCER)
    const client = await rig.client()
    await client.send(v2('LOCAL'))
    await client.end()
    await closedSession(rig)
    const { by, reason } = rig.recorder.sessions[0]!.one('session-close')
    assert.deepEqual([by, reason], ['client', 'client_closed'])
    client.destroy()
  })

  test('a connection without a complete header that a drain cuts is reported as drained', async (context) => {
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
  const refused: readonly (readonly [what: string, bytes: string | Buffer, fault: ProxyHeaderFault])[] = [
    ['a wrong checksum (PXP-02)', v2WithChecksum(1), 'bad_checksum'],
    ['SMTP instead (PXP-05)', 'EHLO app\r\n', 'no_header'],
    ['version 1 without an end (PXP-06)', `PROXY TCP4 ${'1'.repeat(200)}`, 'header_too_long'],
    ['version 2 that announces 65,535 bytes, before they arrive (PXP-06)', v2TooLong, 'header_too_long'],
    ['version 2 that is too long (PXP-06)', Buffer.concat([v2TooLong, Buffer.alloc(MAX_V2_BLOCK)]), 'header_too_long'],
    ['version 3 (PXP-10)', Buffer.concat([SIGNATURE, Buffer.from([0x31])]), 'unsupported'],
    ['version 1 with an additional port (PXP-10)', 'PROXY TCP4 192.0.2.7 198.51.100.1 4711 25 25\r\n', 'malformed'],
    ['a TLS hello instead (PXP-05)', Buffer.from('160301020001', 'hex'), 'no_header'],
  ]
  for (const [what, bytes, fault] of refused) {
    test(`closed without a reply: ${what}`, async (context) => {
      const rig = await open(context, BEHIND_A_BALANCER)
      const client = await rig.client()
      await client.send(bytes)
      await isRefused(rig, client, '')
      await rig.quiet()
      const { by, reason, detail } = rig.recorder.sessions[0]!.one('session-close')
      assert.deepEqual([by, reason, detail], ['proxy', 'proxy_header', fault])
    })
  }

  for (const [what, bytes] of [
    ['no byte', ''],
    ['half a header', v1('192.0.2.7').slice(0, 20)],
    ['half a header of version 2', v2('PROXY').subarray(0, 20)],
  ] as const) {
    test(`${what}, and then silence: closed without a reply after the time limit (PXP-05)`, async (context) => {
      const limits = { proxyHeaderMs: 100 }
      const rig = await openFor(context, { listener: 'plain', env: BEHIND_A_BALANCER, limits })
      const began = performance.now()
      const client = await rig.client()
      if (bytes.length > 0) await client.send(bytes)
      await isRefused(rig, client, '')
      assert.ok(performance.now() - began > 80, 'not before the time limit')
      await rig.quiet()
      const { reason, detail } = rig.recorder.sessions[0]!.one('session-close')
      assert.deepEqual([reason, detail], ['proxy_header', 'timeout'])
    })

    for (const [leave, silently] of [
      ['end', 'client_closed'],
      ['reset', 'client_reset'],
    ] as const) {
      test(`${what}, and then ${leave}: the session ends without a dial (PXP-07)`, async (context) => {
        const rig = await open(context, BEHIND_A_BALANCER)
        const client = await rig.client()
        if (bytes.length > 0) await client.send(bytes)
        await client[leave]()
        await closedSession(rig)
        client.destroy()
        assert.equal(rig.upstream.connections, 0)
        const { by, reason, detail } = rig.recorder.sessions[0]!.one('session-close')
        if (bytes.length > 0) assert.deepEqual([by, reason, detail], ['proxy', 'proxy_header', 'incomplete'])
        else assert.deepEqual([by, reason, detail], ['client', silently, undefined])
      })
    }
  }
})

describe('If no PROXY header is expected', () => {
  for (const [what, header] of [
    ['version 1', v1('192.0.2.7')],
    ['version 2', v2('PROXY')],
  ] as const) {
    test(`a header of ${what} is relayed like an unknown command (PXP-04)`, async (context) => {
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
