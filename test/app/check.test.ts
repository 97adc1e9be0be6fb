import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'
import { makeAuthority, writeTemporaryFiles } from '../support/certificates.ts'

interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the proxy's command line with nothing but these variables set. */
async function proxy(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  const child = spawn(process.execPath, ['app/main.ts', ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  return { code: child.exitCode, stdout, stderr }
}

describe('the command line', () => {
  test('--version is that of package.json', async () => {
    assert.match((await proxy(['--version'])).stdout, /^\d+\.\d+\.\d+\n$/)
  })

  test('--help names every setting and exits 0', async () => {
    const { code, stdout } = await proxy(['--help'])
    assert.equal(code, 0)
    for (const variable of ['PROXY_LISTEN', 'PROXY_UPSTREAM', 'PROXY_DRAIN_TIMEOUT'])
      assert.match(stdout, new RegExp(variable))
  })

  test('check-names reports misspelled names by themselves, whatever the values are', async () => {
    const env = { PROXY_LISTN: 'x', PROXY_URL: 'x', OTEL_SERVICE_NAM: 'x', PROXY_IDLE_TIMEOUT: 'not a time' }
    const { code, stdout, stderr } = await proxy(['check-names'], env)
    assert.equal(code, 2)
    assert.equal(stderr, 'PROXY_LISTN: there is no such setting. Did you mean PROXY_LISTEN?\n')
    assert.match(stdout, /^warning: PROXY_URL: [^\n]*\nwarning: [^\n]*OTEL_SERVICE_NAM[^\n]*\n$/)
    assert.equal((await proxy(['check-names'], { PROXY_LISTEN: 'smtp://127.0.0.1:0' })).code, 0)
  })

  // members of Object.prototype are no commands either
  for (const argument of ['chek', 'constructor', 'toString', '__proto__', 'hasOwnProperty']) {
    test(`unknown arguments (${argument}) are refused with the help, exit code 2`, async () => {
      const { code, stderr } = await proxy([argument])
      assert.equal(code, 2)
      assert.match(stderr, new RegExp(`^unknown arguments: ${argument}\\n[\\s\\S]*PROXY_LISTEN`))
    })
  }
})

describe('check', () => {
  let simulator: Simulator
  before(async () => {
    simulator = await startSimulator()
  })
  after(() => simulator?.close())

  function upstream(): Record<string, string> {
    return { PROXY_UPSTREAM: `smtp://localhost:${simulator.port}`, PROXY_UPSTREAM_CA_FILE: simulator.caFile }
  }

  test('a good upstream: its capabilities inside TLS, the days left on its certificate, exit code 0', async () => {
    const { code, stdout, stderr } = await proxy(['check'], upstream())
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
    assert.match(
      stdout,
      /^configuration: ok\nupstream localhost:\d+: ok in \d+ ms at [\d.:a-f]+, TLSv1\.3 \S+, certificate \d+ days left\n/,
    )
    assert.match(stdout, /^ {2}250[- ]AUTH PLAIN$/m)
    assert.doesNotMatch(stdout, /STARTTLS/)
  })

  test('an unencrypted upstream (?tls=off) shows its capabilities as well', async () => {
    await using plain = await startSimulator({ requireTls: false, offerTls: false })
    const { code, stdout } = await proxy(['check'], { PROXY_UPSTREAM: `smtp://127.0.0.1:${plain.port}?tls=off` })
    assert.equal(code, 0)
    assert.match(stdout, /unencrypted \(\?tls=off\)\n {2}250-/)
  })

  test('an untrusted certificate, a refusal and a closed port: each said with what to do, exit code 1', async () => {
    const untrusted = await proxy(['check'], { PROXY_UPSTREAM: `smtp://localhost:${simulator.port}` })
    assert.equal(untrusted.code, 1)
    assert.match(
      untrusted.stdout,
      /FAILED: the certificate is not trusted.*PROXY_UPSTREAM_CA_FILE \(tls_untrusted, 220, [A-Z_]+\)/,
    )

    simulator.faults.set('load-shedding', { times: 1 })
    const refused = await proxy(['check'], upstream())
    assert.equal(refused.code, 1)
    assert.match(refused.stdout, /FAILED: the server refused this connection \(greeting_refused, 421\)/)

    const closed = await proxy(['check'], { PROXY_UPSTREAM: 'smtp://127.0.0.1:1' })
    assert.equal(closed.code, 1)
    assert.match(closed.stdout, /FAILED: the connection was refused: .* \(connect_refused, ECONNREFUSED\)/)
  })

  test('every upstream in the list is dialled', async () => {
    const { PROXY_UPSTREAM, ...rest } = upstream()
    const { code, stdout } = await proxy(['check'], { ...rest, PROXY_UPSTREAM: `smtp://127.0.0.1:1,${PROXY_UPSTREAM}` })
    assert.equal(code, 1)
    assert.match(stdout, /127\.0\.0\.1:1: FAILED[\s\S]*localhost:\d+: ok/)
  })

  test("the listeners' certificate: days left, and a failure when it has expired", async () => {
    const authority = await makeAuthority()
    const day = 86_400_000
    for (const [notAfter, code, said] of [
      [new Date(Date.now() + 10.5 * day), 0, /^listener certificate: ok, 10 days left$/m],
      [new Date(Date.now() - day), 1, /^listener certificate: FAILED, -\d+ days left$/m],
    ] as const) {
      const { certPem, keyPem } = await authority.issue({ notBefore: new Date(Date.now() - 30 * day), notAfter })
      const files = writeTemporaryFiles({ 'cert.pem': certPem, 'key.pem': keyPem })
      const env = { PROXY_TLS_CERT_FILE: files.paths['cert.pem'], PROXY_TLS_KEY_FILE: files.paths['key.pem'] }
      const outcome = await proxy(['check'], { ...upstream(), ...env })
      files.remove()
      assert.equal(outcome.code, code)
      assert.match(outcome.stdout, said)
    }
  })

  test('variables of other programs are a warning, and a misspelled setting is a mistake', async () => {
    const foreign = await proxy(['check'], { ...upstream(), PROXY_URL: 'http://10.0.0.1:3128', PROXY_HOST: 'hunter2' })
    assert.equal(foreign.code, 0, foreign.stderr)
    assert.match(foreign.stdout, /^warning: PROXY_URL, PROXY_HOST: unknown to this proxy and ignored\./)
    assert.doesNotMatch(foreign.stdout, /10\.0\.0\.1|hunter2/)
    const misspelled = await proxy(['check'], { PROXY_LISTN: 'smtp://127.0.0.1:25' })
    assert.deepEqual([misspelled.code, misspelled.stdout], [2, ''])
    assert.equal(misspelled.stderr, 'PROXY_LISTN: there is no such setting. Did you mean PROXY_LISTEN?\n')
  })

  test('a bad configuration dials nobody: all mistakes, exit code 2', async () => {
    const { code, stdout, stderr } = await proxy(['check'], { PROXY_UPSTREAM: 'smtp://a:465', PROXY_SLOW: 'soon' })
    assert.deepEqual({ code, stdout }, { code: 2, stdout: '' })
    assert.match(stderr, /PROXY_UPSTREAM[\s\S]*PROXY_SLOW/)
  })
})
