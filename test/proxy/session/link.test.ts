/** The shared state of a session: what each change makes of the answers. No connection is open. */
import assert from 'node:assert/strict'
import net from 'node:net'
import { describe, test } from 'node:test'
import { ClientConnection } from '../../../proxy/connection/client-connection.ts'
import { LIMITS } from '../../../proxy/server/server.ts'
import { Link } from '../../../proxy/session/link.ts'
import { Observation } from '../../../proxy/session/observation.ts'
import type { ClientSecurity } from '../../../proxy/smtp/ehlo.ts'

const GREETING = { bytes: Buffer.from('220 mail.example\r\n'), code: 220 }
const EHLO_REPLY = { bytes: Buffer.from('250 mail.example\r\n'), code: 250 }

function linkWith(security: ClientSecurity): Link {
  const tcp = new net.Socket()
  const server = { host: 'mail.example', port: 25, tls: false }
  return new Link({
    client: new ClientConnection(new net.Socket()),
    upstream: { socket: tcp, tcp, greeting: GREETING, server, refused: false },
    observation: new Observation(
      () => {},
      'none',
      (error) => assert.fail(String(error)),
    ),
    security,
    limits: LIMITS,
    secureContext: () => undefined,
  })
}

/** The client sends EHLO, and the upstream accepts it. */
function identify({ observation }: Link): void {
  observation.fromClient(Buffer.from('EHLO app\r\n'), 0)
  observation.fromUpstream(EHLO_REPLY, 0)
}

describe('A link', () => {
  test('relays until it is stopped', () => {
    const link = linkWith('plain')
    assert.deepEqual([link.over, link.awaitsFinalReply, link.unfinished], [false, false, true])
    link.stop()
    assert.deepEqual([link.over, link.awaitsFinalReply, link.unfinished], [true, false, false])
  })

  test('that awaits a final reply relays nothing, and awaits it also when it is stopped', () => {
    const link = linkWith('plain')
    link.awaitFinalReply()
    assert.deepEqual([link.over, link.awaitsFinalReply, link.unfinished], [true, true, true])
    link.stop()
    assert.deepEqual([link.over, link.awaitsFinalReply, link.unfinished], [true, true, true])
  })

  test('is finished, but not over, once the upstream has ended', () => {
    const link = linkWith('plain')
    link.upstreamEnds()
    assert.deepEqual([link.over, link.upstreamEnded, link.unfinished], [false, true, false])
  })

  for (const [security, offers] of [
    ['plain', false],
    ['starttls-offered', true],
    ['starttls-required', true],
    ['tls', false],
  ] as const) {
    test(`${offers ? 'offers' : 'does not offer'} STARTTLS (${security})`, () =>
      assert.equal(linkWith(security).offersStarttls, offers))
  }

  test('owes an EHLO from the end of the client’s handshake until one is accepted (RFC 3207 4.2)', () => {
    const link = linkWith('starttls-offered')
    identify(link)
    link.beginHandshake()
    assert.deepEqual([link.inHandshake, link.ehloOwed, link.security], [true, false, 'starttls-offered'])
    link.endHandshake()
    link.observation.tls({ getProtocol: () => 'TLSv1.3', getCipher: () => ({ standardName: 'x' }) } as never)
    assert.deepEqual([link.inHandshake, link.ehloOwed, link.security], [false, true, 'tls'])
    identify(link)
    assert.equal(link.ehloOwed, false)
  })

  test('with TLS from the first byte owes no EHLO', () => assert.equal(linkWith('tls').ehloOwed, false))

  test('may be ended for a drain between messages, once it has been quiet and its time has come', () => {
    const link = linkWith('plain')
    const quiet = LIMITS.drainQuietMs
    assert.deepEqual([link.draining, link.mayDrain], [false, false])
    link.drain(1000)
    assert.deepEqual([link.draining, link.mayDrain], [true, true])
    assert.equal(link.mayEndForDrain(999, quiet), false)
    assert.equal(link.mayEndForDrain(1000, quiet - 1), false)
    assert.equal(link.mayEndForDrain(1000, quiet), true)
    link.observation.fromClient(Buffer.from('NOOP\r\n'), 0)
    assert.deepEqual([link.mayDrain, link.mayEndForDrain(1000, quiet)], [false, false])
  })
})
