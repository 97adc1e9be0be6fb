/** The EHLO reply as a client reads it from the proxy's socket. For the exact changes see ehlo.test.ts. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { ClientRig, ehloReply, type GreetedSession, type Listener } from '../../support/in-process/client-rig.ts'
import { playPreamble } from '../../support/sockets/scripted-peers.ts'

type Security = 'tls' | 'plain' | 'plain without a certificate' | 'plain where TLS is required'

const LISTENERS: Readonly<Record<Security, Listener>> = {
  tls: 'starttls',
  plain: 'starttls',
  'plain without a certificate': 'plain',
  'plain where TLS is required': 'starttls-required',
}

const rigs = new Map<Listener, ClientRig>()

before(async () => {
  for (const listener of ['plain', 'starttls', 'starttls-required'] as const) {
    rigs.set(listener, await ClientRig.open({ listener }))
  }
})
after(async () => {
  for (const rig of rigs.values()) await rig.close()
})

/** Runs `use` with a greeted session on such a connection, and makes sure that nothing of it is left. */
async function on(security: Security, use: (session: GreetedSession) => Promise<void>): Promise<void> {
  const session = await rigs.get(LISTENERS[security])!.greeted()
  try {
    if (security === 'tls') await session.startTls()
    await use(session)
  } finally {
    await session.end()
  }
}

interface Case {
  readonly what: string
  readonly security: Security
  /** Lines of the upstream's reply, and of the client's. */
  readonly from: readonly string[]
  readonly to: readonly string[]
}

const MANY = Array.from({ length: 899 }, (_, index) => `X-${String(index).padStart(3, '0')} ${'x'.repeat(50)}`)
const TRUSTING = ['XCLIENT NAME', 'XFORWARD NAME', 'XEXCH50', 'X-LINK2STATE', 'ATRN', 'ETRN', 'BURL']
const NOTHING_CHANGES = (what: string, security: Security, ...lines: string[]): Case => ({
  what,
  security,
  from: lines,
  to: lines,
})

const CASES: readonly Case[] = [
  {
    what: 'unencrypted: the lines of the upstream, in order, and one STARTTLS (EHL-02)',
    security: 'plain',
    from: ['h', 'PIPELINING', 'SIZE 20971520', '8BITMIME'],
    to: ['h', 'PIPELINING', 'SIZE 20971520', 'STARTTLS', '8BITMIME'],
  },
  NOTHING_CHANGES(
    'without a certificate: nothing (EHL-03)',
    'plain without a certificate',
    'h',
    'SIZE 1',
    'AUTH PLAIN',
  ),
  {
    what: 'inside TLS, STARTTLS is removed (EHL-04)',
    security: 'tls',
    from: ['h', 'STARTTLS', 'HELP'],
    to: ['h', 'HELP'],
  },
  {
    what: 'also as the last keyword (EHL-05)',
    security: 'tls',
    from: ['h', 'SIZE 1', 'STARTTLS'],
    to: ['h', 'SIZE 1'],
  },
  { what: 'also as the only keyword (EHL-06)', security: 'tls', from: ['h', 'STARTTLS'], to: ['h'] },
  {
    what: 'also in lower case and with blanks (EHL-07)',
    security: 'tls',
    from: ['h', 'StartTls ', 'STARTTLS\t', 'starttls'],
    to: ['h'],
  },
  NOTHING_CHANGES('the first line is no keyword (EHL-08)', 'tls', 'STARTTLS.example.net greets you', 'SIZE'),
  NOTHING_CHANGES(
    'AUTH passes unencrypted (EHL-10)',
    'plain without a certificate',
    'h',
    'AUTH PLAIN',
    'AUTH=PLAIN LOGIN',
  ),
  {
    what: 'mechanisms that cannot work through the proxy are removed (EHL-11)',
    security: 'tls',
    from: ['h', 'AUTH GSSAPI DIGEST-MD5 EXTERNAL PLAIN'],
    to: ['h', 'AUTH PLAIN'],
  },
  {
    what: 'and AUTH with the last of them (EHL-11)',
    security: 'tls',
    from: ['h', 'SIZE', 'AUTH GSSAPI'],
    to: ['h', 'SIZE'],
  },
  {
    what: 'trust extensions are removed (TLS) (EHL-12)',
    security: 'tls',
    from: ['h', ...TRUSTING, 'SIZE'],
    to: ['h', 'SIZE'],
  },
  {
    what: 'trust extensions are removed (unencrypted) (EHL-12)',
    security: 'plain without a certificate',
    from: ['h', ...TRUSTING, 'SIZE'],
    to: ['h', 'SIZE'],
  },
  NOTHING_CHANGES('what is unknown passes (EHL-13)', 'tls', 'h', 'X-FUTURE 1'),
  NOTHING_CHANGES('CHUNKING and BINARYMIME pass (EHL-14)', 'tls', 'h', 'CHUNKING', 'BINARYMIME'),
  NOTHING_CHANGES('SIZE (EHL-16)', 'tls', 'h', 'SIZE'),
  NOTHING_CHANGES('SIZE 0 (EHL-16)', 'tls', 'h', 'SIZE 0'),
  NOTHING_CHANGES('SIZE 20971520 (EHL-16)', 'tls', 'h', 'SIZE 20971520'),
  NOTHING_CHANGES('what the upstream does not offer is not offered (EHL-18)', 'tls', 'h', '8BITMIME'),
  NOTHING_CHANGES('900 lines (EHL-22)', 'tls', 'h', ...MANY),
  {
    what: '901 lines (EHL-22)',
    security: 'plain',
    from: ['h', ...MANY],
    to: ['h', ...MANY.slice(0, -1), 'STARTTLS', MANY.at(-1)!],
  },
  NOTHING_CHANGES('bytes above 127 (EHL-26)', 'tls', 'h\u0080\u00ff', 'X-\u00c3\u00a9 \u00a0', '\u00fe'),
]

describe('A client that sends EHLO reads', () => {
  for (const { what, security, from, to } of CASES) {
    test(what, () =>
      on(security, async (session) => {
        assert.equal(await session.ehlo(ehloReply(from)), ehloReply(to))
        await session.goesOn()
      }),
    )
  }

  test('the same list if the upstream writes it byte by byte (EHL-02)', () =>
    on('plain', async (session) => {
      const { client, upstream } = session
      await client.send('EHLO app.example\r\n')
      await session.reaches('EHLO app.example\r\n')
      await upstream.trickle(ehloReply(['h', 'SIZE']))
      assert.equal(await client.readReply(), ehloReply(['h', 'STARTTLS', 'SIZE']))
    }))

  test('AUTH only after STARTTLS if TLS is required (EHL-09)', () =>
    on('plain where TLS is required', async (session) => {
      const offer = ehloReply(['h', 'AUTH PLAIN LOGIN', 'AUTH=PLAIN LOGIN', 'SIZE'])
      assert.equal(await session.ehlo(offer), ehloReply(['h', 'STARTTLS', 'SIZE']))
      await session.startTls()
      assert.equal(await session.ehlo(offer), offer)
      assert.deepEqual(
        session.recorded.all('capabilities').map(({ removed, added }) => ({ removed, added })),
        [{ removed: ['AUTH', 'AUTH'], added: ['STARTTLS'] }],
      )
    }))

  test('REQUIRETLS only inside TLS (EHL-15)', () =>
    on('plain', async (session) => {
      const offer = ehloReply(['h', 'REQUIRETLS', 'SIZE'])
      assert.equal(await session.ehlo(offer), ehloReply(['h', 'STARTTLS', 'SIZE']))
      await session.startTls()
      assert.equal(await session.ehlo(offer), offer)
    }))

  test('the current list, also if it changes after AUTH (EHL-17)', () =>
    on('tls', async (session) => {
      const first = ehloReply(['h', 'AUTH PLAIN', 'LIMITS RCPTMAX=50 MAILMAX=10000'])
      const second = ehloReply(['h', 'LIMITS RCPTMAX=10 MAILMAX=1'])
      assert.equal(await session.ehlo(first), first)
      assert.equal(await session.relayed('AUTH PLAIN AGEAYg==\r\n', '235 2.7.0 ok\r\n'), '235 2.7.0 ok\r\n')
      assert.equal(await session.ehlo(second), second)
    }))

  test('line ends as the upstream writes them (EHL-23)', () =>
    on('tls', async (session) => {
      assert.equal(await session.ehlo('250-h\n250-STARTTLS\n250-SIZE\n250 HELP\n'), '250-h\n250-SIZE\n250 HELP\n')
      await session.goesOn()
    }))

  test('only what the upstream offers inside its TLS (EHL-25)', async () => {
    const rig = rigs.get('plain')!
    const client = await rig.client()
    const upstream = await rig.upstream.accept()
    await playPreamble(upstream, { identity: rig.identity, capabilities: ['ONLY-BEFORE-TLS', 'SIZE 1', 'STARTTLS'] })
    await client.readReply()
    await client.send('EHLO app.example\r\n')
    await upstream.readUntil('EHLO app.example\r\n')
    await upstream.send(ehloReply(['h', 'SIZE 2']))
    assert.equal(await client.readReply(), ehloReply(['h', 'SIZE 2']))
    client.destroy()
    upstream.destroy()
    await rig.quiet()
  })
})

describe('The upstream reads', () => {
  for (const said of [
    'eHlO  Foo.Example  \r\n',
    'EHLO app\n',
    'EHLO [192.0.2.1]\r\n',
    'ehlo \u00ff\u0000\r\n',
    'EHLO\r\n',
  ]) {
    test(`${JSON.stringify(said)} as the client wrote it (EHL-01)`, () =>
      on('plain', async (session) => {
        assert.equal(await session.relayed(said, ehloReply(['h', 'SIZE'])), ehloReply(['h', 'STARTTLS', 'SIZE']))
      }))
  }
})

describe('An EHLO that is refused', () => {
  const REFUSED = '502 5.5.1 not here\r\n'

  test('is relayed, and so are HELO and a message after it; BDAT is then no chunk (EHL-19)', () =>
    on('tls', async (session) => {
      assert.equal(await session.ehlo(REFUSED), REFUSED)
      assert.equal(await session.relayed('HELO app\r\n', '250 h\r\n'), '250 h\r\n')
      const mail = [
        ['MAIL FROM:<a@example.com>\r\n', '250 2.1.0 ok\r\n'],
        ['RCPT TO:<b@example.net>\r\n', '250 2.1.5 ok\r\n'],
        ['DATA\r\n', '354 go\r\n'],
        ['Subject: x\r\n\r\nx\r\n.\r\n', '250 2.0.0 ok\r\n'],
        ['BDAT 5 LAST\r\n', '500 5.5.1 what\r\n'],
      ] as const
      for (const [said, answer] of mail) assert.equal(await session.relayed(said, answer), answer)
      await session.goesOn()
      assert.equal(session.recorded.all('tx-commit').length, 1)
      assert.equal(session.recorded.all('session-opaque').length, 0)
    }))

  for (const answer of ['550 5.7.1 no\r\n', '501 5.5.4 what\r\n', '554-no\r\n554 no\r\n', '451 4.3.0 later\r\n']) {
    test(`by ${answer.slice(0, 3)}: is relayed, and the session continues (EHL-20)`, () =>
      on('plain', async (session) => {
        assert.equal(await session.ehlo(answer), answer)
        await session.goesOn()
      }))
  }

  test('by 421: is relayed, and the close is mirrored (EHL-20)', () =>
    on('plain', async (session) => {
      assert.equal(await session.ehlo('421 4.3.2 bye\r\n'), '421 4.3.2 bye\r\n')
      await session.upstream.end()
      assert.equal(await session.client.closed(), 'fin')
    }))
})

describe('A second EHLO', () => {
  test('is relayed, and ends the transaction (EHL-21)', () =>
    on('tls', async (session) => {
      await session.ehlo()
      await session.relayed('MAIL FROM:<a@example.com>\r\n', '250 2.1.0 ok\r\n')
      assert.equal(await session.ehlo(), ehloReply())
      assert.equal(session.recorded.one('tx-reset').outcome, 'aborted')
    }))
})
