/**
 * RFC 3207 4.2: after STARTTLS the server discards what it learned from the client before, such as the argument of EHLO.
 * The upstream never sees the client's STARTTLS, so the proxy requires a new EHLO: a name that an attacker between client
 * and proxy sent unencrypted must not stay in effect.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import * as localReplies from '../../../proxy/session/local-replies.ts'
import { ask } from '../../simulator/client.ts'
import { startSimulator } from '../../simulator/simulator.ts'
import { ClientRig, ehloReply, type GreetedSession } from '../../support/in-process/client-rig.ts'
import { connectClient, startTls } from '../../support/sockets/scripted-peers.ts'

const EHLO_FIRST = localReplies.EHLO_FIRST.bytes.toString('latin1')
const MAIL = 'MAIL FROM:<a@example.com>\r\n'

let rig: ClientRig
before(async () => {
  rig = await ClientRig.open({ listener: 'starttls' })
})
after(() => rig.close())

/** Runs `use` with a session that sent EHLO unencrypted and is inside TLS now; makes sure that nothing of it is left. */
async function secured(use: (session: GreetedSession) => Promise<void>): Promise<void> {
  const session = await rig.greeted()
  try {
    await session.ehlo()
    await session.startTls()
    await use(session)
  } finally {
    await session.end()
  }
}

describe('After STARTTLS, and before an EHLO inside TLS (TLC-26)', () => {
  for (const line of [
    'AUTH PLAIN AGEAYg==',
    'MAIL FROM:<a@b.c>',
    'RCPT TO:<a@b.c>',
    'DATA',
    'BDAT 3 LAST',
    'FOO',
    '',
  ]) {
    test(`${JSON.stringify(line)} is answered 503 and not relayed, and after the EHLO it is relayed`, () =>
      secured(async (session) => {
        assert.equal(await session.answered(`${line}\r\n`), EHLO_FIRST)
        await session.goesOn()
        await session.ehlo()
        assert.equal(await session.relayed(`${line}\r\n`, '250 fine\r\n'), '250 fine\r\n')
      }))
  }

  for (const line of ['NOOP', 'RSET', 'HELP', 'VRFY x', 'QUIT']) {
    test(`${line} is relayed`, () =>
      secured(async (session) => {
        assert.equal(await session.relayed(`${line}\r\n`, '250 fine\r\n'), '250 fine\r\n')
      }))
  }

  test('a HELO is enough', () =>
    secured(async (session) => {
      await session.relayed('HELO app\r\n', '250 h\r\n')
      assert.equal(await session.relayed(MAIL, '250 ok\r\n'), '250 ok\r\n')
    }))

  test('an EHLO that the upstream refuses is not', () =>
    secured(async (session) => {
      await session.relayed('EHLO ?\r\n', '501 5.5.4 no\r\n')
      assert.equal(await session.answered(MAIL), EHLO_FIRST)
      await session.ehlo()
      assert.equal(await session.relayed(MAIL, '250 ok\r\n'), '250 ok\r\n')
    }))

  test('what is pipelined after an EHLO waits for its reply, and is relayed if the reply accepts', () =>
    secured(async (session) => {
      await session.client.send(`EHLO app\r\n${MAIL}`)
      await session.reaches('EHLO app\r\n')
      assert.equal(session.upstream.log.unread.length, 0)
      await session.upstream.send(ehloReply(['h']))
      assert.equal(await session.client.readReply(), ehloReply(['h']))
      await session.reaches(MAIL)
    }))

  test('and is answered 503 if the reply refuses', () =>
    secured(async (session) => {
      await session.client.send(`EHLO ?\r\n${MAIL}NOOP\r\n`)
      await session.reaches('EHLO ?\r\n')
      await session.upstream.send('501 5.5.4 no\r\n')
      assert.equal(await session.client.readReply(), '501 5.5.4 no\r\n')
      assert.equal(await session.client.readReply(), EHLO_FIRST)
      await session.reaches('NOOP\r\n')
    }))

  test('the same holds byte by byte', () =>
    secured(async (session) => {
      await session.client.trickle(MAIL)
      assert.equal(await session.client.readReply(), EHLO_FIRST)
      await session.goesOn()
    }))

  for (const { half, relayed } of [
    { half: 'EH', relayed: '' },
    { half: 'MAIL FROM:<a@b.c>', relayed: '' },
    { half: 'EHLO app', relayed: 'EHLO app' },
    { half: 'NOOP', relayed: 'NOOP' },
  ]) {
    const fate = relayed === '' ? 'dropped like a line that gets 503' : 'relayed'
    test(`half a line, ${JSON.stringify(half)}, before the FIN of the client is ${fate} (DIS-01)`, () =>
      secured(async (session) => {
        await session.client.send(half)
        await session.client.end()
        assert.equal(await session.upstream.closed(), 'fin')
        assert.equal(session.upstream.log.unread.toString('latin1'), relayed)
        await session.upstream.end()
        assert.equal(await session.client.closed(), 'fin')
        assert.equal(session.client.log.unread.length, 0)
      }))
  }

  test('an opaque session is ended, and nothing is relayed', () =>
    secured(async (session) => {
      await session.upstream.send('250 stray\r\n250 stray\r\n')
      for (let replies = 0; replies < 2; replies += 1) await session.client.readReply()
      await session.client.send(MAIL)
      await session.client.closed()
      await session.upstream.closed()
      assert.equal(session.upstream.log.unread.length, 0)
    }))
})

test('on a listener with TLS from the first byte, the proxy requires no EHLO', async () => {
  const implicit = await ClientRig.open({ listener: 'smtps' })
  const session = await implicit.greeted()
  assert.equal(await session.relayed(MAIL, '503 5.5.1 hello?\r\n'), '503 5.5.1 hello?\r\n')
  await session.end()
  await implicit.close()
})

test('the simulated AhaSend gives a client that connects directly the same code', async () => {
  await using simulator = await startSimulator()
  const client = await connectClient({ port: simulator.port })
  await client.readReply()
  await ask(client, 'EHLO app.example')
  await startTls(client, { ca: simulator.caPem, servername: 'localhost' })
  assert.match(await ask(client, MAIL.trimEnd()), /^503 /)
  assert.match(await ask(client, 'NOOP'), /^250 /)
  client.destroy()
})
