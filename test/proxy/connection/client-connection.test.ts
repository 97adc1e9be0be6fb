/** TLS between client and proxy: which client gets it, when, and what stays outside TLS. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { ClientRig, ehloReply, type GreetedSession } from '../../support/in-process/client-rig.ts'

const READY = '220 2.0.0 ahasend-smtp-proxy: ready to start TLS\r\n'
const REFUSED = '503 5.5.1 ahasend-smtp-proxy: STARTTLS is not possible here\r\n'
const ARGUMENT = '501 5.5.4 ahasend-smtp-proxy: STARTTLS takes no argument\r\n'
const FIRST = '530 5.7.0 ahasend-smtp-proxy: issue STARTTLS first\r\n'
const INJECTION = '554 5.5.0 ahasend-smtp-proxy: data behind STARTTLS\r\n'

let rig: ClientRig
before(async () => {
  rig = await ClientRig.open({ listener: 'starttls' })
})
after(() => rig.close())

/** Runs `use` with a greeted, unencrypted session, and makes sure that nothing of it is left. */
async function greeted(use: (session: GreetedSession) => Promise<void>, where = rig): Promise<void> {
  const session = await where.greeted()
  try {
    await use(session)
  } finally {
    await session.end()
  }
}

describe('STARTTLS', () => {
  for (const spelling of ['STARTTLS', 'starttls', 'StartTLS', 'STARTTLS \t']) {
    test(`${JSON.stringify(spelling)} begins TLS, and the upstream reads both EHLOs but no STARTTLS (TLC-02, TLC-23)`, () =>
      greeted(async (session) => {
        await session.ehlo()
        assert.equal(await session.answered(`${spelling}\r\n`), READY)
        await session.client.secureAsClient(rig.clientTls)
        assert.equal(await session.ehlo(), ehloReply())
        await session.goesOn()
        assert.equal(session.recorded.one('tls').protocol, 'TLSv1.3')
        const own = session.recorded.all('exchange').filter(({ reply }) => reply.origin === 'proxy')
        assert.deepEqual(
          own.map(({ command, reply }) => [command, reply.code]),
          [['STARTTLS', 220]],
        )
      }))
  }

  test('waits for the reply to an EHLO before it (TLC-02)', () =>
    greeted(async (session) => {
      await session.client.send('EHLO app\r\nSTARTTLS\r\n')
      await session.reaches('EHLO app\r\n')
      await session.upstream.send(ehloReply(['h']))
      assert.equal(await session.client.readReply(), ehloReply(['h', 'STARTTLS']))
      assert.equal(await session.client.readReply(), READY)
      await session.client.secureAsClient(rig.clientTls)
      await session.goesOn()
    }))

  test('what follows an unencrypted EHLO waits for its reply, which may lead to TLS (R1)', () =>
    greeted(async (session) => {
      await session.client.send('EHLO app\r\nNOOP\r\n')
      await session.reaches('EHLO app\r\n')
      assert.equal(session.upstream.log.unread.length, 0)
      await session.upstream.send(ehloReply())
      await session.reaches('NOOP\r\n')
    }))

  for (const line of ['STARTTLS now', 'starttls\tx', 'STARTTLS \0']) {
    test(`${JSON.stringify(line)} is refused by 501 and not relayed (TLC-03)`, () =>
      greeted(async (session) => {
        assert.equal(await session.answered(`${line}\r\n`), ARGUMENT)
        await session.goesOn()
        await session.startTls()
        await session.goesOn()
      }))
  }

  test('is refused by 503 inside TLS, and not relayed (TLC-04)', () =>
    greeted(async (session) => {
      await session.startTls()
      assert.equal(await session.answered('STARTTLS\r\n'), REFUSED)
      assert.equal(await session.answered('STARTTLS now\r\n'), REFUSED)
      await session.goesOn()
    }))

  test('is refused by 503 after an unencrypted AUTH: the session continues unencrypted (TLC-08)', () =>
    greeted(async (session) => {
      await session.ehlo()
      assert.equal(await session.relayed('AUTH PLAIN AGEAYg==\r\n', '235 2.7.0 ok\r\n'), '235 2.7.0 ok\r\n')
      assert.equal(await session.answered('STARTTLS\r\n'), REFUSED)
      await session.goesOn()
    }))

  test('also after an AUTH that failed (TLC-08)', () =>
    greeted(async (session) => {
      await session.relayed('AUTH PLAIN AGEAYg==\r\n', '500 no\r\n')
      assert.equal(await session.answered('STARTTLS\r\n'), REFUSED)
    }))

  for (const line of ['MAIL FROM:<a@example.com>', 'RCPT TO:<b@example.net>', 'FOO bar', 'DATA', 'EXPN x']) {
    test(`is refused by 503 after ${line} (TLC-09)`, () =>
      greeted(async (session) => {
        await session.ehlo()
        await session.relayed(`${line}\r\n`, '250 fine\r\n')
        assert.equal(await session.answered('STARTTLS\r\n'), REFUSED)
        await session.goesOn()
      }))
  }

  test('also after an RSET or EHLO that followed (TLC-09)', () =>
    greeted(async (session) => {
      await session.relayed('MAIL FROM:<a@example.com>\r\n', '250 2.1.0 ok\r\n')
      await session.relayed('RSET\r\n', '250 2.0.0 ok\r\n')
      await session.ehlo()
      assert.equal(await session.answered('STARTTLS\r\n'), REFUSED)
    }))

  test('is not recognised in an opaque session, and a 220 from the upstream ends the session (R7, R11)', () =>
    greeted(async (session) => {
      await session.relayed('LHLO app\r\n', '250 fine\r\n')
      assert.equal(session.recorded.one('session-opaque').reason, 'lmtp')
      await session.client.send('STARTTLS\r\n')
      await session.reaches('STARTTLS\r\n')
      await session.upstream.send('220 go\r\n')
      assert.equal(await session.client.closed(), 'fin')
      assert.equal(session.client.log.unread.length, 0)
    }))

  test('but not after commands that leave no state (TLC-09)', () =>
    greeted(async (session) => {
      for (const line of ['HELO app', 'NOOP', 'RSET', 'HELP', 'VRFY x', 'EHLO app']) {
        await session.relayed(`${line}\r\n`, '250 fine\r\n')
      }
      await session.startTls()
      await session.goesOn()
    }))
})

describe('What follows STARTTLS unencrypted (R6)', () => {
  const SEGMENTS = [
    'STARTTLS\r\nEHLO injected\r\n',
    'STARTTLS\nEHLO injected\r\n',
    'STARTTLS\r\nE',
    'STARTTLS\r\n\u0016\u0003\u0001\u0000\u0005injec',
    'NOOP\r\nSTARTTLS\r\nMAIL FROM:<injected@example.com>\r\n',
  ]
  for (const segment of SEGMENTS) {
    test(`${JSON.stringify(segment)} ends the session, and nothing of it is relayed (TLC-06)`, () =>
      greeted(async (session) => {
        const { client, upstream } = session
        await client.send(segment)
        if (segment.startsWith('NOOP')) {
          await session.reaches('NOOP\r\n')
          await upstream.send('250 ok\r\n')
          assert.equal(await client.readReply(), '250 ok\r\n')
        }
        assert.equal(await client.readReply(), INJECTION)
        assert.equal(await client.closed(), 'fin')
        await client.end()
        assert.equal(await upstream.closed(), 'fin')
        assert.equal(upstream.log.unread.toString('latin1'), '')
        await upstream.end()
        await rig.quiet()
        const { by, reason } = session.recorded.one('session-close')
        assert.deepEqual({ by, reason }, { by: 'proxy', reason: 'error' })
      }))
  }

  test('ends the session also if an EHLO came before (TLC-06)', () =>
    greeted(async (session) => {
      const { client, upstream } = session
      await client.send('EHLO app\r\nSTARTTLS\r\nEHLO injected\r\n')
      await session.reaches('EHLO app\r\n')
      await upstream.send(ehloReply(['h']))
      assert.equal(await client.readReply(), ehloReply(['h', 'STARTTLS']))
      assert.equal(await client.readReply(), INJECTION)
      assert.equal(await upstream.closed(), 'fin')
      assert.equal(upstream.log.unread.length, 0)
    }))

  test('also if it comes while STARTTLS waits for the reply to the EHLO before it (TLC-06)', () =>
    greeted(async (session) => {
      const { client, upstream } = session
      await client.send('EHLO app\r\nSTARTTLS\r\n')
      await session.reaches('EHLO app\r\n')
      await client.send('EHLO injected\r\n')
      await new Promise((arrived) => setTimeout(arrived, 20)) // the proxy does not show that it has read it
      await upstream.send(ehloReply(['h']))
      assert.equal(await client.readReply(), ehloReply(['h', 'STARTTLS']))
      assert.equal(await client.readReply(), INJECTION)
      assert.equal(await upstream.closed(), 'fin')
      assert.equal(upstream.log.unread.length, 0)
    }))

  /** Sends STARTTLS, and `gapMs` later an unencrypted line: without waiting for the 220, or after it. */
  async function inject(gapMs: number, when: 'before' | 'after'): Promise<void> {
    const { client, upstream, recorded } = await rig.greeted()
    await client.send('STARTTLS\r\n')
    if (when === 'after') assert.equal(await client.readReply(), READY)
    await new Promise((later) => setTimeout(later, gapMs))
    await client.send('EHLO injected\r\nMAIL FROM:<injected@example.com>\r\n')
    await upstream.closed()
    assert.equal(upstream.log.unread.toString('latin1'), '', `${client.transcript}`)
    await client.closed()
    // the 220, if it came before the line did; a TLS alert; or the 554: never a reply to what was injected
    const heard = client.log.unread.toString('latin1').replace(READY, '')
    assert.ok(heard === '' || heard === INJECTION || heard.startsWith('\u0015'), JSON.stringify(heard))
    client.destroy()
    upstream.destroy()
    assert.equal(recorded.all('identify').length, 0)
  }

  for (const when of ['before', 'after'] as const) {
    // ten of each kind keep the test short
    test(`1, 10 or 100 ms later, sent ${when} the 220 was read, is not relayed (30 runs) (TLC-07)`, async () => {
      const gaps = [1, 10, 100].flatMap((gap) => Array.from({ length: 10 }, () => gap))
      await Promise.all(gaps.map((gapMs) => inject(gapMs, when)))
      await rig.quiet()
    })
  }
})

describe('A listener that requires TLS', () => {
  let required: ClientRig
  before(async () => {
    required = await ClientRig.open({ listener: 'starttls-required' })
  })
  after(() => required.close())

  const REFUSED_LINES = [
    'MAIL FROM:<a@example.com>',
    'AUTH PLAIN AGEAYg==',
    'AUTH LOGIN',
    'DATA',
    'FOO',
    'EXPN x',
    'LHLO a',
  ]
  for (const line of REFUSED_LINES) {
    test(`answers ${line} with 530 and relays nothing until TLS has begun (TLC-19)`, () =>
      greeted(async (session) => {
        assert.equal(await session.answered(`${line}\r\n`), FIRST)
        await session.goesOn()
        await session.startTls()
        await session.ehlo()
        assert.equal(await session.relayed(`${line}\r\n`, '250 fine\r\n'), '250 fine\r\n')
      }, required))
  }

  test('answers several commands in one segment in order, and relays the harmless ones (TLC-19)', () =>
    greeted(async (session) => {
      const { client, upstream } = session
      await client.send('NOOP 1\r\nMAIL FROM:<a@example.com>\r\nNOOP 2\r\nRCPT TO:<b@example.net>\r\nNOOP 3\r\n')
      for (const count of [1, 2, 3]) {
        await session.reaches(`NOOP ${count}\r\n`)
        await upstream.send(`250 ${count}\r\n`)
        assert.equal(await client.readReply(), `250 ${count}\r\n`)
        if (count < 3) assert.equal(await client.readReply(), FIRST)
      }
    }, required))

  for (const line of ['HELO app', 'NOOP', 'RSET', 'HELP', 'VRFY x', 'QUIT']) {
    test(`relays ${line} (TLC-19)`, () =>
      greeted(async (session) => {
        assert.equal(await session.relayed(`${line}\r\n`, '250 fine\r\n'), '250 fine\r\n')
      }, required))
  }
})

describe('A listener with TLS from the first byte', () => {
  let implicit: ClientRig
  before(async () => {
    implicit = await ClientRig.open({ listener: 'smtps' })
  })
  after(() => implicit.close())

  test('greets inside TLS, does not offer STARTTLS, and refuses it (TLC-20)', () =>
    greeted(async (session) => {
      assert.equal(session.client.tls?.getProtocol(), 'TLSv1.3')
      assert.equal(await session.ehlo(ehloReply(['h', 'STARTTLS', 'SIZE'])), ehloReply(['h', 'SIZE']))
      assert.equal(await session.answered('STARTTLS\r\n'), REFUSED)
      await session.goesOn()
    }, implicit))

  test('sends an unencrypted client no byte of SMTP, and leaves nothing upstream (TLC-20)', async () => {
    const client = await implicit.client()
    await client.send('EHLO app\r\n')
    await client.closed()
    assert.ok(!client.log.all.includes('220'))
    client.destroy()
    await implicit.quiet()
    assert.equal(implicit.recorder.sessions.at(-1)?.one('session-close').transmit, 0)
  })
})
