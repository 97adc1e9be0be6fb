/** The TLS handshake with a client, and its failures: nothing may be left, and other clients may not notice. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type * as tls from 'node:tls'
import { ClientRig, type GreetedSession } from '../../support/in-process/client-rig.ts'
import { type Tampering, TamperingRelay } from '../../support/sockets/tampering-relay.ts'

let rig: ClientRig
before(async () => {
  rig = await ClientRig.open({ listener: 'starttls' })
})
after(() => rig.close())

/** Runs `use` with a session whose client has read the 220 and sent nothing yet; makes sure that nothing of it is left. */
async function readyForTls(use: (session: GreetedSession) => Promise<void>, port = rig.port): Promise<void> {
  const session = await rig.greeted({ port })
  try {
    assert.match(await session.answered('STARTTLS\r\n'), /^220 /)
    await use(session)
  } finally {
    await session.end()
  }
}

/** The same with a relay between client and proxy. */
async function throughRelay(use: (session: GreetedSession, relay: TamperingRelay) => Promise<void>): Promise<void> {
  const relay = await TamperingRelay.open(rig.port)
  try {
    await readyForTls((session) => use(session, relay), relay.port)
  } finally {
    await relay.close()
  }
}

/** The code of the error that ends a handshake with these options, or the protocol that was negotiated. */
async function handshake({ client }: GreetedSession, options: tls.ConnectionOptions): Promise<string> {
  try {
    await client.secureAsClient({ ...rig.clientTls, ...options })
    return client.tls?.getProtocol() ?? 'none'
  } catch (error) {
    const { cause } = error as { cause?: { code?: string } }
    return cause?.code ?? String(error)
  }
}

interface Case {
  readonly what: string
  readonly options: tls.ConnectionOptions
  readonly outcome: string
}

/** OpenSSL offers these versions only at its lowest security level. */
const OLD = { ciphers: 'ALL:@SECLEVEL=0' }
const TOO_OLD = 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION'

const CASES: readonly Case[] = [
  { what: 'TLS 1.3 is accepted (TLC-13)', options: { minVersion: 'TLSv1.3' }, outcome: 'TLSv1.3' },
  { what: 'TLS 1.2 is accepted (TLC-13)', options: { maxVersion: 'TLSv1.2' }, outcome: 'TLSv1.2' },
  {
    what: 'TLS 1.1 is not (TLC-13)',
    options: { ...OLD, minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1' },
    outcome: TOO_OLD,
  },
  { what: 'TLS 1.0 is not (TLC-13)', options: { ...OLD, minVersion: 'TLSv1', maxVersion: 'TLSv1' }, outcome: TOO_OLD },
  {
    what: 'a client that demands another protocol is refused (RFC 7301 3.2) (TLC-17)',
    options: { ALPNProtocols: ['h2', 'http/1.1'] },
    outcome: 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL',
  },
  { what: 'a client without ALPN is not (TLC-17)', options: {}, outcome: 'TLSv1.3' },
  { what: 'nor one that also offers smtp (TLC-17)', options: { ALPNProtocols: ['h2', 'smtp'] }, outcome: 'TLSv1.3' },
  {
    what: 'a client that asks for another name gets the same certificate, and refuses it (TLC-17)',
    options: { servername: 'other.example' },
    outcome: 'ERR_TLS_CERT_ALTNAME_INVALID',
  },
  {
    what: 'a post-quantum key share is accepted or declined, and never an error (TLC-22)',
    options: { ecdhCurve: 'X25519MLKEM768' },
    outcome: 'TLSv1.3',
  },
]

describe('A handshake', () => {
  for (const { what, options, outcome } of CASES) {
    test(what, () =>
      readyForTls(async (session) => {
        assert.equal(await handshake(session, options), outcome)
        if (outcome.startsWith('TLS')) return await session.goesOn()
        await session.upstream.closed()
        assert.equal(session.upstream.log.unread.length, 0)
      }),
    )
  }

  test('is not repeated: a TLS 1.2 client that renegotiates is refused (TLC-14, R16)', () =>
    readyForTls(async (session) => {
      await handshake(session, { maxVersion: 'TLSv1.2' })
      const outcome = await new Promise<string>((settle) => {
        const socket = session.client.tls
        socket?.on('error', (error: NodeJS.ErrnoException) => settle(error.code ?? 'error'))
        socket?.renegotiate({}, (error) => settle(error === null ? 'renegotiated' : 'refused'))
      })
      assert.notEqual(outcome, 'renegotiated')
    }))

  test('with a hello that arrives byte by byte succeeds (TLC-22)', () =>
    throughRelay(async (session, relay) => {
      relay.tamper({ kind: 'trickle' })
      await session.client.secureAsClient(rig.clientTls)
      assert.ok(relay.passed > 200, 'the hello went through the relay')
      await session.goesOn()
    }))

  test('with a hello longer than a record succeeds (TLC-22)', () =>
    throughRelay(async (session, relay) => {
      relay.tamper({ kind: 'none' })
      const padding = Array.from({ length: 80 }, (_, index) => `${index}`.padStart(220, 'x'))
      await session.client.secureAsClient({ ...rig.clientTls, ALPNProtocols: [...padding, 'smtp'] })
      await session.goesOn()
    }))

  for (const delayMs of [0, 1, 50]) {
    test(`begun ${delayMs} ms after the 220 succeeds (TLC-25)`, () =>
      readyForTls(async (session) => {
        if (delayMs > 0) await new Promise((later) => setTimeout(later, delayMs))
        await session.client.secureAsClient(rig.clientTls)
        await session.goesOn()
      }))
  }

  test('with the first command right after its last bytes succeeds, and no byte is lost between the layers (TLC-25)', () =>
    readyForTls(async (session) => {
      const secured = session.client.secureAsClient(rig.clientTls)
      session.client.tls?.write('NOOP glued\r\n')
      await secured
      await session.reaches('NOOP glued\r\n')
      await session.upstream.send('250 ok\r\n')
      assert.equal(await session.client.readReply(), '250 ok\r\n')
    }))
})

describe('A handshake that fails', () => {
  /** The session ends, the upstream gets nothing but the end, and telemetry reports that TLS failed. */
  async function failsWith(bytes: string): Promise<void> {
    await readyForTls(async ({ client, upstream, recorded }) => {
      await client.send(bytes)
      await client.closed()
      await upstream.closed()
      assert.equal(upstream.log.unread.toString('latin1'), '')
      await upstream.end()
      await rig.quiet()
      const { reason, by } = recorded.one('session-close')
      assert.deepEqual({ reason, by }, { reason: 'tls_failed', by: 'client' })
    })
  }

  test('because HTTP arrives instead (TLC-11)', () => failsWith('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'))
  test('because SMTP continues unencrypted (TLC-11)', () => failsWith('EHLO app\r\n'))
  test('because of garbage in a record (TLC-11)', () => failsWith('\u0016\u0003\u0001\u0000\u0004garb'))
  test('because an alert arrives instead (TLC-11)', () => failsWith('\u0015\u0003\u0001\u0000\u0002\u0002\u0028'))

  test('because silence follows half a hello: the timer ends it (TLC-10)', async () => {
    const hasty = await ClientRig.open({ listener: 'starttls', limits: { handshakeMs: 100 } })
    try {
      const session = await hasty.greeted()
      const began = performance.now()
      await session.answered('STARTTLS\r\n')
      await session.client.send('\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003')
      await session.client.closed()
      assert.ok(performance.now() - began > 80, 'not before the timer')
      await session.upstream.closed()
      assert.equal(session.upstream.log.unread.length, 0)
      await session.end()
      assert.equal(session.recorded.one('session-close').reason, 'tls_failed')
    } finally {
      await hasty.close()
    }
  })

  test('also on a listener with TLS from the first byte (TLC-10)', async () => {
    const hasty = await ClientRig.open({ listener: 'smtps', limits: { handshakeMs: 100 } })
    try {
      const client = await hasty.client()
      await client.send('\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003')
      await client.closed()
      client.destroy()
      await hasty.quiet()
      assert.equal(hasty.recorder.sessions.length, 1)
    } finally {
      await hasty.close()
    }
  })

  // 120 handshakes keep the test short: 20 points, both ways, three times
  for (const how of ['fin', 'reset'] as const) {
    test(`by a ${how} at any of 20 points leaves nothing open (60 runs) (TLC-12)`, async () => {
      const whole = await handshakeLength()
      for (let run = 0; run < 60; run += 1) {
        await cutHandshake({ kind: 'cut', after: Math.floor(((run % 20) * whole) / 20), how })
      }
      await readyForTls(async (session) => {
        await session.client.secureAsClient(rig.clientTls)
        await session.goesOn()
      })
    })
  }

  /** The number of bytes that a client sends until its handshake is done. */
  async function handshakeLength(): Promise<number> {
    let length = 0
    await throughRelay(async (session, relay) => {
      relay.tamper({ kind: 'none' })
      await session.client.secureAsClient(rig.clientTls)
      await session.goesOn()
      length = relay.passed
    })
    return length
  }

  async function cutHandshake(tampering: Tampering): Promise<void> {
    await throughRelay(async (session, relay) => {
      relay.tamper(tampering)
      session.client.secureAsClient(rig.clientTls).catch(() => {}) // where it is cut, it ends by its own time limit
      await session.upstream.closed()
      assert.equal(session.upstream.log.unread.length, 0)
    })
  }
})

describe('After the handshake', () => {
  test('unencrypted bytes after a close_notify do not reach the upstream (TLC-21)', () =>
    throughRelay(async (session, relay) => {
      const { client, upstream } = session
      await client.secureAsClient(rig.clientTls)
      await session.ehlo('250-h\r\n250 CHUNKING\r\n')
      await session.relayed('MAIL FROM:<a@example.com>\r\n', '250 ok\r\n')
      await session.relayed('RCPT TO:<b@example.net>\r\n', '250 ok\r\n')
      await client.send(`BDAT 100 LAST\r\n${'x'.repeat(50)}`)
      await session.reaches(`BDAT 100 LAST\r\n${'x'.repeat(50)}`)
      relay.tamper({ kind: 'at-end', bytes: Buffer.from(`${'y'.repeat(50)}\r\nMAIL FROM:<evil@example.com>\r\n`) })
      await client.end()
      await upstream.closed()
      assert.equal(upstream.log.unread.toString('latin1'), '')
    }))

  test('a body in records of one byte arrives complete (32 KiB) (TLC-24)', () =>
    readyForTls(async (session) => {
      const { client } = session
      await client.secureAsClient(rig.clientTls)
      await session.ehlo()
      await session.relayed('MAIL FROM:<a@example.com>\r\n', '250 ok\r\n')
      await session.relayed('RCPT TO:<b@example.net>\r\n', '250 ok\r\n')
      await session.relayed('DATA\r\n', '354 go\r\n')
      const body = `${Array.from({ length: 512 }, (_, line) => `${line}`.padStart(62, '.')).join('\r\n')}\r\n.\r\n`
      const sent = (async () => {
        for (const byte of Buffer.from(body)) await client.send(Buffer.of(byte))
      })()
      for (const line of body.split(/(?<=\n)/)) await session.reaches(line) // all of it may take longer than one wait
      await sent
      await session.upstream.send('250 2.0.0 ok\r\n')
      assert.equal(await client.readReply(), '250 2.0.0 ok\r\n')
    }))
})
