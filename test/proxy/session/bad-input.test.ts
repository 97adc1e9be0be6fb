/** A client that sends no SMTP, or too much of it: nothing is lost, and nothing is kept. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import * as localReplies from '../../../proxy/session/local-replies.ts'
import { MAX_OWED_REPLIES } from '../../support/in-process/limits.ts'
import { sessionAt } from '../../support/in-process/message-states.ts'
import { retainedBufferBytes } from '../../support/in-process/retained-bytes.ts'
import { drop } from '../../support/in-process/session-end.ts'
import { Stage } from '../../support/in-process/stage.ts'
import type { Peer } from '../../support/sockets/scripted-peers.ts'

const MEBIBYTE = 1024 * 1024

/** Calls `count` for what arrives and keeps none of it: more arrives than a test could hold. */
function watch(upstream: Peer, count: (chunk: Buffer) => void): void {
  upstream.tls?.removeAllListeners('data').on('data', count)
}

describe('A client that speaks no SMTP', () => {
  let stage: Stage
  before(async () => {
    stage = await Stage.open('plain')
  })
  after(() => stage.close())

  const ALL_BYTES = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
  const INPUTS: readonly (readonly [string, Buffer])[] = [
    ['garbage', Buffer.from('fjdksla fjdk\r\nlsa\r\n')],
    ['every byte value', Buffer.concat([ALL_BYTES, Buffer.from('\r\n')])],
    ['a TLS record', Buffer.from('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n', 'latin1')],
    ['the greeting of SSH', Buffer.from('SSH-2.0-OpenSSH_9.6\r\n')],
    ['nothing but line ends', Buffer.from('\r\n\n\r\r\n\r\n')],
    ['nothing but carriage returns', Buffer.from('\r\r\r\r\n')],
    ['NULs', Buffer.concat([Buffer.alloc(2000), Buffer.from('\n')])],
    ['a command of 1 MB', Buffer.concat([Buffer.from('NOOP '), Buffer.alloc(MEBIBYTE, 'x'), Buffer.from('\r\n')])],
    ['an EHLO of 1 MB', Buffer.concat([Buffer.from('EHLO '), Buffer.alloc(MEBIBYTE, 'x'), Buffer.from('\r\n')])],
  ]
  for (const [what, bytes] of INPUTS) {
    test(`${what} goes up unchanged, and the reply reaches the client`, async () => {
      const session = await sessionAt('between mails', stage)
      await session.client.send(bytes)
      assert.ok((await session.upstream.readBytes(bytes.length)).equals(bytes))
      await session.upstream.send('500 5.5.2 what?\r\n')
      assert.equal(await session.client.readReply(), '500 5.5.2 what?\r\n')
      await drop(session)
    })
  }

  for (const request of ['GET / HTTP/1.1', 'POST /x HTTP/1.0', 'CONNECT mail.example:25 HTTP/1.1']) {
    test(`${request} is answered 554, and no line of its body goes up (CMD-07)`, async () => {
      const session = await sessionAt('between mails', stage)
      const sent = session.upstream.log.length
      await session.client.send(
        `${request}\r\nHost: mail.example\r\n\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n`,
      )
      assert.equal(await session.client.readReply(), localReplies.HTTP.bytes.toString())
      assert.equal(await session.client.closed(), 'fin')
      assert.equal(await session.upstream.closed(), 'fin')
      assert.equal(session.upstream.log.length, sent)
      await drop(session)
    })
  }

  test('a line that the proxy answers itself and the next command may arrive in one segment', async () => {
    const session = await sessionAt('between mails', stage)
    await session.client.send('XCLIENT ADDR=192.0.2.1\r\nNOOP\r\n')
    assert.equal(await session.client.readReply(), localReplies.BLOCKED.bytes.toString())
    assert.equal(await session.upstream.readLine(), 'NOOP\r\n')
    await session.upstream.send('250 ok\r\n')
    assert.equal(await session.client.readReply(), '250 ok\r\n')
    await drop(session)
  })

  test('and so may two such lines and half a third', async () => {
    const session = await sessionAt('between mails', stage)
    await session.client.send('NOOP\r\nXCLIENT A\r\nTURN\r\nNOO')
    assert.equal(await session.upstream.readLine(), 'NOOP\r\n')
    await session.upstream.send('250 ok\r\n')
    const blocked = localReplies.BLOCKED.bytes.toString()
    for (const reply of ['250 ok\r\n', blocked, blocked]) assert.equal(await session.client.readReply(), reply)
    await session.client.send('P\r\n')
    assert.equal(await session.upstream.readLine(), 'NOOP\r\n')
    await drop(session)
  })

  test('nothing goes up of a long line that the proxy answers itself, however it is cut', async () => {
    const session = await sessionAt('between mails', stage)
    await session.client.send(`XCLIENT ${'x'.repeat(3000)}`)
    assert.equal(await session.client.readReply(), localReplies.BLOCKED.bytes.toString())
    for (const piece of ['MAIL FROM:<a@example.com>', 'x'.repeat(100_000), '\r', '\nNOOP\r\n'])
      await session.client.send(piece)
    assert.equal(await session.upstream.readLine(), 'NOOP\r\n')
    await drop(session)
  })

  test('a command of 100 MB without an end goes up as it arrives, and nothing of it is kept (MEM-05)', async () => {
    const session = await sessionAt('between mails', stage)
    let arrived = 0
    let wake = () => {}
    watch(session.upstream, (chunk) => {
      arrived += chunk.length
      wake()
    })
    const piece = Buffer.alloc(MEBIBYTE, 'x')
    const before = await retainedBufferBytes()
    for (let sent = 1; sent <= 100; sent += 1) {
      await session.client.send(piece)
      if (sent % 10 > 0) continue
      while (arrived < sent * piece.length)
        await new Promise<void>((look) => {
          wake = look
        })
      const kept = (await retainedBufferBytes()) - before
      assert.ok(kept < 2 * MEBIBYTE, `${kept} bytes are kept after ${sent} MB`)
    }
    await drop(session)
  })

  test('with a thousand unanswered commands is no longer read, and continues with each reply (PIP-20)', async () => {
    const session = await sessionAt('between mails', stage)
    const line = 'NOOP\r\n'
    const sent = session.upstream.log.length
    const count = 5000
    await session.client.send(line.repeat(count))
    await session.upstream.received(sent + line.length * MAX_OWED_REPLIES)
    for (const answered of [1, 2, 3]) {
      await session.upstream.send('250 ok\r\n')
      await session.upstream.received(sent + line.length * (MAX_OWED_REPLIES + answered))
      assert.equal(await session.client.readReply(), '250 ok\r\n')
    }
    await pause(20)
    assert.equal(session.upstream.log.length, sent + line.length * (MAX_OWED_REPLIES + 3), 'not one more')
    for (let answered = 3; answered < count; answered += 500) {
      await session.upstream.send('250 ok\r\n'.repeat(Math.min(500, count - answered)))
      await session.upstream.received(sent + line.length * Math.min(count, answered + 500 + MAX_OWED_REPLIES))
    }
    for (let answered = 3; answered < count; answered += 1) assert.equal(await session.client.readReply(), '250 ok\r\n')
    await drop(session)
    const exchanges = (await session.events()).filter((event) => event.type === 'exchange' && event.command === 'NOOP')
    assert.equal(exchanges.length, count, 'each command has its answer')
  })

  for (const [why, state, repeated] of [
    ['its commands are not answered', 'between mails', 'NOOP\r\n'],
    ['the upstream does not read its body', 'in the body', 'a line of text\r\n'],
  ] as const) {
    test(`is not read while ${why}: 64 MB stay with the client (PIP-20, DAT-10)`, async () => {
      const session = await sessionAt(state, stage)
      const flood = Buffer.alloc(64 * MEBIBYTE, repeated)
      session.upstream.pause()
      const before = await retainedBufferBytes()
      void session.client.send(flood)
      await pause(300)
      const kept = (await retainedBufferBytes()) - before
      assert.ok(kept < 2 * MEBIBYTE, `${kept} bytes are kept`)
      await drop(session)
    })
  }

  test('100,000 pipelined commands are answered in order, and memory does not grow (MEM-06)', async () => {
    const session = await sessionAt('between mails', stage)
    const count = 100_000
    let lines = 0
    let rest = 0
    watch(session.upstream, (chunk) => {
      rest += chunk.length
      let replies = ''
      for (; rest >= 12; rest -= 12) replies += `250 ${(lines++).toString().padStart(6, '0')}\r\n`
      void session.upstream.tls?.write(replies)
    })
    const read = session.client.log.length
    const before = await retainedBufferBytes()
    const flight = Buffer.alloc(count * 12, 'NOOP 01234\r\n')
    const expected = Array.from({ length: count }, (_, number) => `250 ${number.toString().padStart(6, '0')}\r\n`).join(
      '',
    )
    await session.client.send(flight)
    await session.client.received(read + expected.length)
    assert.ok(session.client.log.all.subarray(read).equals(Buffer.from(expected)))
    const kept = (await retainedBufferBytes()) - before - flight.length - 2 * (read + expected.length)
    assert.ok(kept < 2 * MEBIBYTE, `${kept} bytes are kept`)
    await drop(session)
  })
})
