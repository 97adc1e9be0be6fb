/** The end of the proxy as a process, and its effect on clients. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { AUTH_PLAIN, ask, mail } from '../simulator/client.ts'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'
import { writeTemporaryFiles } from '../support/files/temporary-files.ts'
import { assertSilent, inBody, loggedIn, startBefore, status } from '../support/processes/running-proxy.ts'
import { connectClient, type Peer } from '../support/sockets/scripted-peers.ts'
import { makeAuthority } from '../support/tls/certificates.ts'

const DRAINING = '421 4.3.2 ahasend-smtp-proxy: restarting, try again at once\r\n'

let simulator: Simulator
before(async () => {
  simulator = await startSimulator()
})
after(() => simulator.close())

describe('A drain', () => {
  test('closes the listener, is no longer ready, and ends idle sessions with a 421, spread over time (LIF-01)', async () => {
    await using proxy = await startBefore(simulator, { PROXY_DRAIN_TIMEOUT: '9s' })
    const clients = await loggedIn(proxy, 100)
    const exited = proxy.stop('SIGTERM')
    await proxy.line(({ msg }) => msg === 'drain')
    assert.deepEqual([await status(proxy, '/readyz'), await status(proxy, '/livez')], [503, 200])
    await assert.rejects(connectClient({ port: proxy.port }), { code: 'ECONNREFUSED' })
    const times = await Promise.all(clients.map(farewellOf))
    const spread = Math.max(...times) - Math.min(...times)
    assert.ok(spread > 900 && spread < 6000, `spread over a third of PROXY_DRAIN_TIMEOUT: ${spread} ms`)
    assert.equal(await exited, 0)
    assert.ok(!proxy.lines.some((line) => 'cut' in line), 'within PROXY_DRAIN_TIMEOUT')
    assertSilent(proxy)
  })

  test('SIGINT has the same effect as SIGTERM (LIF-01)', async () => {
    await using proxy = await startBefore(simulator, { PROXY_DRAIN_TIMEOUT: '6s' })
    const [client] = (await loggedIn(proxy, 1)) as [Peer]
    const exited = proxy.stop('SIGINT')
    await farewellOf(client)
    assert.equal(await exited, 0)
    assertSilent(proxy)
  })

  /** Waits for the 421, closes, and returns the time at which the 421 arrived. */
  async function farewellOf(client: Peer): Promise<number> {
    assert.equal(await client.readReply(), DRAINING)
    const at = performance.now()
    assert.equal(await client.closed(), 'fin')
    await client.end()
    return at
  }

  test('messages in flight finish: they get the upstream’s 250 and 221, and only the next message gets a 421 (LIF-02)', async () => {
    await using proxy = await startBefore(simulator, { PROXY_DRAIN_TIMEOUT: '20s' })
    const before = simulator.ledger.summary().messages.accepted
    const clients = await loggedIn(proxy, 50)
    for (const [number, client] of clients.entries()) await inBody(client, `drain${number}`)
    const exited = proxy.stop()
    await proxy.line(({ msg }) => msg === 'drain')
    await Promise.all(
      clients.map(async (client, number) => {
        assert.match(await ask(client, 'the other half\r\n.'), /^250 OK ids=/)
        if (number % 2 === 0) assert.match(await ask(client, 'QUIT'), /^221 /)
        else assert.equal(`${await ask(client, 'MAIL FROM:<next@example.com>')}\r\n`, DRAINING)
        assert.equal(await client.closed(), 'fin')
        assert.equal(client.log.unread.length, 0, 'and nothing after it')
        await client.end()
      }),
    )
    assert.equal(await exited, 0)
    assert.equal(simulator.ledger.summary().messages.accepted - before, 50)
    assertSilent(proxy)
    assert.ok(!proxy.lines.some((line) => 'cut' in line))
  })

  test('a session that never finishes is reset at the drain timeout, and its message is not completed; exit code 0 (LIF-03)', async () => {
    await using proxy = await startBefore(simulator, { PROXY_DRAIN_TIMEOUT: '1s' })
    const [client] = (await loggedIn(proxy, 1)) as [Peer]
    const before = simulator.ledger.summary().messages
    await inBody(client, 'never')
    const exited = proxy.stop()
    const began = performance.now()
    assert.equal(await client.closed(), 'reset')
    assert.equal(client.log.unread.length, 0)
    assert.equal(await exited, 0)
    assert.ok(performance.now() - began < 15_000, 'long before the 30 s of the default')
    assert.equal((await proxy.line((line) => 'cut' in line)).cut, 1)
    await until(() => simulator.ledger.summary().messages.aborted - before.aborted === 1)
    assert.equal(simulator.ledger.summary().messages.received, before.received)
  })

  test('a second signal ends it immediately, without a reply to a message that awaits its verdict; exit code 1 (LIF-04)', async () => {
    await using proxy = await startBefore(simulator, { PROXY_DRAIN_TIMEOUT: '30s' })
    const clients = await loggedIn(proxy, 2)
    const [unfinished, unanswered] = clients as [Peer, Peer]
    await inBody(unfinished, 'second')
    await inBody(unanswered, 'fault+silence-at-end-of-message')
    await unanswered.send('.\r\n')
    const exited = proxy.stop('SIGTERM')
    await proxy.line(({ msg }) => msg === 'drain')
    const began = performance.now()
    process.kill(proxy.pid, 'SIGINT')
    assert.equal(await exited, 1)
    assert.ok(performance.now() - began < 15_000, 'long before PROXY_DRAIN_TIMEOUT')
    for (const client of clients) {
      assert.equal(await client.closed(), 'reset')
      assert.equal(client.log.unread.length, 0)
    }
    await proxy.line(({ msg }) => msg === 'stopped immediately')
  })

  test('a signal during the start also ends the proxy (LIF-13)', async () => {
    const env = { PROXY_LISTEN: 'smtp://127.0.0.1:0', PROXY_ADMIN: 'off', PROXY_UPSTREAM: 'smtp://127.0.0.1:1' }
    const child = spawn(process.execPath, ['app/main.ts'], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    const ended = once(child, 'close')
    child.stdout.once('data', () => child.kill('SIGTERM'))
    const [code] = await ended
    assert.equal(code, 0)
  })
})

describe('A kill', () => {
  test('completes no message that its client did not end, and sends no reply (LIF-08)', async () => {
    await using proxy = await startBefore(simulator)
    const before = simulator.ledger.summary().messages
    const clients = await loggedIn(proxy, 20)
    for (const [number, client] of clients.entries()) {
      if (number % 2 === 0) await inBody(client, `kill${number}`)
    }
    await proxy.stop('SIGKILL')
    for (const client of clients) {
      await client.closed()
      assert.equal(client.log.unread.length, 0)
    }
    await until(() => simulator.ledger.summary().messages.aborted - before.aborted === 10)
    assert.equal(simulator.ledger.summary().messages.received, before.received)
  })
})

async function until(done: () => boolean): Promise<void> {
  const deadline = performance.now() + 5000
  while (!done()) {
    assert.ok(performance.now() < deadline, String(done))
    await new Promise((turn) => setTimeout(turn, 5))
  }
}

describe('Under traffic', () => {
  test('a hundred SIGHUPs and new certificates interrupt no client (LIF-05, TLC-16)', async () => {
    const authority = await makeAuthority()
    const first = await authority.issue()
    const files = writeTemporaryFiles({ 'cert.pem': first.certPem, 'key.pem': first.keyPem })
    await using proxy = await startBefore(simulator, {
      PROXY_LISTEN: 'smtps://127.0.0.1:0',
      PROXY_TLS_CERT_FILE: files.paths['cert.pem'],
      PROXY_TLS_KEY_FILE: files.paths['key.pem'],
    })
    let over = false
    const sending = Promise.all([0, 1, 2].map(() => sendUntil(() => over)))
    for (let hangup = 0; hangup < 100; hangup += 1) {
      if (hangup % 10 === 0) await replace()
      process.kill(proxy.pid, 'SIGHUP')
      assert.equal(await status(proxy, '/livez'), 200, 'the signal is delivered one by one')
    }
    over = true
    assert.ok((await sending).every((messages) => messages > 0))
    await proxy.line(({ msg }) => msg === 'certificate reloaded')
    assert.equal(await proxy.stop(), 0)
    assert.equal(proxy.stderr, '')
    files.remove()

    async function replace(): Promise<void> {
      const { certPem, keyPem } = await authority.issue()
      writeFileSync(files.paths['key.pem'], keyPem)
      writeFileSync(files.paths['cert.pem'], certPem)
    }

    /** Sends messages, each in its own session. Returns their number. Rejects if one is not accepted. */
    async function sendUntil(done: () => boolean): Promise<number> {
      for (let messages = 0; ; messages += 1) {
        if (done() && messages > 0) return messages
        const client = await connectClient({
          port: proxy.port,
          tls: { ca: authority.certPem, servername: 'localhost' },
        })
        await client.readReply()
        for (const line of ['EHLO app.example', AUTH_PLAIN, ...mail(), 'QUIT']) {
          assert.match(await ask(client, line), /^[23]/)
        }
        client.destroy()
      }
    }
  })

  test('a bug ends it with exit code 1; the log has the stack, but not the message (LIF-10)', async () => {
    // simulates a bug: an exception that quotes a client
    const bug = "process.on('SIGUSR2', () => { throw new TypeError('SEC' + 'RET, said by a client') })"
    await using proxy = await startBefore(
      simulator,
      {},
      { nodeOptions: ['--import', `data:text/javascript,${encodeURIComponent(bug)}`] },
    )
    const [client] = (await loggedIn(proxy, 1)) as [Peer]
    await inBody(client, 'crash')
    assert.equal(await proxy.stop('SIGUSR2'), 1)
    assert.equal(await client.closed(), 'reset')
    const crash = await proxy.line(({ msg }) => msg === 'crash')
    assert.equal(crash.type, 'TypeError')
    assert.ok(Array.isArray(crash.stack) && crash.stack.length > 0)
    assert.doesNotMatch(JSON.stringify(proxy.lines) + proxy.stderr, /SECRET/)
  })

  test('an unhandled rejection is a bug as well (LIF-10)', async () => {
    const bug = "process.on('SIGUSR2', () => { void Promise.reject(new Error('SEC' + 'RET')) })"
    await using proxy = await startBefore(
      simulator,
      {},
      { nodeOptions: ['--import', `data:text/javascript,${encodeURIComponent(bug)}`] },
    )
    assert.equal(await proxy.stop('SIGUSR2'), 1)
    assert.doesNotMatch(JSON.stringify(proxy.lines) + proxy.stderr, /SECRET/)
  })

  test('Node reports no warning (LIF-11)', async () => {
    await using proxy = await startBefore(simulator, {}, { nodeOptions: ['--trace-warnings', '--throw-deprecation'] })
    const clients = await loggedIn(proxy, 20)
    for (const [number, client] of clients.entries()) {
      if (number % 4 === 0) await client.reset()
      else if (number % 4 === 1) await client.end()
      else for (const line of [...mail(), 'QUIT']) assert.match(await ask(client, line), /^[23]/)
    }
    for (const client of clients) client.destroy()
    assert.equal(await proxy.stop(), 0)
    assertSilent(proxy)
  })
})

describe('SIGHUP', () => {
  test('is logged, even if nothing changed; a bad pair is logged with the reason', async () => {
    const authority = await makeAuthority()
    const { certPem, keyPem } = await authority.issue()
    const files = writeTemporaryFiles({ 'cert.pem': certPem, 'key.pem': keyPem })
    await using proxy = await startBefore(simulator, {
      PROXY_TLS_CERT_FILE: files.paths['cert.pem'],
      PROXY_TLS_KEY_FILE: files.paths['key.pem'],
    })
    process.kill(proxy.pid, 'SIGHUP')
    const unchanged = await proxy.line(({ msg }) => msg === 'certificate unchanged')
    assert.match(String(unchanged.notAfter), /^\d{4}-\d\d-\d\dT/)
    writeFileSync(files.paths['key.pem'], 'no key')
    process.kill(proxy.pid, 'SIGHUP')
    const bad = await proxy.line(({ msg }) => String(msg).startsWith('certificate not reloaded'))
    assert.equal(bad.msg, 'certificate not reloaded, the old one stays in use')
    assert.match(String(bad.error), /key\.pem holds no PEM private key/)
    assert.equal(bad.notAfter, unchanged.notAfter)
    assert.equal(await proxy.stop(), 0)
    files.remove()
  })

  test('without a certificate is logged', async () => {
    await using proxy = await startBefore(simulator)
    process.kill(proxy.pid, 'SIGHUP')
    await proxy.line(({ msg }) => msg === 'nothing to reload: no certificate is configured')
    assert.equal(await proxy.stop(), 0)
  })
})
