/** The command line, and the start of the proxy: its log lines, and its errors for settings with which it cannot start. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { after, before, describe, test } from 'node:test'
import { PROBE_ROWS } from '../../app/probe/settings.ts'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'
import { writeTemporaryFiles } from '../support/files/temporary-files.ts'
import { runProxyCommand } from '../support/processes/proxy-command.ts'
import { startProxy } from '../support/processes/proxy-process.ts'
import { assertSilent, startBefore, status } from '../support/processes/running-proxy.ts'
import { connectClient } from '../support/sockets/scripted-peers.ts'
import { type Authority, makeAuthority } from '../support/tls/certificates.ts'

describe('the command line', () => {
  for (const argument of ['--version', 'version']) {
    test(`${argument} is that of package.json`, async () => {
      assert.match((await runProxyCommand([argument])).stdout, /^\d+\.\d+\.\d+\n$/)
    })
  }

  for (const argument of ['--help', '-h', 'help']) {
    test(`${argument} fits on a screen, names the most used settings and exits 0`, async () => {
      const { code, stdout } = await runProxyCommand([argument])
      assert.equal(code, 0)
      for (const variable of ['PROXY_LISTEN', 'PROXY_UPSTREAM', 'PROXY_CLIENTS'])
        assert.match(stdout, new RegExp(variable))
      const lines = stdout.trimEnd().split('\n')
      assert.ok(lines.length <= 24, `${lines.length} lines`)
      for (const line of lines) assert.ok(line.length <= 100, line)
    })
  }

  for (const args of [
    ['help', 'all'],
    ['--help', 'all'],
  ]) {
    test(`${args.join(' ')} names every setting and exits 0`, async () => {
      const { code, stdout } = await runProxyCommand(args)
      assert.equal(code, 0)
      for (const variable of ['PROXY_LISTEN', 'PROXY_UPSTREAM', 'PROXY_DRAIN_TIMEOUT', 'OTEL_BSP_MAX_QUEUE_SIZE'])
        assert.match(stdout, new RegExp(`^${variable}$`, 'm'))
    })
  }

  for (const args of [
    ['help', 'check'],
    ['check', '--help'],
    ['check', '-h'],
  ]) {
    test(`${args.join(' ')} explains one command`, async () => {
      const { code, stdout } = await runProxyCommand(args)
      assert.equal(code, 0)
      assert.match(stdout, /^Usage: node app\/entry\.js check\b.*\n\nFind out what would stop mail/)
    })
  }

  test('help probe explains the command and each of its settings', async () => {
    const { code, stdout } = await runProxyCommand(['help', 'probe'])
    assert.equal(code, 0)
    assert.match(stdout, /^Usage: node app\/entry\.js probe \[--check-names\]\n\n.*It never sends a message/s)
    for (const { variable } of PROBE_ROWS) assert.match(stdout, new RegExp(`^${variable}$`, 'm'))
    for (const line of stdout.split('\n')) assert.ok(line.length <= 120, line)
  })

  test('check-names reports misspelled names and ignores the values', async () => {
    const env = { PROXY_LISTN: 'x', PROXY_URL: 'x', OTEL_SERVICE_NAM: 'x', PROXY_IDLE_TIMEOUT: 'not a time' }
    const { code, stdout, stderr } = await runProxyCommand(['check-names'], env)
    assert.equal(code, 2)
    assert.equal(stderr, 'PROXY_LISTN: there is no such setting. Did you mean PROXY_LISTEN?\n')
    assert.match(stdout, /^warning: PROXY_URL: [^\n]*\nwarning: [^\n]*OTEL_SERVICE_NAM[^\n]*\n$/)
    assert.equal((await runProxyCommand(['check-names'], { PROXY_LISTEN: 'smtp://127.0.0.1:0' })).code, 0)
  })

  // members of Object.prototype are not commands
  for (const argument of ['chek', 'constructor', 'toString', '__proto__', 'hasOwnProperty']) {
    test(`unknown arguments (${argument}) are refused in three lines, exit code 2`, async () => {
      const { code, stderr } = await runProxyCommand([argument])
      assert.equal(code, 2)
      assert.match(stderr, new RegExp(`^unknown arguments: ${argument}\\n.*\\n.*--help.*\\n$`))
    })
  }

  for (const [args, line] of [
    [['chek'], 'Did you mean check?'],
    [['--vers'], 'Did you mean version?'],
    [['help', 'chek'], 'Did you mean check?'],
    [['start'], 'The commands are check,'],
    [['check-names', 'all'], 'The commands are check,'],
    [['help', 'all', 'check'], 'The commands are check,'],
  ] as const) {
    test(`the error for \`${args.join(' ')}\` says: ${line}`, async () => {
      const { code, stdout, stderr } = await runProxyCommand(args)
      assert.deepEqual([code, stdout], [2, ''])
      assert.ok(stderr.startsWith(`unknown arguments: ${args.join(' ')}\n${line}`), stderr)
    })
  }
})

let simulator: Simulator
before(async () => {
  simulator = await startSimulator()
})
after(() => simulator.close())

describe('A start', () => {
  test('logs a line for each listener and one for the admin server', async () => {
    const listeners = ['smtp://127.0.0.1:0', 'smtp://[::1]:0', 'smtp://127.0.0.1:0']
    await using proxy = await startBefore(simulator, { PROXY_LISTEN: listeners.join(',') })
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

  test('warns about an idle timeout that is shorter than the upstream’s (TMO-02)', async () => {
    await using proxy = await startBefore(simulator, { PROXY_IDLE_TIMEOUT: '30s' })
    const warning = await proxy.line(({ msg }) => String(msg).includes('PROXY_IDLE_TIMEOUT'))
    assert.match(String(warning.msg), /60s/)
    const { config } = await proxy.line(({ msg }) => msg === 'start')
    assert.equal((config as Record<string, unknown>).PROXY_IDLE_TIMEOUT, '30s')
  })

  test('warns about variables of other programs, and starts', async () => {
    await using proxy = await startBefore(simulator, { PROXY_URL: 'http://hunter2@10.0.0.1:3128' })
    const warning = await proxy.line(({ msg }) => String(msg).startsWith('PROXY_URL: '))
    assert.equal(warning.level, 'warn')
    assert.doesNotMatch(JSON.stringify(proxy.lines), /hunter2/)
  })

  test('with an unreachable upstream is alive and ready: sessions get a 421 (LIF-06)', async () => {
    await using proxy = await startBefore(simulator, { PROXY_UPSTREAM: 'smtp://127.0.0.1:1' })
    for (let attempt = 0; attempt < 3; attempt += 1) {
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

  /** Settings, the exit code, and the error message. */
  const CASES: readonly (readonly [string, () => Record<string, string>, number, RegExp])[] = [
    ['a listener without a scheme', () => ({ PROXY_LISTEN: '127.0.0.1:2525' }), 2, /PROXY_LISTEN/],
    ['a port above 65535', () => ({ PROXY_LISTEN: 'smtp://127.0.0.1:99999' }), 2, /PROXY_LISTEN/],
    ['smtps without a certificate', () => ({ PROXY_LISTEN: 'smtps://127.0.0.1:0' }), 2, /PROXY_TLS_CERT_FILE/],
    [
      'an upstream that speaks TLS from the first byte (AHA-10)',
      () => ({ PROXY_UPSTREAM: 'smtps://send.example:465' }),
      2,
      /PROXY_UPSTREAM/,
    ],
    [
      'an unencrypted upstream on another machine',
      () => ({ PROXY_UPSTREAM: 'smtp://send.example:25?tls=off' }),
      2,
      /PROXY_UPSTREAM/,
    ],
    [
      'an upstream that is the proxy itself (GRT-15)',
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
    ['an invalid network', () => ({ PROXY_ALLOW: '10.0.0.0/99' }), 2, /PROXY_ALLOW/],
    ['a client without a network', () => ({ PROXY_CLIENTS: 'billing' }), 2, /PROXY_CLIENTS/],
    [
      'a load balancer that is not a network',
      () => ({ PROXY_TRUST_PROXY_PROTOCOL: 'me' }),
      2,
      /PROXY_TRUST_PROXY_PROTOCOL/,
    ],
    ['too many sessions', () => ({ PROXY_MAX_SESSIONS: '-1' }), 2, /PROXY_MAX_SESSIONS/],
    ['a dial timeout that is longer than clients wait', () => ({ PROXY_DIAL_TIMEOUT: '60s' }), 2, /PROXY_DIAL_TIMEOUT/],
    ['a time without a unit', () => ({ PROXY_IDLE_TIMEOUT: '300' }), 2, /PROXY_IDLE_TIMEOUT/],
    ['a drain without a limit', () => ({ PROXY_DRAIN_TIMEOUT: 'never' }), 2, /PROXY_DRAIN_TIMEOUT/],
    ['an admin server without a scheme', () => ({ PROXY_ADMIN: '9464' }), 2, /PROXY_ADMIN/],
    ['an unknown log level', () => ({ PROXY_LOG_LEVEL: 'loud' }), 2, /PROXY_LOG_LEVEL/],
    ['a setting that does not exist', () => ({ PROXY_LISTENER: 'x' }), 2, /PROXY_LISTENER.*PROXY_LISTEN/s],
    [
      'several mistakes, all of which are reported',
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
      'a host name that does not resolve',
      () => ({ PROXY_LISTEN: 'smtp://no-such-host.invalid:2525' }),
      1,
      /PROXY_LISTEN: cannot listen on smtp:\/\/no-such-host\.invalid:2525: the (host name does not|resolver)/,
    ],
    [
      'an admin host name that does not resolve',
      () => ({ PROXY_ADMIN: 'http://no-such-host.invalid:9464' }),
      1,
      /PROXY_ADMIN: cannot listen on http:\/\/no-such-host\.invalid:9464: the (host name does not|resolver)/,
    ],
    [
      'an address that this machine does not have',
      () => ({ PROXY_LISTEN: 'smtp://192.0.2.1:2525' }),
      1,
      /PROXY_LISTEN: .* no such address/,
    ],
  ]
  for (const [what, env, code, message] of CASES) {
    test(`exits immediately with code ${code} and names the setting: ${what} (LIF-07)`, async () => {
      const began = performance.now()
      const error = await failureOf(env())
      assert.ok(performance.now() - began < 10_000, 'does not wait for anything')
      assert.match(error, new RegExp(`ended with ${code};`))
      assert.match(error, message)
      assert.doesNotMatch(error, /^\s+at /m, 'no stack')
    })
  }

  test('a key that does not match the certificate is named, and never shown (LIF-07)', async () => {
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

  /** The exit code and the standard error of a start that fails before the proxy listens. */
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
