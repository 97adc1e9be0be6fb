/** The simulated AhaSend behaves as AhaSend documents. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { createTransport } from 'nodemailer'
import { connectClient, startTls } from '../support/sockets/scripted-peers.ts'
import { makeAuthority } from '../support/tls/certificates.ts'
import { AUTH_PLAIN, ask, greeted, loggedIn, mail, secured, send } from './client.ts'
import { type Simulator, startSimulator } from './simulator.ts'

const HOST = 'rehearsal.ahasend.example'

/** How often the ledger counted a reply. */
function replies(simulator: Simulator, command: string, code: number): number {
  const counts = simulator.ledger.summary().replies.filter((count) => count.command === command && count.code === code)
  return counts.reduce((sum, { count }) => sum + count, 0)
}

describe('a session', () => {
  test('has a greeting, STARTTLS before TLS and AUTH PLAIN inside TLS, but no SIZE, DSN or CHUNKING', async () => {
    await using simulator = await startSimulator()
    const client = await connectClient(simulator)
    assert.equal(await client.readReply(), `220 ${HOST} ESMTP AhaSend rehearsal\r\n`)
    const common = `250-${HOST} Aloha app.example\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-SMTPUTF8`
    assert.equal(await ask(client, 'EHLO app.example'), `${common}\r\n250 STARTTLS`)
    assert.equal(await startTls(client, { ca: simulator.caPem }), '220 Ready to Start TLS\r\n')
    assert.equal(await ask(client, 'EHLO app.example'), `${common}\r\n250 AUTH PLAIN`)
    client.destroy()
  })

  test('replies to each command with the text of AhaSend', async () => {
    await using simulator = await startSimulator()
    const client = await secured(simulator)
    assert.equal(await ask(client, 'MAIL FROM:<a@example.com>'), '530 5.7.0 Authentication required')
    assert.equal(await ask(client, 'AUTH LOGIN'), '504 5.5.4 AUTH LOGIN not supported')
    assert.equal(await ask(client, AUTH_PLAIN), '235 2.7.0 AUTH OK!')
    assert.match(await ask(client, AUTH_PLAIN), /^503 5\.5\.1 AUTH me once/)
    assert.equal(await ask(client, 'RCPT TO:<b@example.net>'), '503 5.5.0 MAIL FROM must be issued first')
    assert.equal(await ask(client, 'MAIL FROM:<a@example.com>'), '250 OK EnvelopeAddress("a@example.com")')
    assert.equal(await ask(client, 'DATA'), '503 5.5.0 RCPT TO must be issued first')
    assert.equal(await ask(client, 'RCPT TO:<b@example.net>'), '250 OK EnvelopeAddress("b@example.net")')
    assert.equal(await ask(client, 'RCPT TO:<c@example.net>'), '250 OK EnvelopeAddress("c@example.net")')
    assert.equal(await ask(client, 'DATA'), '354 Send body; end with CRLF.CRLF')
    assert.match(await ask(client, '.'), /^250 OK ids=[0-9a-f]{32} [0-9a-f]{32}$/)
    assert.equal(await ask(client, 'NOOP'), '250 the goggles do nothing')
    assert.equal(await ask(client, 'RSET'), '250 Reset state')
    assert.equal(await ask(client, 'VRFY b'), '502 5.5.1 Command unimplemented')
    assert.equal(await ask(client, 'QUIT'), '221 So long, and thanks for all the fish!')
    assert.equal(await client.closed(), 'fin')
    client.destroy()
  })

  test('accepts AUTH PLAIN in two steps, also after a cancelled one', async () => {
    await using simulator = await startSimulator()
    const client = await secured(simulator)
    await client.send('AUTH PLAIN\r\n')
    assert.equal(await client.readReply(), '334 \r\n')
    assert.match(await ask(client, '*'), /^501 /)
    await ask(client, 'AUTH PLAIN')
    assert.equal(await ask(client, AUTH_PLAIN.slice('AUTH PLAIN '.length)), '235 2.7.0 AUTH OK!')
    client.destroy()
  })

  test('replies to wrong credentials with 535, or with 500 on demand', async () => {
    await using simulator = await startSimulator({ accounts: { app: 'another' } })
    const client = await secured(simulator)
    assert.equal(await ask(client, AUTH_PLAIN), '535 5.7.8 AUTH invalid')
    simulator.faults.set('500-at-auth')
    assert.equal(await ask(client, AUTH_PLAIN), '500 5.7.8 AUTH invalid')
    client.destroy()
  })

  test('forgets the EHLO before TLS once TLS begins', async () => {
    await using simulator = await startSimulator()
    const client = await greeted(simulator)
    await ask(client, 'EHLO app.example')
    await startTls(client, { ca: simulator.caPem })
    assert.match(await ask(client, AUTH_PLAIN), /^503 /)
    client.destroy()
  })

  for (const command of [AUTH_PLAIN, 'MAIL FROM:<a@example.com>', 'RCPT TO:<b@example.net>', 'DATA']) {
    test(`refuses ${command.slice(0, 4)} before TLS`, async () => {
      await using simulator = await startSimulator()
      const client = await greeted(simulator)
      await ask(client, 'EHLO app.example')
      assert.equal(await ask(client, command), '530 5.7.0 Must issue a STARTTLS command first')
      client.destroy()
    })
  }

  for (const [command, code] of [
    ['HELO app.example', '250'],
    ['NOOP', '250'],
    ['RSET', '250'],
    ['QUIT', '221'],
    ['BDAT 5 LAST', '502'],
    ['XCLIENT ADDR=1.2.3.4', '502'],
    ['\u017ftarttls', '502'],
    ['GET / HTTP/1.1', '502'],
    [`NOOP ${'x'.repeat(1000)}`, '500'],
  ] as const) {
    test(`replies to ${command.slice(0, 20)} before TLS with ${code}`, async () => {
      await using simulator = await startSimulator()
      const client = await greeted(simulator)
      assert.equal((await ask(client, Buffer.from(command).toString('latin1'))).slice(0, 3), code)
      client.destroy()
    })
  }

  test('replies to a client that has half-closed after its last command', async () => {
    await using simulator = await startSimulator({ faults: { 'slow-20-at-end-of-message': {} } })
    const client = await loggedIn(simulator)
    await client.send(mail().join('\r\n'))
    await client.send('\r\n')
    await client.end()
    for (const code of ['250', '250', '354', '250']) assert.equal((await client.readReply()).slice(0, 3), code)
    assert.equal(await client.closed(), 'fin')
    client.destroy()
  })

  test('does not perform a last line without a line end', async () => {
    await using simulator = await startSimulator()
    const client = await greeted(simulator)
    await client.send('QUIT')
    await client.end()
    assert.equal(await client.closed(), 'fin')
    assert.equal(replies(simulator, 'QUIT', 221), 0)
    client.destroy()
  })

  test('can work without TLS and AUTH, for tools that support neither', async () => {
    await using simulator = await startSimulator({ requireTls: false, requireAuth: false })
    const client = await greeted(simulator)
    assert.doesNotMatch(await ask(client, 'EHLO app.example'), /AUTH/)
    assert.equal(await send(client), '250 250 354 250')
    client.destroy()
  })

  test('can hide STARTTLS', async () => {
    await using simulator = await startSimulator({ offerTls: false })
    const client = await greeted(simulator)
    assert.doesNotMatch(await ask(client, 'EHLO app.example'), /STARTTLS/)
    assert.match(await ask(client, 'STARTTLS'), /^502 /)
    client.destroy()
  })

  test('uses the given certificate and TLS version', async () => {
    const authority = await makeAuthority()
    const certificate = await authority.issue({ dnsNames: ['send.example'] })
    await using simulator = await startSimulator({ authority, certificate, maxTlsVersion: 'TLSv1.2' })
    const client = await greeted(simulator)
    await ask(client, 'EHLO app.example')
    await startTls(client, { ca: authority.certPem, servername: 'send.example' })
    assert.match(await ask(client, 'EHLO app.example'), /AUTH PLAIN/)
    assert.equal(client.tls?.getProtocol(), 'TLSv1.2')
    client.destroy()
  })

  test('resumes TLS sessions', async () => {
    await using simulator = await startSimulator()
    const first = await secured(simulator)
    const session = first.tls?.getSession()
    const second = await greeted(simulator)
    await ask(second, 'EHLO app.example')
    await startTls(second, { ca: simulator.caPem, servername: 'localhost', ...(session && { session }) })
    await ask(second, 'EHLO app.example')
    assert.equal(second.tls?.isSessionReused(), true)
    first.destroy()
    second.destroy()
  })
})

describe('limits', () => {
  test('50 recipients per transaction', async () => {
    await using simulator = await startSimulator()
    const client = await loggedIn(simulator)
    await ask(client, 'MAIL FROM:<a@example.com>')
    for (let n = 1; n <= 50; n += 1) assert.match(await ask(client, `RCPT TO:<b${n}@example.net>`), /^250 /)
    assert.equal(await ask(client, 'RCPT TO:<b51@example.net>'), '452 4.5.3 too many recipients')
    client.destroy()
  })

  for (const [what, size, code] of [
    ['a message of 20 MiB', 20_971_520, '250'],
    ['one byte more', 20_971_521, '552'],
  ] as const) {
    test(`${what}: ${code}`, async () => {
      await using simulator = await startSimulator({ ledger: 'summary' })
      const client = await loggedIn(simulator)
      await send(client, mail().slice(0, 3))
      await client.send(Buffer.alloc(size - 2, 'x'))
      assert.equal((await ask(client, '\r\n.')).slice(0, 3), code)
      assert.equal(simulator.ledger.summary().messages.octets, size)
      client.destroy()
    })
  }

  test('10,000 messages per connection: a further MAIL gets a transient failure, and the connection stays open', async () => {
    await using simulator = await startSimulator({ limits: { messagesPerConnection: 2 } })
    const client = await loggedIn(simulator)
    assert.equal(await send(client), '250 250 354 250')
    assert.equal(await send(client), '250 250 354 250')
    assert.equal(await ask(client, 'MAIL FROM:<a@example.com>'), '452 4.5.3 too many recipients on this connection')
    assert.match(await ask(client, 'NOOP'), /^250 /)
    client.destroy()
  })

  // concurrent, because each test takes as long as the limit, and the limit must allow for a slow client
  describe('idle', { concurrency: true }, () => {
    for (const [where, before] of [
      ['between commands', []],
      ['inside AUTH', ['AUTH PLAIN']],
      ['inside a message', [AUTH_PLAIN, ...mail().slice(0, 3)]],
    ] as const) {
      test(`${where}: an unsolicited 421, then the close`, async () => {
        await using simulator = await startSimulator({ idleMs: 2500 })
        const client = await secured(simulator)
        await send(client, before)
        assert.equal(await client.readReply(), `421 4.3.2 ${HOST} idle too long\r\n`)
        assert.equal(await client.closed(), 'fin')
        assert.equal(replies(simulator, 'UNSOLICITED', 421), 1)
        client.destroy()
      })
    }
  })

  test('a line that ends in LF alone inside a body: 552', async () => {
    await using simulator = await startSimulator()
    const client = await loggedIn(simulator)
    await send(client, mail().slice(0, 3))
    assert.equal(await ask(client, 'one\ntwo\r\n.'), '552 5.6.0 message data must use CRLF for line endings')
    assert.equal(await send(client), '250 250 354 250')
    client.destroy()
  })
})

describe('a simulator', () => {
  test('serves nodemailer, alone and pooled', async () => {
    await using simulator = await startSimulator()
    for (const pool of [false, true]) {
      const transport = createTransport({
        host: 'localhost',
        port: simulator.port,
        requireTLS: true,
        tls: { ca: simulator.caPem },
        auth: { user: 'app', pass: 'secret' },
        ...(pool && { pool }),
      } as Parameters<typeof createTransport>[0])
      const to = ['one@example.net', 'two@example.net']
      const sent = await transport.sendMail({ from: 'a@example.com', to, subject: 'hi', text: '.dots\n..and more' })
      assert.match(String(sent.response), /^250 OK ids=[0-9a-f]{32} [0-9a-f]{32}$/)
      transport.close()
    }
    assert.equal(simulator.ledger.summary().messages.accepted, 2)
  })

  test('removes its file and its listener when it is closed', async () => {
    const simulator = await startSimulator()
    assert.equal(readFileSync(simulator.caFile, 'utf8'), simulator.caPem)
    const client = await secured(simulator)
    await simulator.close()
    await client.closed()
    assert.equal(existsSync(simulator.caFile), false)
    await assert.rejects(connectClient(simulator))
    client.destroy()
  })

  test('can use a port again after it was closed', async () => {
    const first = await startSimulator()
    const { port } = first
    await first.close()
    const second = await startSimulator({ port })
    assert.equal(second.port, port)
    await second.close()
  })
})
