/** The proxy as a process: how it starts, what it says, how it ends, and what its clients see of that. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import net from 'node:net'
import { after, before, describe, test } from 'node:test'
import { AUTH_PLAIN, ask, mail } from './simulator/client.ts'
import { type Simulator, startSimulator } from './simulator/simulator.ts'
import { type Authority, makeAuthority, writeTemporaryFiles } from './support/certificates.ts'
import { connectClient, type Peer } from './support/peers.ts'
import { type ProxyOptions, type ProxyProcess, startProxy } from './support/proxy-process.ts'

const DRAINING = '421 4.3.2 ahasend-smtp-proxy: restarting, try again at once\r\n'

let simulator: Simulator
before(async () => {
  simulator = await startSimulator()
})
after(() => simulator.close())

/** The proxy before the simulator. */
function start(env: Readonly<Record<string, string>> = {}, options: ProxyOptions = {}): Promise<ProxyProcess> {
  const upstream = { PROXY_UPSTREAM: `smtp://localhost:${simulator.port}`, PROXY_UPSTREAM_CA_FILE: simulator.caFile }
  return startProxy({ ...upstream, ...env }, options)
}

/** So many clients that are logged in and between mails. */
async function loggedIn(proxy: ProxyProcess, count: number): Promise<Peer[]> {
  const clients = await Promise.all(
    Array.from({ length: count }, () => connectClient({ port: proxy.port, limitMs: 20_000 })),
  )
  for (const client of clients) {
    await client.readReply()
    await ask(client, 'EHLO app.example')
    assert.match(await ask(client, AUTH_PLAIN), /^235 /)
  }
  return clients
}

/** Brings a client into the body of a mail. */
async function inBody(client: Peer, name: string): Promise<void> {
  for (const line of mail({ from: `${name}@example.com` }).slice(0, 3))
    assert.match(await ask(client, line), /^(250|354) /)
  await client.send(`Subject: ${name}\r\n\r\nhalf of it\r\n`)
}

/** The status of a page of the admin server. */
async function status(proxy: ProxyProcess, path: string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${proxy.adminPort}${path}`)
  await response.text()
  return response.status
}

/** Nothing that Node warns of, no stack, no stray output. */
function assertSilent(proxy: ProxyProcess): void {
  assert.equal(proxy.stderr, '')
  assert.deepEqual(
    proxy.lines.filter((line) => 'unparsed' in line || Number(line.level) >= 50 || line.level === 'error'),
    [],
  )
}

describe('A start', () => {
  test('says where it listens: a line for each listener and one for the admin server', async () => {
    const listeners = ['smtp://127.0.0.1:0', 'smtp://[::1]:0', 'smtp://127.0.0.1:0']
    await using proxy = await start({ PROXY_LISTEN: listeners.join(',') })
    const lines = proxy.lines.filter(({ msg }) => msg === 'listening')
    assert.deepEqual(
      lines.map(({ listener, address }) => [listener, address]).toSorted(),
      [
        ['admin', '127.0.0.1'],
        ['smtp://127.0.0.1:0', '127.0.0.1'],
        ['smtp://127.0.0.1:0', '127.0.0.1'],
        ['smtp://[::1]:0', '::1'],
      ].toSorted(),
    )
    assert.equal(new Set(proxy.ports).size, 3)
    const client = await connectClient({ host: '::1', port: proxy.ports[1]! })
    assert.match(await client.readReply(), /^220 /)
    client.destroy()
    assert.equal(await proxy.stop(), 0)
    assertSilent(proxy)
  })

  test('TMO-02: warns of an idle timeout that would hide the upstream’s own', async () => {
    await using proxy = await start({ PROXY_IDLE_TIMEOUT: '30s' })
    const warning = await proxy.line(({ msg }) => String(msg).includes('PROXY_IDLE_TIMEOUT'))
    assert.match(String(warning.msg), /60s/)
    const { config } = await proxy.line(({ msg }) => msg === 'start')
    assert.equal((config as Record<string, unknown>).PROXY_IDLE_TIMEOUT, '30s')
  })

  test('LIF-06: with an upstream that cannot be reached is alive and ready: sessions are answered, by a 421', async () => {
    await using proxy = await start({ PROXY_UPSTREAM: 'smtp://127.0.0.1:1' })
    for (let look = 0; look < 3; look += 1) {
      assert.deepEqual([await status(proxy, '/livez'), await status(proxy, '/readyz')], [200, 200])
      const client = await connectClient({ port: proxy.port })
      assert.match(await client.readReply(), /^421 4\.4\.1 /)
      assert.equal(await client.closed(), 'fin')
      client.destroy()
    }
    assert.equal(await proxy.stop(), 0)
    assertSilent(proxy)
  })
})

describe('A start that must fail', () => {
  let authority: Authority
  let taken: net.Server
  let takenPort: number
  before(async () => {
    authority = await makeAuthority()
    taken = net.createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    takenPort = (taken.address() as net.AddressInfo).port
  })
  after(() => taken.close())

  /** Settings, the exit code, and what is said of them. */
  const CASES: readonly (readonly [string, () => Record<string, string>, number, RegExp])[] = [
    ['a listener without a scheme', () => ({ PROXY_LISTEN: '127.0.0.1:2525' }), 2, /PROXY_LISTEN/],
    ['a port that is none', () => ({ PROXY_LISTEN: 'smtp://127.0.0.1:99999' }), 2, /PROXY_LISTEN/],
    ['smtps without a certificate', () => ({ PROXY_LISTEN: 'smtps://127.0.0.1:0' }), 2, /PROXY_TLS_CERT_FILE/],
    [
      'an upstream that speaks TLS from the first byte',
      () => ({ PROXY_UPSTREAM: 'smtps://send.example:465' }),
      2,
      /PROXY_UPSTREAM/,
    ],
    [
      'an upstream in the clear far away',
      () => ({ PROXY_UPSTREAM: 'smtp://send.example:25?tls=off' }),
      2,
      /PROXY_UPSTREAM/,
    ],
    [
      'GRT-15: an upstream that is the proxy itself',
      () => ({ PROXY_LISTEN: 'smtp://127.0.0.1:2525', PROXY_UPSTREAM: 'smtp://localhost:2525' }),
      2,
      /PROXY_UPSTREAM.*not this proxy/s,
    ],
    [
      'a CA file that does not exist',
      () => ({ PROXY_UPSTREAM_CA_FILE: '/nowhere/ca.pem' }),
      2,
      /PROXY_UPSTREAM_CA_FILE/,
    ],
    [
      'a key file that does not exist',
      () => ({ PROXY_TLS_CERT_FILE: '/nowhere/cert.pem', PROXY_TLS_KEY_FILE: '/nowhere/key.pem' }),
      2,
      /PROXY_TLS_KEY_FILE/,
    ],
    [
      'a key file that is a directory',
      () => ({ PROXY_TLS_CERT_FILE: '/nowhere/cert.pem', PROXY_TLS_KEY_FILE: '/' }),
      2,
      /PROXY_TLS_KEY_FILE/,
    ],
    ['a certificate without its key', () => ({ PROXY_TLS_CERT_FILE: '/nowhere/cert.pem' }), 2, /PROXY_TLS_KEY_FILE/],
    ['networks that are none', () => ({ PROXY_ALLOW: '10.0.0.0/99' }), 2, /PROXY_ALLOW/],
    ['a client without a network', () => ({ PROXY_CLIENTS: 'billing' }), 2, /PROXY_CLIENTS/],
    ['a load balancer that is none', () => ({ PROXY_TRUST_PROXY_PROTOCOL: 'me' }), 2, /PROXY_TRUST_PROXY_PROTOCOL/],
    ['too many sessions', () => ({ PROXY_MAX_SESSIONS: '-1' }), 2, /PROXY_MAX_SESSIONS/],
    ['a dial that outlasts its clients', () => ({ PROXY_DIAL_TIMEOUT: '60s' }), 2, /PROXY_DIAL_TIMEOUT/],
    ['a time without a unit', () => ({ PROXY_IDLE_TIMEOUT: '300' }), 2, /PROXY_IDLE_TIMEOUT/],
    ['a drain for ever', () => ({ PROXY_DRAIN_TIMEOUT: 'never' }), 2, /PROXY_DRAIN_TIMEOUT/],
    ['an admin server without a scheme', () => ({ PROXY_ADMIN: '9464' }), 2, /PROXY_ADMIN/],
    ['an unknown log level', () => ({ PROXY_LOG_LEVEL: 'loud' }), 2, /PROXY_LOG_LEVEL/],
    ['a setting that does not exist', () => ({ PROXY_LISTENER: 'x' }), 2, /PROXY_LISTENER.*PROXY_LISTEN/s],
    [
      'several mistakes at once, all of them told',
      () => ({ PROXY_WORKERS: 'x', PROXY_SLOW: 'y' }),
      2,
      /PROXY_WORKERS[\s\S]*PROXY_SLOW|PROXY_SLOW[\s\S]*PROXY_WORKERS/,
    ],
    [
      'a port that is taken',
      () => ({ PROXY_LISTEN: `smtp://127.0.0.1:0,smtp://127.0.0.1:${takenPort}` }),
      1,
      /PROXY_LISTEN: cannot listen on smtp:\/\/127\.0\.0\.1:\d+: the port is taken/,
    ],
    ['an admin port that is taken', () => ({ PROXY_ADMIN: `http://127.0.0.1:${takenPort}` }), 1, /PROXY_ADMIN/],
    [
      'an address that this machine has not',
      () => ({ PROXY_LISTEN: 'smtp://192.0.2.1:2525' }),
      1,
      /PROXY_LISTEN: .* no such address/,
    ],
  ]
  for (const [what, env, code, said] of CASES) {
    test(`LIF-07: ${what} ends it with ${code}, at once, and the setting is named`, async () => {
      const began = performance.now()
      const error = await failureOf(env())
      assert.ok(performance.now() - began < 5000, 'at once')
      assert.match(error, new RegExp(`ended with ${code};`))
      assert.match(error, said)
      assert.doesNotMatch(error, /^\s+at /m, 'no stack')
    })
  }

  test('LIF-07: a key that is not the certificate’s is named, and never shown', async () => {
    const [one, other] = [await authority.issue(), await authority.issue()]
    const files = writeTemporaryFiles({
      'cert.pem': one.certPem,
      'key.pem': other.keyPem,
      'garbage.pem': 'SECRET-garbage',
    })
    try {
      for (const name of ['key.pem', 'garbage.pem'] as const) {
        const error = await failureOf({
          PROXY_TLS_CERT_FILE: files.paths['cert.pem'],
          PROXY_TLS_KEY_FILE: files.paths[name],
        })
        assert.match(error, /ended with 2;.*PROXY_TLS_KEY_FILE/s)
        assert.doesNotMatch(error, /SECRET|PRIVATE KEY-----/)
      }
    } finally {
      files.remove()
    }
  })

  /** The exit code and the standard error of a start that does not come to listening, without its stack. */
  async function failureOf(env: Readonly<Record<string, string>>): Promise<string> {
    try {
      const proxy = await startProxy(env)
      await proxy.stop('SIGKILL')
    } catch (error) {
      return (error as Error).message
    }
    assert.fail('the proxy started')
  }
})

describe('A drain', () => {
  test('LIF-01: the listener closes, readiness ends, idle sessions are told 421, but not all at once', async () => {
    await using proxy = await start({ PROXY_DRAIN_TIMEOUT: '9s' })
    const clients = await loggedIn(proxy, 100)
    const exited = proxy.stop('SIGTERM')
    await proxy.line(({ msg }) => msg === 'drain')
    assert.deepEqual([await status(proxy, '/readyz'), await status(proxy, '/livez')], [503, 200])
    await assert.rejects(connectClient({ port: proxy.port }), { code: 'ECONNREFUSED' })
    const told = await Promise.all(clients.map(untilTold))
    assert.ok(Math.max(...told) - Math.min(...told) > 900, 'spread, so that they do not all come back at once')
    assert.ok(Math.max(...told) - Math.min(...told) < 5000)
    assert.equal(await exited, 0)
    assertSilent(proxy)
  })

  test('LIF-01: SIGINT is as good as SIGTERM', async () => {
    await using proxy = await start({ PROXY_DRAIN_TIMEOUT: '3s' })
    const [client] = (await loggedIn(proxy, 1)) as [Peer]
    const exited = proxy.stop('SIGINT')
    await untilTold(client)
    assert.equal(await exited, 0)
    assertSilent(proxy)
  })

  /** Waits for the farewell, closes, and returns the time at which it came. */
  async function untilTold(client: Peer): Promise<number> {
    assert.equal(await client.readReply(), DRAINING)
    const at = performance.now()
    assert.equal(await client.closed(), 'fin')
    await client.end()
    return at
  }

  test('LIF-02: mails in flight are finished: their 250 and their 221 are the upstream’s, only the next mail is told 421', async () => {
    await using proxy = await start({ PROXY_DRAIN_TIMEOUT: '20s' })
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
        assert.equal(client.log.unread.length, 0, 'and nothing behind it')
        await client.end()
      }),
    )
    assert.equal(await exited, 0)
    assert.equal(simulator.ledger.summary().messages.accepted - before, 50)
    assertSilent(proxy)
    assert.ok(!proxy.lines.some((line) => 'cut' in line))
  })

  test('LIF-03: a session that never finishes is cut by a reset at the drain timeout, its mail is not ended, exit code 0', async () => {
    await using proxy = await start({ PROXY_DRAIN_TIMEOUT: '1s' })
    const [client] = (await loggedIn(proxy, 1)) as [Peer]
    const before = simulator.ledger.summary().messages
    await inBody(client, 'never')
    const exited = proxy.stop()
    const began = performance.now()
    assert.equal(await client.closed(), 'reset')
    assert.equal(client.log.unread.length, 0)
    assert.equal(await exited, 0)
    assert.ok(performance.now() - began < 4000)
    assert.equal((await proxy.line((line) => 'cut' in line)).cut, 1)
    const { received, aborted } = simulator.ledger.summary().messages
    assert.deepEqual([received - before.received, aborted - before.aborted], [0, 1])
  })

  test('LIF-04: a second signal ends it at once, with no word to a mail whose verdict is awaited, exit code 1', async () => {
    await using proxy = await start({ PROXY_DRAIN_TIMEOUT: '30s' })
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
    assert.ok(performance.now() - began < 3000, 'at once')
    for (const client of clients) {
      assert.equal(await client.closed(), 'reset')
      assert.equal(client.log.unread.length, 0)
    }
    await proxy.line(({ msg }) => msg === 'stopped at once')
  })

  test('LIF-01: a signal that comes while the proxy still starts ends it, too', async () => {
    const env = { PROXY_LISTEN: 'smtp://127.0.0.1:0', PROXY_ADMIN: 'off', PROXY_UPSTREAM: 'smtp://127.0.0.1:1' }
    const child = spawn(process.execPath, ['proxy/main.ts'], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    const ended = once(child, 'close')
    child.stdout.once('data', () => child.kill('SIGTERM'))
    const [code] = await ended
    assert.equal(code, 0)
  })
})

describe('A kill', () => {
  test('LIF-08: takes no mail that its client did not end, and says nothing', async () => {
    await using proxy = await start()
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
  test('LIF-05 TLC-16: a hundred SIGHUPs, and new certificates, disturb no client', async () => {
    const authority = await makeAuthority()
    const first = await authority.issue()
    const files = writeTemporaryFiles({ 'cert.pem': first.certPem, 'key.pem': first.keyPem })
    await using proxy = await start({
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
    assert.ok((await sending).every((mails) => mails > 0))
    assert.ok(proxy.lines.some(({ msg }) => msg === 'certificate reloaded'))
    assert.equal(await proxy.stop(), 0)
    assert.equal(proxy.stderr, '')
    files.remove()

    async function replace(): Promise<void> {
      const { certPem, keyPem } = await authority.issue()
      writeFileSync(files.paths['key.pem'], keyPem)
      writeFileSync(files.paths['cert.pem'], certPem)
    }

    /** Sends mails, each in a session of its own; returns how many. Rejects at the first that is not accepted. */
    async function sendUntil(done: () => boolean): Promise<number> {
      for (let mails = 0; ; mails += 1) {
        if (done() && mails > 0) return mails
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

  test('LIF-10: a bug ends it with exit code 1; where it was is logged, what it quoted is not', async () => {
    // a stand-in for a bug: the process throws out of the blue, quoting what a client said
    const bug = "process.on('SIGUSR2', () => { throw new TypeError('SEC' + 'RET, said by a client') })"
    await using proxy = await start(
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

  test('LIF-10: a promise that nobody caught is a bug, too', async () => {
    const bug = "process.on('SIGUSR2', () => { void Promise.reject(new Error('SEC' + 'RET')) })"
    await using proxy = await start(
      {},
      { nodeOptions: ['--import', `data:text/javascript,${encodeURIComponent(bug)}`] },
    )
    assert.equal(await proxy.stop('SIGUSR2'), 1)
    assert.doesNotMatch(JSON.stringify(proxy.lines) + proxy.stderr, /SECRET/)
  })

  test('LIF-11: Node has nothing to warn of', async () => {
    await using proxy = await start({}, { nodeOptions: ['--trace-warnings', '--throw-deprecation'] })
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
