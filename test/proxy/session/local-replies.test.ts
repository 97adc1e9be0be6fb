/** The replies of the proxy itself, and the commands that they answer. Everything else is relayed. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import * as localReplies from '../../../proxy/session/local-replies.ts'
import { MAX_REPLY_LINES } from '../../../proxy/smtp/reply.ts'
import { ClientRig, type GreetedSession } from '../../support/in-process/client-rig.ts'
import { LOCAL_REPLIES, type LocalReplyName } from '../../support/in-process/local-replies.ts'

let rig: ClientRig
before(async () => {
  rig = await ClientRig.open({ listener: 'starttls' })
})
after(() => rig.close())

async function greeted(use: (session: GreetedSession) => Promise<void>): Promise<void> {
  const session = await rig.greeted()
  try {
    await use(session)
  } finally {
    await session.end()
  }
}

/** All of them. Every new one must be added here. */
const EXPECTED: Readonly<Record<LocalReplyName, string>> = {
  UNREACHABLE: '421 4.4.1 closes',
  UNTRUSTED: '421 4.7.0 closes',
  REFUSED: '421 4.4.1 closes',
  REPLY_TOO_LONG: '421 4.4.2 closes',
  DRAINING: '421 4.3.2 closes',
  SESSION_LIMIT: '421 4.3.2 closes',
  EXHAUSTED: '421 4.3.2 closes',
  NOT_ALLOWED: '421 4.7.0 closes',
  IDLE: '421 4.4.2 closes',
  READY_FOR_TLS: '220 2.0.0',
  STARTTLS_ARGUMENT: '501 5.5.4',
  STARTTLS_REFUSED: '503 5.5.1',
  STARTTLS_FIRST: '530 5.7.0',
  EHLO_FIRST: '503 5.5.1',
  BLOCKED: '502 5.5.1',
  STARTTLS_INJECTION: '554 5.5.0 closes',
  HTTP: '554 5.5.0 closes',
  TLS_ON_PLAIN_LISTENER: '554 5.5.0 closes',
}

describe('The local replies', () => {
  test('are these, and no others (R3)', () => {
    const found = Object.entries(LOCAL_REPLIES).map(([name, { code, enhancedCode, closes }]) => [
      name,
      `${code} ${enhancedCode}${closes ? ' closes' : ''}`,
    ])
    assert.deepEqual(Object.fromEntries(found), EXPECTED)
  })

  for (const [name, reply] of Object.entries(LOCAL_REPLIES)) {
    test(`${name} is one line with its codes and the proxy's name (RFC 5321 4.2.1, 4.5.3.1.5; RFC 2034 4)`, () => {
      const line = reply.bytes.toString('latin1')
      assert.match(line, /^[2-5][0-9]{2} [245]\.[0-9]\.[0-9] ahasend-smtp-proxy: [ -~]+\r\n$/)
      assert.ok(line.startsWith(`${reply.code} ${reply.enhancedCode} `))
      assert.equal(line[0], reply.enhancedCode[0], 'the class of the code')
      assert.ok(line.length <= 512)
    })
  }
})

const BLOCKED = localReplies.BLOCKED.bytes.toString('latin1')
const HTTP = localReplies.HTTP.bytes.toString('latin1')

describe('A command that would give trust or roles to the client', () => {
  const lines = [
    ['CMD-04', 'TURN'],
    ['CMD-04', 'ATRN example.com'],
    ['CMD-06', 'XCLIENT ADDR=192.0.2.1 NAME=x'],
    ['CMD-06', 'xclient addr=192.0.2.1'],
    ['CMD-06', 'XFORWARD NAME=x ADDR=192.0.2.1'],
    ['CMD-06', 'BURL imap://x.example/y LAST'],
  ] as const
  for (const [id, line] of lines) {
    test(`${line} is answered 502 and not relayed, unencrypted and inside TLS (${id})`, () =>
      greeted(async (session) => {
        assert.equal(await session.answered(`${line}\r\n`), BLOCKED)
        await session.goesOn()
        await session.startTls()
        assert.equal(await session.answered(`${line}\r\n`), BLOCKED)
        await session.goesOn()
        const own = session.recorded.all('exchange').filter(({ reply }) => reply.code === 502)
        assert.deepEqual(
          own.map(({ command, reply }) => [command, reply.origin]),
          [
            ['OTHER', 'proxy'],
            ['OTHER', 'proxy'],
          ],
        )
      }))
  }

  test('is answered in its turn among other commands (CMD-06)', () =>
    greeted(async ({ client, upstream }) => {
      await client.send('NOOP 1\r\nNOOP 2\r\nXCLIENT NAME=x\r\nXFORWARD NAME=x\r\nNOOP 3\r\n')
      await upstream.readUntil('NOOP 1\r\nNOOP 2\r\n')
      await upstream.send('250 1\r\n')
      assert.equal(await client.readReply(), '250 1\r\n')
      await upstream.send('250 2\r\n')
      const answers = [await client.readReply(), await client.readReply(), await client.readReply()]
      assert.deepEqual(answers, ['250 2\r\n', BLOCKED, BLOCKED])
      await upstream.readUntil('NOOP 3\r\n')
      await upstream.send('250 3\r\n')
      assert.equal(await client.readReply(), '250 3\r\n')
      assert.ok(!upstream.log.all.includes('NAME=x'))
    }))

  test('is answered 502, too, if it arrives byte by byte (CMD-06)', () =>
    greeted(async (session) => {
      await session.client.trickle('XCLIENT NAME=x\r\n')
      assert.equal(await session.client.readReply(), BLOCKED)
      await session.goesOn()
    }))

  test('of any length is answered once, and no byte of it is relayed (CMD-06)', () =>
    greeted(async (session) => {
      await session.client.send(`XCLIENT NAME=${'x'.repeat(5000)}`)
      assert.equal(await session.client.readReply(), BLOCKED)
      await session.client.send(`${'x'.repeat(100_000)}`)
      await session.client.send('x\r\n')
      await session.goesOn()
    }))

  test('is no command in a body or an AUTH exchange (CMD-06)', () =>
    greeted(async (session) => {
      await session.relayed('AUTH LOGIN\r\n', '334 VXNlcm5hbWU6\r\n')
      await session.relayed('TURN\r\n', '334 UGFzc3dvcmQ6\r\n')
      await session.relayed('XCLIENT\r\n', '235 2.7.0 ok\r\n')
      await session.relayed('MAIL FROM:<a@example.com>\r\n', '250 ok\r\n')
      await session.relayed('RCPT TO:<b@example.net>\r\n', '250 ok\r\n')
      await session.relayed('DATA\r\n', '354 go\r\n')
      await session.relayed('XCLIENT NAME=x\r\nGET / HTTP/1.1\r\n.\r\n', '250 ok\r\n')
      await session.goesOn()
    }))
})

describe('An HTTP request', () => {
  const mail = 'EHLO x\r\nMAIL FROM:<evil@example.com>\r\nRCPT TO:<b@example.net>\r\nDATA\r\nspam\r\n.\r\nQUIT\r\n'
  const head = `Host: localhost:2525\r\nContent-Length: ${mail.length}\r\n\r\n`
  const requests: readonly (readonly [what: string, text: string])[] = [
    ['with a message in its body', `POST / HTTP/1.1\r\n${head}${mail}`],
    ['of another method', `PUT /x HTTP/1.1\r\n${head}${mail}`],
    ['whose lines end in LF', `POST / HTTP/1.1\n${mail}`],
    ['with a path longer than any command', `POST /${'a'.repeat(8000)} HTTP/1.1\r\n${head}${mail}`],
    ['for another host', `GET http://mail.example/ HTTP/1.1\r\n${head}`],
  ]

  /** The client gets a 554 and is disconnected, and nothing went up. */
  async function isTurnedAway({ client, upstream }: GreetedSession): Promise<void> {
    assert.equal(await client.readReply(), HTTP)
    assert.equal(await client.closed(), 'fin')
    await client.end()
    assert.equal(await upstream.closed(), 'fin')
    assert.equal(upstream.log.unread.toString('latin1'), '')
  }

  for (const [what, text] of requests) {
    test(`${what} is answered 554, and nothing of it is relayed (CMD-07)`, () =>
      greeted(async (session) => {
        await session.client.send(text)
        await isTurnedAway(session)
      }))
  }

  test('is answered 554, too, if it arrives byte by byte (CMD-07)', () =>
    greeted(async (session) => {
      await session.client.trickle(`POST /${'a'.repeat(100)} HTTP/1.1\r\n${head}`)
      await isTurnedAway(session)
    }))

  test('with a large body still gets its reply: the close waits for what is being sent (CMD-07)', () =>
    greeted(async (session) => {
      await session.client.send(`POST / HTTP/1.1\r\n${head}`)
      await session.client.send(Buffer.alloc(2_000_000, mail))
      await isTurnedAway(session)
    }))

  test('is answered 554, too, before the greeting, because browsers send first (CMD-07)', async () => {
    const client = await rig.client()
    await client.send(`POST / HTTP/1.1\r\n${head}${mail}`)
    const upstream = await rig.upstream.accept()
    await rig.preamble(upstream)
    assert.match(await client.readReply(), /^220 /)
    assert.equal(await client.readReply(), HTTP)
    await client.closed()
    await upstream.closed()
    assert.equal(upstream.log.unread.length, 0)
    client.destroy()
    upstream.destroy()
    await rig.quiet()
  })
})

describe('A line that is no command', () => {
  for (const line of ['', ' ', ' NOOP', '\tQUIT', '  EHLO x', '\0', '\u00ff', 'FOO bar', 'STARTTLS\0']) {
    test(`${JSON.stringify(line)} is relayed, and so is its reply (CMD-08)`, () =>
      greeted(async (session) => {
        const answer = '500 5.5.1 what is that\r\n'
        assert.equal(await session.relayed(`${line}\r\n`, answer), answer)
        await session.goesOn()
        assert.equal(session.recorded.all('exchange').at(0)?.command, 'OTHER')
      }))
  }
})

describe('A command with a blank after its colon', () => {
  test('is relayed unchanged, and understood (CMD-11)', () =>
    greeted(async (session) => {
      await session.relayed('MAIL FROM: <a@example.com>\r\n', '250 2.1.0 ok\r\n')
      await session.relayed('RCPT TO: <b@example.net>\r\n', '250 2.1.5 ok\r\n')
      assert.equal(session.recorded.one('tx-begin').reply?.code, 250)
      assert.equal(session.recorded.one('tx-rcpt').verdict, 'accepted')
    }))
})

describe('A client that leaves without QUIT', () => {
  for (const layer of ['in the clear', 'inside TLS']) {
    test(`${layer}: the upstream reads a FIN and not one byte more (CMD-10, R4)`, () =>
      greeted(async (session) => {
        const { client, upstream } = session
        if (layer === 'inside TLS') await session.startTls()
        await session.goesOn()
        await client.end()
        assert.equal(await upstream.closed(), 'fin')
        assert.equal(upstream.log.unread.toString('latin1'), '')
        await upstream.end()
        assert.equal(await client.closed(), 'fin')
        assert.equal(client.log.unread.length, 0)
      }))
  }
})

describe('An endless reply', () => {
  const ENDLESS = '250-and so on\r\n'.repeat(MAX_REPLY_LINES + 1)

  test('between messages ends the session with a 421 (R2)', () =>
    greeted(async (session) => {
      await session.client.send('HELP\r\n')
      await session.reaches('HELP\r\n')
      await session.upstream.send(ENDLESS)
      assert.equal(await session.client.readReply(), localReplies.REPLY_TOO_LONG.bytes.toString('latin1'))
      assert.equal(await session.client.closed(), 'fin')
      assert.equal(session.client.log.unread.length, 0)
    }))

  test('to the end of a message ends the session without a local reply (R3)', () =>
    greeted(async (session) => {
      const { client, upstream } = session
      await session.relayed('MAIL FROM:<a@example.com>\r\n', '250 ok\r\n')
      await session.relayed('RCPT TO:<b@example.net>\r\n', '250 ok\r\n')
      await session.relayed('DATA\r\n', '354 go\r\n')
      await client.send('x\r\n.\r\n')
      await session.reaches('x\r\n.\r\n')
      await upstream.send(ENDLESS)
      await client.closed()
      assert.equal(client.log.unread.toString('latin1'), '')
      await session.end()
      assert.equal(session.recorded.one('tx-lost').outcome, 'in_doubt')
    }))
})

/*
 * The other replies are tested with what they answer: STARTTLS in client-connection.test.ts, admission in admission.test.ts,
 * UNREACHABLE, UNTRUSTED and REFUSED in upstream.test.ts and greeting.test.ts, DRAINING and IDLE in disconnect.test.ts.
 * Not covered: CMD-04 to CMD-07 after a command whose payload is unknown (an unknown verb, or BDAT without CHUNKING)
 * in the same segment: such bytes are relayed unseen (rule R1).
 */
