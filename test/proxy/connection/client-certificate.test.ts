/** The listener's certificate while sessions are open: replaced, broken, and what a session keeps. */
import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { describe, type TestContext, test } from 'node:test'
import { ClientRig, ehloReply, type GreetedSession, type Listener } from '../../support/in-process/client-rig.ts'
import { playPreamble } from '../../support/sockets/scripted-peers.ts'
import { hasOpenssl } from '../../support/tls/openssl-upstream.ts'

async function open(context: TestContext, listener: Listener = 'starttls'): Promise<ClientRig> {
  const rig = await ClientRig.open({ listener })
  context.after(() => rig.close())
  return rig
}

/** The certificate that a client of this session was shown. */
function shown({ client }: GreetedSession): string | undefined {
  return client.tls?.getPeerX509Certificate()?.fingerprint256
}

function fingerprint(pem: string): string {
  return new X509Certificate(pem).fingerprint256
}

describe('The certificate of a listener', () => {
  test('is shown to the next client after a replacement, and sessions inside TLS continue (TLC-16)', async (context) => {
    const rig = await open(context)
    const old = await rig.greeted()
    await old.startTls()
    const waiting = await rig.greeted()
    const { cert } = await rig.replaceCertificate()
    assert.equal(await rig.certificate.refresh(), 'reloaded')
    await old.goesOn()
    assert.notEqual(shown(old), fingerprint(cert))
    // greeted before the change, and in TLS after it
    await waiting.startTls()
    assert.equal(shown(waiting), fingerprint(cert))
    const next = await rig.greeted()
    await next.startTls()
    assert.equal(shown(next), fingerprint(cert))
    for (const session of [old, waiting, next]) await session.goesOn()
    await Promise.all([old, waiting, next].map((session) => session.end()))
  })

  test('also on a listener with TLS from the first byte (TLC-16)', async (context) => {
    const rig = await open(context, 'smtps')
    const old = await rig.greeted()
    const { cert } = await rig.replaceCertificate()
    await rig.certificate.refresh()
    await old.goesOn()
    await old.end()
    const next = await rig.greeted()
    assert.equal(shown(next), fingerprint(cert))
    await next.end()
  })

  const BROKEN: readonly (readonly [what: string, breakIt: (rig: ClientRig) => void])[] = [
    ['empty', (rig) => rig.writeFile('certFile', '')],
    ['half a file', (rig) => rig.writeFile('certFile', rig.identity.cert.slice(0, 200))],
    ['one whose key is not there yet', (rig) => rig.writeFile('keyFile', 'no key')],
  ]
  for (const [what, breakIt] of BROKEN) {
    test(`replaced by ${what} stays the old one (TLC-05)`, async (context) => {
      const rig = await open(context)
      breakIt(rig)
      const result = await rig.certificate.refresh()
      assert.ok(typeof result === 'object' && 'error' in result)
      const session = await rig.greeted()
      await session.startTls()
      assert.equal(shown(session), fingerprint(rig.identity.cert))
      await session.goesOn()
      await session.end()
    })
  }
})

describe('A TLS session that a client resumes', () => {
  /** A session that offers `ticket`; returns whether it was taken, and the ticket for the next one. */
  async function resume(rig: ClientRig, ticket?: Buffer): Promise<{ reused: boolean; next: Buffer | undefined }> {
    const session = await rig.greeted()
    await session.answered('STARTTLS\r\n')
    await session.client.secureAsClient({ ...rig.clientTls, ...(ticket && { session: ticket }) })
    await session.goesOn() // TLS 1.3 sends tickets behind the handshake (RFC 8446 4.6.1)
    const { tls } = session.client
    const found = { reused: tls?.isSessionReused() ?? false, next: tls?.getSession() }
    await session.end()
    return found
  }

  // the keys of tickets belong to one secure context: neither another event loop nor a later context can use them
  test('is resumed, and with another secure context begins again without an error (TLC-18)', async (context) => {
    const rig = await open(context)
    const first = await resume(rig)
    const second = await resume(rig, first.next)
    assert.deepEqual([first.reused, second.reused], [false, true])
    await rig.replaceCertificate()
    await rig.certificate.refresh()
    assert.equal((await resume(rig, second.next)).reused, false)
  })
})

/** `openssl s_client`, which can ask for new keys at any time (RFC 8446 4.6.3); Node's own client cannot. */
class OpensslClient {
  readonly #process: ChildProcessWithoutNullStreams
  #output = ''
  #look: () => void = () => {}

  constructor(port: number) {
    const args = ['s_client', '-starttls', 'smtp', '-tls1_3', '-crlf', '-connect', `127.0.0.1:${port}`]
    this.#process = spawn('openssl', args)
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream.on('data', (chunk) => {
        this.#output += chunk
        this.#look()
      })
    }
    this.#process.on('exit', () => this.#look())
  }

  /** Waits until `text` was written `times` times; fails if openssl ended before or is silent for 5 s. */
  async said(text: string, times = 1): Promise<void> {
    while (this.#output.split(text).length - 1 < times) {
      assert.equal(this.#process.exitCode, null, this.#output)
      await new Promise<void>((look, silent) => {
        const timer = setTimeout(() => silent(new Error(`openssl did not say ${text}: ${this.#output}`)), 5000)
        this.#look = () => {
          clearTimeout(timer)
          look()
        }
      })
    }
  }

  say(line: string): void {
    this.#process.stdin.write(`${line}\n`)
  }

  async close(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const ended = once(this.#process, 'exit')
    this.#process.kill()
    await ended
  }
}

describe('A client that asks for new keys again and again', () => {
  test('is served, and so are other clients (200 KeyUpdates) (TLC-15)', async (context) => {
    if (!(await hasOpenssl())) return context.skip('openssl is not installed')
    const rig = await open(context)
    const good = await rig.greeted()
    await good.startTls()
    const client = new OpensslClient(rig.port)
    context.after(() => client.close())
    const upstream = await rig.upstream.accept()
    await playPreamble(upstream, { identity: rig.identity })
    await upstream.readUntil('EHLO mail.example.com\r\n')
    await upstream.send(ehloReply())
    await client.said('250 ENHANCEDSTATUSCODES')
    for (let count = 1; count <= 200; count += 1) {
      client.say('K')
      await client.said('KEYUPDATE', count)
      if (count % 20 === 0) await good.goesOn()
    }
    client.say('NOOP')
    await upstream.readUntil('NOOP\r\n')
    await upstream.send('250 still here\r\n')
    await client.said('250 still here')
    await client.close()
    upstream.destroy()
    await good.end()
  })
})
