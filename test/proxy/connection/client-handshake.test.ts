/** The TLS handshake with a client, and what goes wrong in it: nothing may stay behind, and nobody else may notice. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type * as tls from 'node:tls'
import { ClientRig, type GreetedSession } from '../../support/client-rig.ts'
import { type Tampering, TamperingRelay } from '../../support/tampering-relay.ts'

let rig: ClientRig
before(async () => {
  rig = await ClientRig.open({ listener: 'starttls' })
})
after(() => rig.close())

/** Runs `use` with a session whose client has read the 220 and says nothing yet; makes sure that nothing of it is left. */
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

/** The code of the error that a handshake with these options ends in, or the protocol that it ends with. */
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
  { what: 'TLC-13: TLS 1.3 is spoken', options: { minVersion: 'TLSv1.3' }, outcome: 'TLSv1.3' },
  { what: 'TLC-13: TLS 1.2 is spoken', options: { maxVersion: 'TLSv1.2' }, outcome: 'TLSv1.2' },
  {
    what: 'TLC-13: TLS 1.1 is not',
    options: { ...OLD, minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1' },
    outcome: TOO_OLD,
  },
  { what: 'TLC-13: TLS 1.0 is not', options: { ...OLD, minVersion: 'TLSv1', maxVersion: 'TLSv1' }, outcome: TOO_OLD },
  {
    what: 'TLC-17: a client that wants another protocol is refused (RFC 7301 3.2)',
    options: { ALPNProtocols: ['h2', 'http/1.1'] },
    outcome: 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL',
  },
  { what: 'TLC-17: one that wants none is not', options: {}, outcome: 'TLSv1.3' },
  { what: 'TLC-17: nor one that knows smtp', options: { ALPNProtocols: ['h2', 'smtp'] }, outcome: 'TLSv1.3' },
  {
    what: 'TLC-17: a name that is not ours is shown the same certificate, which the client refuses',
    options: { servername: 'other.example' },
    outcome: 'ERR_TLS_CERT_ALTNAME_INVALID',
  },
  {
    what: 'TLC-22: a post-quantum key share is taken or declined, never an error',
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

  test('TLC-14: is not repeated: a client of TLS 1.2 that renegotiates is refused', () =>
    readyForTls(async (session) => {
      await handshake(session, { maxVersion: 'TLSv1.2' })
      const outcome = await new Promise<string>((told) => {
        const socket = session.client.tls
        socket?.on('error', (error: NodeJS.ErrnoException) => told(error.code ?? 'error'))
        socket?.renegotiate({}, (error) => told(error === null ? 'renegotiated' : 'refused'))
      })
      assert.notEqual(outcome, 'renegotiated')
    }))

  test('TLC-22: of a hello that comes octet by octet succeeds', () =>
    throughRelay(async (session, relay) => {
      relay.tamper({ kind: 'trickle' })
      await session.client.secureAsClient(rig.clientTls)
      assert.ok(relay.passed > 200, 'the hello went through the relay')
      await session.goesOn()
    }))

  test('TLC-22: of a hello longer than a record succeeds', () =>
    throughRelay(async (session, relay) => {
      relay.tamper({ kind: 'none' })
      const padding = Array.from({ length: 80 }, (_, index) => `${index}`.padStart(220, 'x'))
      await session.client.secureAsClient({ ...rig.clientTls, ALPNProtocols: [...padding, 'smtp'] })
      await session.goesOn()
    }))

  for (const delayMs of [0, 1, 50]) {
    test(`TLC-25: begun ${delayMs} ms after the 220 succeeds`, () =>
      readyForTls(async (session) => {
        if (delayMs > 0) await new Promise((later) => setTimeout(later, delayMs))
        await session.client.secureAsClient(rig.clientTls)
        await session.goesOn()
      }))
  }

  test('TLC-25: with the first command glued to its last octets succeeds, and no octet is lost between the layers', () =>
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
  /** The session ends, the upstream hears nothing but the end, and the telemetry says that TLS failed. */
  async function failsWith(octets: string): Promise<void> {
    await readyForTls(async ({ client, upstream, recorded }) => {
      await client.send(octets)
      await client.closed()
      await upstream.closed()
      assert.equal(upstream.log.unread.toString('latin1'), '')
      await upstream.end()
      await rig.quiet()
      const { reason, by } = recorded.one('session-close')
      assert.deepEqual({ reason, by }, { reason: 'tls_failed', by: 'client' })
    })
  }

  test('TLC-11: because HTTP comes in its place', () => failsWith('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'))
  test('TLC-11: because SMTP goes on in the clear', () => failsWith('EHLO app\r\n'))
  test('TLC-11: because of garbage in a record', () => failsWith('\u0016\u0003\u0001\u0000\u0004garb'))
  test('TLC-11: because an alert comes in its place', () => failsWith('\u0015\u0003\u0001\u0000\u0002\u0002\u0028'))

  test('TLC-10: because half a hello is followed by silence: ended by the timer', async () => {
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

  test('TLC-10: on a listener with TLS from the first octet too', async () => {
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

  // 2,000 handshakes in the catalogue; 120 keep the test short: 20 points, both ways, three times
  for (const how of ['fin', 'reset'] as const) {
    test(`TLC-12: by a ${how} at any of 20 points leaves nothing behind (60 runs)`, async () => {
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

  /** How many octets a client sends until its handshake is done. */
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
  test('TLC-21: what follows a close_notify in the clear does not reach the upstream', () =>
    throughRelay(async (session, relay) => {
      const { client, upstream } = session
      await client.secureAsClient(rig.clientTls)
      await session.ehlo('250-h\r\n250 CHUNKING\r\n')
      await session.relayed('MAIL FROM:<a@example.com>\r\n', '250 ok\r\n')
      await session.relayed('RCPT TO:<b@example.net>\r\n', '250 ok\r\n')
      await client.send(`BDAT 100 LAST\r\n${'x'.repeat(50)}`)
      await session.reaches(`BDAT 100 LAST\r\n${'x'.repeat(50)}`)
      relay.tamper({ kind: 'at-end', octets: Buffer.from(`${'y'.repeat(50)}\r\nMAIL FROM:<evil@example.com>\r\n`) })
      await client.end()
      await upstream.closed()
      assert.equal(upstream.log.unread.toString('latin1'), '')
    }))

  test('TLC-24: a body in records of one octet arrives whole (32 KiB)', () =>
    readyForTls(async (session) => {
      const { client } = session
      await client.secureAsClient(rig.clientTls)
      await session.ehlo()
      await session.relayed('MAIL FROM:<a@example.com>\r\n', '250 ok\r\n')
      await session.relayed('RCPT TO:<b@example.net>\r\n', '250 ok\r\n')
      await session.relayed('DATA\r\n', '354 go\r\n')
      const body = `${Array.from({ length: 512 }, (_, line) => `${line}`.padStart(62, '.')).join('\r\n')}\r\n.\r\n`
      const sent = (async () => {
        for (const octet of Buffer.from(body)) await client.send(Buffer.of(octet))
      })()
      for (const line of body.split(/(?<=\n)/)) await session.reaches(line) // all of it may take longer than one wait
      await sent
      await session.upstream.send('250 2.0.0 ok\r\n')
      assert.equal(await client.readReply(), '250 2.0.0 ok\r\n')
    }))
})
