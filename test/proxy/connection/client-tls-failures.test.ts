/** TLS failures of apps: each is reported once, with its cause, and never as a failure of the upstream. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { after, before, describe, test } from 'node:test'
import * as tls from 'node:tls'
import * as localReplies from '../../../proxy/session/local-replies.ts'
import { ClientRig } from '../../support/in-process/client-rig.ts'
import type { RecordedSession } from '../../support/in-process/recorder.ts'
import type { Peer } from '../../support/sockets/scripted-peers.ts'
import { TamperingRelay } from '../../support/sockets/tampering-relay.ts'
import { encryptedAlert, trafficSecret, UNKNOWN_CA } from '../../support/tls/tls-alert.ts'

/** OpenSSL offers these versions only at its lowest security level. */
const OLD = { ciphers: 'ALL:@SECLEVEL=0' }
const HALF_A_HELLO = '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'
/** The start of a TLS handshake, as far as a server can know. */
const HELLO = `${HALF_A_HELLO}${'\n'.repeat(600)}`

interface Failure {
  readonly what: string
  /** What the client does when TLS is expected. */
  readonly does: (client: Peer) => Promise<unknown>
  readonly error: string
  readonly detail?: string
}

/** A client that begins TLS with these options; its failure is expected. */
function begins(options: tls.ConnectionOptions): Failure['does'] {
  return (client) => client.secureAsClient({ ...options, servername: 'localhost' }).catch(() => client.destroy())
}

const FAILURES: readonly Failure[] = [
  {
    what: 'a Node.js client that does not trust the certificate: it closes without an alert',
    does: begins({}),
    error: 'app_tls_abandoned',
  },
  {
    what: 'a client that speaks TLS 1.1 at most',
    does: begins({ ...OLD, minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1' }),
    error: 'app_tls_version',
    detail: 'ERR_SSL_UNSUPPORTED_PROTOCOL',
  },
  {
    what: 'a client that has no cipher suite in common with the proxy',
    does: begins({ maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' }),
    error: 'app_tls_no_shared_cipher',
    detail: 'ERR_SSL_NO_SHARED_CIPHER',
  },
  {
    what: 'a client that demands another application protocol',
    does: begins({ ALPNProtocols: ['h2'] }),
    error: 'app_tls_alpn',
    detail: 'ERR_SSL_NO_APPLICATION_PROTOCOL',
  },
  {
    what: 'a client that speaks SMTP without TLS',
    does: (client) => client.send('EHLO app\r\n'),
    error: 'app_tls_plaintext',
    detail: 'ERR_SSL_WRONG_VERSION_NUMBER',
  },
  {
    what: 'a client that speaks HTTP',
    does: (client) => client.send('GET / HTTP/1.1\r\n\r\n'),
    error: 'app_tls_plaintext',
    detail: 'ERR_SSL_HTTP_REQUEST',
  },
  {
    what: 'a record that holds no handshake',
    does: (client) => client.send('\x16\x03\x01\x00\x04garb'),
    error: 'app_tls_failed',
    detail: 'ERR_SSL_UNEXPECTED_MESSAGE',
  },
  {
    what: 'a client that closes in the middle of its hello',
    does: async (client) => {
      await client.send(HALF_A_HELLO)
      await client.end()
    },
    error: 'app_tls_closed',
  },
]

/** What the proxy reports about a session that a TLS failure ended. */
function reported(session: RecordedSession) {
  const { reason, by } = session.one('session-close')
  const { error, detail } = session.one('tls-failed')
  return { reason, by, error, ...(detail !== undefined && { detail }) }
}

function expected({ error, detail }: Pick<Failure, 'error' | 'detail'>) {
  return { reason: 'tls_failed', by: 'client', error, ...(detail !== undefined && { detail }) }
}

describe('On an smtps:// listener', () => {
  let rig: ClientRig
  before(async () => {
    rig = await ClientRig.open({ listener: 'smtps' })
  })
  after(() => rig.close())

  /** The next session, after its client has done something. */
  async function next(does: (client: Peer) => Promise<unknown>, at = rig): Promise<RecordedSession> {
    const index = at.recorder.sessions.length
    const client = await at.client()
    await does(client)
    const session = await at.recorder.ended(index)
    client.destroy()
    return session
  }

  for (const failure of FAILURES) {
    test(`${failure.what} is reported as ${failure.error}`, async () => {
      assert.deepEqual(reported(await next(failure.does)), expected(failure))
    })
  }

  for (const [how, does] of [
    ['closes', (client: Peer) => client.end()],
    ['resets', (client: Peer) => client.reset()],
  ] as const) {
    test(`a probe that ${how} the connection without a byte is no TLS failure`, async () => {
      const session = await next(does)
      assert.equal(session.one('session-close').reason, 'client_closed')
      assert.deepEqual(session.all('tls-failed'), [])
    })
  }

  test('a client that waits for a greeting without TLS is reported as app_tls_timeout', async () => {
    const hasty = await ClientRig.open({ listener: 'smtps', limits: { handshakeMs: 100 } })
    try {
      const session = await next((client) => client.closed(), hasty)
      assert.deepEqual(reported(session), expected({ error: 'app_tls_timeout' }))
    } finally {
      await hasty.close()
    }
  })

  test('a client that rejects the certificate with an alert is reported with that alert', async (context) => {
    const index = rig.recorder.sessions.length
    const ran = await runs('openssl', ['s_client', '-verify_return_error', '-connect', `127.0.0.1:${rig.port}`])
    if (!ran) return context.skip('openssl is not installed')
    const failure = { error: 'app_tls_certificate_rejected', detail: 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA' }
    assert.deepEqual(reported(await rig.recorder.ended(index)), expected(failure))
  })

  test('an alert after the handshake is also recognised', async () => {
    const own = await ClientRig.open({ listener: 'smtps' })
    const relay = await TamperingRelay.open(own.port)
    const client = tls.connect({ ...own.clientTls, port: relay.port, ciphers: 'TLS_AES_128_GCM_SHA256' })
    client.on('error', () => {})
    let secret: Buffer | undefined
    client.on('keylog', (line) => {
      secret ??= trafficSecret(line)
    })
    await own.preamble(await own.upstream.accept())
    await once(client, 'data') // the greeting: both sides have finished the handshake
    relay.tamper({ kind: 'in-front', bytes: encryptedAlert(secret!, UNKNOWN_CA) })
    client.write('QUIT\r\n')
    const session = await own.recorder.ended(0)
    client.destroy()
    assert.equal(session.all('tls').length, 1, 'the handshake had succeeded')
    const failure = { error: 'app_tls_certificate_rejected', detail: 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA' }
    assert.deepEqual(reported(session), expected(failure))
    await relay.close()
    await own.close()
  })

  test('a health check that completes the handshake and closes is no TLS failure', async () => {
    const session = await next(async (client) => {
      await client.secureAsClient(rig.clientTls)
      await client.end()
    })
    assert.deepEqual(session.all('tls-failed'), [])
    assert.equal(session.one('session-close').reason, 'client_closed')
  })
})

describe('After STARTTLS', () => {
  let rig: ClientRig
  before(async () => {
    rig = await ClientRig.open({ listener: 'starttls' })
  })
  after(() => rig.close())

  /** The session of a client that has read the 220 and then done something. */
  async function readyForTls(does: (client: Peer) => Promise<unknown>): Promise<RecordedSession> {
    const session = await rig.greeted()
    assert.match(await session.answered('STARTTLS\r\n'), /^220 /)
    await does(session.client)
    await session.upstream.closed()
    assert.equal(session.upstream.log.unread.toString('latin1'), '')
    await session.end()
    return session.recorded
  }

  for (const failure of FAILURES) {
    test(`${failure.what} is reported as ${failure.error}`, async () => {
      assert.deepEqual(reported(await readyForTls(failure.does)), expected(failure))
    })
  }

  test('a client that closes silently after the handshake is reported as app_tls_abandoned', async () => {
    const session = await readyForTls(async (client) => {
      await client.secureAsClient(rig.clientTls)
      await client.end()
    })
    assert.deepEqual(reported(session), expected({ error: 'app_tls_abandoned' }))
  })

  test('a client that closes after a command inside TLS is no TLS failure', async () => {
    const session = await rig.greeted()
    await session.startTls()
    await session.goesOn()
    await session.client.end()
    await session.upstream.closed()
    await session.end()
    assert.equal(session.recorded.one('session-close').reason, 'client_closed')
    assert.deepEqual(session.recorded.all('tls-failed'), [])
  })
})

for (const listener of ['plain', 'starttls', 'starttls-required'] as const) {
  describe(`TLS without STARTTLS on a ${listener} listener`, () => {
    let rig: ClientRig
    before(async () => {
      rig = await ClientRig.open({ listener })
    })
    after(() => rig.close())

    /** The app reads plain text, as from AhaSend's own port. The session with number `index` ends. */
    async function isRefused(client: Peer, index: number): Promise<void> {
      assert.equal(await client.readReply(), localReplies.TLS_ON_PLAIN_LISTENER.bytes.toString())
      assert.equal(await client.closed(), 'fin')
      client.destroy()
      const { reason, by, error } = reported(await rig.recorder.ended(index))
      assert.deepEqual({ reason, by, error }, { reason: 'tls_failed', by: 'proxy', error: 'app_tls_on_plain_listener' })
    }

    test('is refused before the greeting', async () => {
      const index = rig.recorder.sessions.length
      const client = await rig.client()
      await client.send(HELLO)
      await isRefused(client, index)
      const upstream = await rig.upstream.accept()
      assert.equal(await upstream.closed(), 'fin')
      upstream.destroy()
    })

    for (const [how, send] of [
      ['at once', (client: Peer) => client.send(HELLO)],
      ['byte by byte', (client: Peer) => client.trickle(HALF_A_HELLO)],
    ] as const) {
      test(`is refused after the greeting: sent ${how}`, async () => {
        const index = rig.recorder.sessions.length
        const session = await rig.greeted()
        await send(session.client)
        await session.upstream.closed()
        assert.equal(session.upstream.log.unread.length, 0)
        session.upstream.destroy()
        await isRefused(session.client, index)
      })
    }
  })
}

test('what looks like TLS later in a session is relayed', async () => {
  const rig = await ClientRig.open({ listener: 'plain' })
  const session = await rig.greeted()
  await session.relayed('NOOP\r\n', '250 ok\r\n')
  await session.relayed('\x16\x03\x01\r\n', '500 what\r\n')
  await session.end()
  assert.deepEqual(session.recorded.all('tls-failed'), [])
  await rig.close()
})

/** Resolves with false if there is no such program; its exit code does not matter. */
function runs(program: string, args: readonly string[]): Promise<boolean> {
  return new Promise((settle) => {
    const child = execFile(program, args, (error) => settle(error?.code !== 'ENOENT'))
    child.stdin?.end()
  })
}
