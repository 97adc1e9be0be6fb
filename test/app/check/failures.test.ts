/** What `check` says when something is wrong: the cause, the next step, and the runbook. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import { after, before, describe, test } from 'node:test'
import { type Simulator, startSimulator } from '../../simulator/simulator.ts'
import { writeTemporaryFiles } from '../../support/files/temporary-files.ts'
import { startReceiver } from '../../support/otlp/otlp-receiver.ts'
import { runProxyCommand } from '../../support/processes/proxy-command.ts'
import { startBefore } from '../../support/processes/running-proxy.ts'
import { openBlackHole } from '../../support/sockets/black-hole.ts'
import { listenOnLoopback } from '../../support/sockets/listen.ts'
import { makeAuthority } from '../../support/tls/certificates.ts'

const FREE_PORTS = { PROXY_LISTEN: 'smtp://127.0.0.1:0', PROXY_ADMIN: 'off' }

interface Step {
  readonly title: string
  readonly status: string
  readonly text: string
  readonly details: readonly string[]
  readonly next?: string
  readonly see?: string
}

let simulator: Simulator
before(async () => {
  simulator = await startSimulator()
})
after(() => simulator.close())

function settings(port = simulator.port): Record<string, string> {
  return { ...FREE_PORTS, PROXY_UPSTREAM: `smtp://localhost:${port}`, PROXY_UPSTREAM_CA_FILE: simulator.caFile }
}

/** The step whose title begins so, and the exit code. */
async function stepOf(
  title: string,
  env: Readonly<Record<string, string>>,
  args: readonly string[] = [],
): Promise<Step & { readonly code: number | null; readonly stdout: string }> {
  const { code, stdout, stderr } = await runProxyCommand(['check', '--json', ...args], env)
  assert.equal(stderr, '')
  const { steps } = JSON.parse(stdout) as { readonly steps: readonly Step[] }
  // whatever fails: the cause, the next step and the page that helps
  for (const { status, text, next, see } of steps)
    if (status === 'failed') assert.ok(next && see?.startsWith('https://'), text)
  const step = steps.find((candidate) => candidate.title.startsWith(title))
  assert.ok(step, stdout)
  return { ...step, code, stdout }
}

describe('An upstream that fails', () => {
  test('a plain server without STARTTLS: may be a firewall, with a runbook', async () => {
    await using plain = await startSimulator({ requireTls: false, offerTls: false })
    const { code, status, text, next, see } = await stepOf('upstream', settings(plain.port))
    assert.deepEqual([code, status], [1, 'failed'])
    assert.match(text, /does not offer STARTTLS.*\(starttls_not_offered, 250\)/)
    assert.match(next ?? '', /firewall.*\?tls=off/)
    assert.match(see ?? '', /AhaSendUnreachable\.md$/)
  })

  test('an account that is refused at the greeting with 521 leads to the account', async () => {
    simulator.faults.set('521-at-greeting', { times: 1 })
    const { text, next, see } = await stepOf('upstream', settings())
    assert.match(text, /^The account is suspended.*\(521 instead of a greeting\)$/)
    assert.match(next ?? '', /billing/)
    assert.match(see ?? '', /AhaSendAccountDisabled\.md$/)
  })

  test('nothing listens: the other ports follow, as a note', async () => {
    const { stdout, text } = await stepOf('upstream', { ...FREE_PORTS, PROXY_UPSTREAM: 'smtp://127.0.0.1:1' })
    assert.match(text, /connect_refused/)
    assert.match(stdout, /"title":"ports of 127\.0\.0\.1","status":"note"[^}]*port 25 [^}]*port 587 /)
  })

  test('an address that does not answer costs no more than PROXY_DIAL_TIMEOUT', async () => {
    await using hole = await openBlackHole('127.0.0.1')
    const env = { ...FREE_PORTS, PROXY_UPSTREAM: `smtp://127.0.0.1:${hole.port}`, PROXY_DIAL_TIMEOUT: '300ms' }
    const { text, stdout } = await stepOf('upstream', env)
    assert.match(text, /connect_timeout/)
    const durations = [...stdout.matchAll(/"durationMs":(\d+)/g)].map(([, ms]) => Number(ms))
    assert.ok(Math.max(...durations) < 6000, String(durations))
  })

  test('a certificate of another authority, or one that has expired: the cause, and the page about TLS', async () => {
    const { PROXY_UPSTREAM_CA_FILE, ...others } = settings()
    const untrusted = await stepOf('upstream', others)
    assert.match(untrusted.text, /is not trusted: no authority .*\(tls_untrusted, [A-Z_]+\)$/)
    assert.match(untrusted.next ?? '', /PROXY_UPSTREAM_CA_FILE/)
    assert.match(untrusted.see ?? '', /docs\/tls\.md$/)
    assert.doesNotMatch(untrusted.stdout, /no port works/)
    const authority = await makeAuthority()
    const certificate = await authority.issue({ notBefore: new Date(0), notAfter: new Date(Date.now() - 86_400_000) })
    await using old = await startSimulator({ authority, certificate })
    const expired = await stepOf('upstream', { ...settings(old.port), PROXY_UPSTREAM_CA_FILE: old.caFile })
    assert.match(
      expired.text,
      /has expired, or the clock of this machine is ahead \(tls_untrusted, CERT_HAS_EXPIRED\)$/,
    )
    assert.match(expired.next ?? '', /Compare the clock/)
  })

  test('only port 2525 is reachable: the setting that uses it', async () => {
    const relay = net.createServer((socket) => socket.write('220 hello\r\n'))
    relay.listen(2525, '127.0.0.77')
    await once(relay, 'listening')
    const { stdout } = await stepOf('upstream', { ...FREE_PORTS, PROXY_UPSTREAM: 'smtp://127.0.0.77:587' })
    relay.close()
    assert.match(stdout, /"ports of 127\.0\.0\.77".*Next: set PROXY_UPSTREAM=smtp:\/\/127\.0\.0\.77:2525/)
  })

  test('an upstream that cannot be reached is reported once: the login and the message are not tested', async () => {
    const env = {
      ...FREE_PORTS,
      PROXY_UPSTREAM: 'smtp://127.0.0.1:1',
      PROXY_CHECK_USER: 'a',
      PROXY_CHECK_PASSWORD: 'b',
    }
    const { code, stdout } = await stepOf('upstream', env, ['--to', 'you@example.com'])
    assert.equal(code, 1)
    assert.equal(stdout.match(/"status":"failed"/g)?.length, 1, stdout)
    assert.equal(stdout.match(/not tested, because the upstream/g)?.length, 2, stdout)
  })

  test('a name that does not resolve fails at DNS, too', async () => {
    const { status, next } = await stepOf('name', { ...FREE_PORTS, PROXY_UPSTREAM: 'smtp://no-such-host.invalid:587' })
    assert.equal(status, 'failed')
    assert.match(next ?? '', /getent hosts no-such-host\.invalid/)
  })

  test('a certificate that is not valid yet makes the clock suspicious', async () => {
    const authority = await makeAuthority()
    const day = 86_400_000
    const certificate = await authority.issue({
      notBefore: new Date(Date.now() + day),
      notAfter: new Date(Date.now() + 2 * day),
    })
    await using early = await startSimulator({ authority, certificate })
    const { status, text } = await stepOf('clock', { ...settings(early.port), PROXY_UPSTREAM_CA_FILE: early.caFile })
    assert.equal(status, 'failed')
    assert.match(text, /the certificate of localhost is not valid yet/)
  })
})

describe('A listener', () => {
  test('whose port another program uses fails, with how to find the program', async () => {
    const taken = net.createServer()
    const port = await listenOnLoopback(taken)
    const { code, text, next } = await stepOf('listener', { ...settings(), PROXY_LISTEN: `smtp://127.0.0.1:${port}` })
    taken.close()
    await once(taken, 'close')
    assert.equal(code, 1)
    assert.match(text, /PROXY_LISTEN: cannot listen on .*: the port is taken.*\(EADDRINUSE\)/)
    assert.match(next ?? '', new RegExp(`ss -ltnp 'sport = :${port}'`))
  })

  test('that a running proxy has opened is a note, which names its version', async () => {
    await using proxy = await startBefore(simulator, {})
    const env = {
      ...settings(),
      PROXY_LISTEN: `smtp://127.0.0.1:${proxy.port}?starttls=required`,
      PROXY_ADMIN: `http://127.0.0.1:${proxy.adminPort}`,
    }
    const { certPem, keyPem } = await (await makeAuthority()).issue()
    const files = writeTemporaryFiles({ 'cert.pem': certPem, 'key.pem': keyPem })
    const tls = { PROXY_TLS_CERT_FILE: files.paths['cert.pem'], PROXY_TLS_KEY_FILE: files.paths['key.pem'] }
    const { code, status, text, stdout } = await stepOf('listener smtp', { ...env, ...tls })
    files.remove()
    assert.deepEqual([code, status], [0, 'note'], stdout)
    assert.match(text, /in use by a running proxy, version \d+\.\d+\.\d+/)
    assert.match(stdout, /"title":"admin server http:[^}]*running proxy/)
    assert.match(stdout, /host names: DNS:localhost.*warning: ends before CN=/)
  })
})

describe('A login', () => {
  const PASSWORD = 'hunter2-wrong'

  test('with a wrong password: 535, what to do and the runbook, but never the password', async () => {
    const files = writeTemporaryFiles({ login: `app\n${PASSWORD}\n` })
    const { code, status, text, see, details, stdout } = await stepOf('login', settings(), [
      '--login-file',
      files.paths.login,
    ])
    const lines = await runProxyCommand(['check', '--login-file', files.paths.login], settings())
    files.remove()
    assert.deepEqual([code, status], [1, 'failed'])
    assert.match(text, /Wrong user name or password.*\(535 to AUTH\)/)
    assert.match(details.join(), /^535 /)
    assert.match(see ?? '', /AhaSendCredentialsRejected\.md$/)
    for (const output of [stdout, lines.stdout, lines.stderr]) {
      assert.doesNotMatch(output, new RegExp(PASSWORD))
      assert.ok(!output.includes(Buffer.from(`\0app\0${PASSWORD}`).toString('base64')))
    }
  })

  test('from the environment is accepted, and its variables are no unknown settings', async () => {
    const login = { PROXY_CHECK_USER: 'app', PROXY_CHECK_PASSWORD: 'secret' }
    const { code, status, stdout } = await stepOf('login', { ...settings(), ...login })
    assert.deepEqual([code, status], [0, 'ok'], stdout)
    assert.doesNotMatch(stdout, /PROXY_CHECK/)
  })

  test('is never sent without TLS', async () => {
    await using plain = await startSimulator({ requireTls: false, offerTls: false })
    const env = { ...FREE_PORTS, PROXY_UPSTREAM: `smtp://127.0.0.1:${plain.port}?tls=off` }
    const { status, text } = await stepOf('login', { ...env, PROXY_CHECK_USER: 'app', PROXY_CHECK_PASSWORD: 'secret' })
    assert.equal(status, 'failed')
    assert.match(text, /unencrypted/)
  })

  test('of which only one half is given: exit code 2', async () => {
    const { code, stderr, stdout } = await runProxyCommand(['check'], { ...settings(), PROXY_CHECK_USER: 'app' })
    assert.deepEqual([code, stdout], [2, ''])
    assert.match(stderr, /^check: PROXY_CHECK_PASSWORD is not set/)
  })
})

describe('A test message', () => {
  const login = { PROXY_CHECK_USER: 'app', PROXY_CHECK_PASSWORD: 'secret' }
  const to = ['--to', 'you@example.com']

  test('is for the sandbox unless --real is given, and the dialogue is shown without the password', async () => {
    await using keeper = await startSimulator({ keepBodies: true })
    const env = { ...settings(keeper.port), PROXY_UPSTREAM_CA_FILE: keeper.caFile, ...login }
    const sandbox = await stepOf('sandbox message', env, [...to, '--from', 'me@example.com'])
    assert.deepEqual([sandbox.code, sandbox.status], [0, 'ok'], sandbox.stdout)
    const commands = sandbox.details.filter((line) => line.startsWith('> ')).join('\n')
    assert.match(
      commands,
      /^> EHLO .*\n> AUTH PLAIN \*\*\*\n> MAIL FROM:<me@example\.com>\n> RCPT TO:<you@example\.com>\n> DATA\n> \(message of \d+ bytes\)$/,
    )
    assert.doesNotMatch(sandbox.stdout, /AGFwcABzZWNyZXQ|secret/)
    const real = await stepOf(
      'real message',
      { ...env, PROXY_UPSTREAM: `smtp://127.0.0.1:1,smtp://localhost:${keeper.port}` },
      [...to, '--real'],
    )
    assert.equal(real.status, 'ok', 'by the first upstream that can be reached')
    const [first, second] = keeper.ledger.messages.map(({ sender, recipients, bytes }) => ({
      sender,
      recipients,
      sandbox: /^AhaSend-Sandbox: true\r$/m.test(String(bytes)),
    }))
    assert.deepEqual(first, { sender: 'me@example.com', recipients: ['you@example.com'], sandbox: true })
    assert.deepEqual(second, { sender: 'you@example.com', recipients: ['you@example.com'], sandbox: false })
  })

  test('of an account that is disabled: 521, the account and its runbook', async () => {
    simulator.faults.set('account-disabled', { times: 1 })
    const { status, text, see, details } = await stepOf('sandbox message', { ...settings(), ...login }, to)
    assert.equal(status, 'failed')
    assert.match(text, /suspended, out of credits or paused.*\(521 to MAIL\)/)
    assert.match(see ?? '', /AhaSendAccountDisabled\.md$/)
    assert.match(details.at(-1) ?? '', /^< 521 /)
  })

  test('without a login: says how to give one', async () => {
    const { next } = await stepOf('sandbox message', settings(), to)
    assert.match(next ?? '', /--login-file/)
  })
})

describe('Telemetry', () => {
  test('a receiver that accepts an empty export, one that refuses it, and one that is not there', async () => {
    await using receiver = await startReceiver()
    const env = () => ({ ...settings(), OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url })
    const good = await stepOf('OTLP traces', env())
    assert.deepEqual([good.code, good.status], [0, 'ok'], good.stdout)
    assert.equal(receiver.exports.at(-1)?.body.length, 0)
    receiver.answer = 401
    const refused = await stepOf('OTLP traces', env())
    assert.deepEqual([refused.code, refused.text], [1, 'the receiver answers 401'])
    assert.match(refused.next ?? '', /OTEL_EXPORTER_OTLP_HEADERS/)
    const absent = await stepOf('OTLP traces', {
      ...settings(),
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://u:hunter2@127.0.0.1:1',
    })
    assert.match(absent.text, /nothing listens there \(ECONNREFUSED\)/)
    assert.match(absent.see ?? '', /SmtpProxyTelemetryLost\.md$/)
    assert.doesNotMatch(absent.stdout, /hunter2/)
  })
})

describe('Input that is wrong', () => {
  test('a misspelled name in the settings file of Compose: exit code 2, and the other steps run', async () => {
    const files = writeTemporaryFiles({ '.env': 'PROXY_LISTN=smtp://0.0.0.0:25\n' })
    const { code, status, details, stdout } = await stepOf('settings file', {
      ...settings(),
      SETTINGS_FILE: files.paths['.env'],
    })
    files.remove()
    assert.deepEqual([code, status], [2, 'failed'])
    assert.deepEqual(details, ['PROXY_LISTN: there is no such setting. Did you mean PROXY_LISTEN?'])
    assert.match(stdout, /upstream localhost:\d+/)
  })

  test('a wrong setting with --json: one document with all mistakes, exit code 2', async () => {
    const { code, details, stdout } = await stepOf('configuration', { PROXY_SLOW: 'soon', PROXY_WORKERS: 'x' })
    assert.equal(code, 2)
    assert.equal(details.length, 2)
    assert.equal(stdout.trimEnd().split('\n').length, 1)
  })

  test('an unknown argument is named, with what is expected: exit code 2', async () => {
    const { code, stderr } = await runProxyCommand(['check', '--colour'], settings())
    assert.equal(code, 2)
    assert.match(stderr, /^check: unknown argument --colour: expected --login-file FILE/)
    assert.match((await runProxyCommand(['check', '--help'])).stdout, /--login-file FILE/)
  })
})

test('Ctrl-C prints what was found so far, exit code 1', async () => {
  await using hole = await openBlackHole('127.0.0.1')
  const env = { ...FREE_PORTS, PROXY_UPSTREAM: `smtp://127.0.0.1:${hole.port}`, PROXY_DIAL_TIMEOUT: '25s' }
  const child = spawn(process.execPath, ['app/main.ts', 'check'], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += String(chunk)
    if (output.includes('listener smtp://127.0.0.1:0: can be opened')) child.kill('SIGINT')
  })
  await once(child, 'close')
  assert.match(output, /FAILED: interrupted \(\d+ ms\)\nInterrupted\. \d steps ran; 1 of \d steps failed\.\n$/)
  assert.equal(child.exitCode, 1)
})
