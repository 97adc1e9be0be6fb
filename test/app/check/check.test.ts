/** The `check` command, with upstreams that work and upstreams that do not. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Simulator, startSimulator } from '../../simulator/simulator.ts'
import { writeTemporaryFiles } from '../../support/files/temporary-files.ts'
import { runProxyCommand } from '../../support/processes/proxy-command.ts'
import { makeAuthority } from '../../support/tls/certificates.ts'

/** No program on this machine can be in the way. */
const FREE_PORTS = { PROXY_LISTEN: 'smtp://127.0.0.1:0', PROXY_ADMIN: 'off' }

describe('check', () => {
  let simulator: Simulator
  before(async () => {
    simulator = await startSimulator()
  })
  after(() => simulator?.close())

  function upstream(): Record<string, string> {
    return {
      ...FREE_PORTS,
      PROXY_UPSTREAM: `smtp://localhost:${simulator.port}`,
      PROXY_UPSTREAM_CA_FILE: simulator.caFile,
    }
  }

  test('a good upstream: prints its capabilities inside TLS and the days left on its certificate, exit code 0', async () => {
    const { code, stdout, stderr } = await runProxyCommand(['check'], upstream())
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
    assert.match(
      stdout,
      /^Configuration\n {2}✓ configuration: all settings of the environment are valid \(\d+ ms\)\n[\s\S]*^ {2}✓ upstream localhost:\d+: ok in \d+ ms at [\d.:a-f]+, TLSv1\.3 \S+, certificate \d+ days left \(\d+ ms\)\n/m,
    )
    assert.match(stdout, /^ {6}250[- ]AUTH PLAIN$/m)
    assert.doesNotMatch(stdout, /STARTTLS/)
  })

  test('an unencrypted upstream (?tls=off): prints its capabilities as well', async () => {
    await using plain = await startSimulator({ requireTls: false, offerTls: false })
    const { code, stdout } = await runProxyCommand(['check'], {
      ...FREE_PORTS,
      PROXY_UPSTREAM: `smtp://127.0.0.1:${plain.port}?tls=off`,
    })
    assert.equal(code, 0)
    assert.match(stdout, /unencrypted \(\?tls=off\) \(\d+ ms\)\n {6}250-/)
  })

  test('an untrusted certificate, a refusal and a closed port: prints the cause and the fix, exit code 1', async () => {
    const untrusted = await runProxyCommand(['check'], {
      ...FREE_PORTS,
      PROXY_UPSTREAM: `smtp://localhost:${simulator.port}`,
    })
    assert.equal(untrusted.code, 1)
    assert.match(
      untrusted.stdout,
      /FAILED: the certificate of the server is not trusted.* \(tls_untrusted, [A-Z_]+\) .*\n {6}Next: .*PROXY_UPSTREAM_CA_FILE/,
    )

    simulator.faults.set('load-shedding', { times: 1 })
    const refused = await runProxyCommand(['check'], upstream())
    assert.equal(refused.code, 1)
    assert.match(refused.stdout, /FAILED: AhaSend .* \(421 instead of a greeting\)/)

    const closed = await runProxyCommand(['check'], { ...FREE_PORTS, PROXY_UPSTREAM: 'smtp://127.0.0.1:1' })
    assert.equal(closed.code, 1)
    assert.match(closed.stdout, /FAILED: the connection was refused: .* \(connect_refused, ECONNREFUSED\)/)
  })

  test('every upstream in the list is dialled', async () => {
    const { PROXY_UPSTREAM, ...rest } = upstream()
    const { code, stdout } = await runProxyCommand(['check'], {
      ...rest,
      PROXY_UPSTREAM: `smtp://127.0.0.1:1,${PROXY_UPSTREAM}`,
    })
    assert.equal(code, 1)
    assert.match(stdout, /127\.0\.0\.1:1: FAILED[\s\S]*localhost:\d+: ok/)
  })

  test("the listeners' certificate: days left, and a failure when it has expired", async () => {
    const authority = await makeAuthority()
    const day = 86_400_000
    for (const [notAfter, code, line] of [
      [new Date(Date.now() + 10.5 * day), 0, /listener certificate: ok, 10 days left \(\d+ ms\)$/m],
      [new Date(Date.now() - day), 1, /listener certificate: FAILED: it expired on [\d-]+, \d+ days? ago \(\d+ ms\)$/m],
    ] as const) {
      const { certPem, keyPem } = await authority.issue({ notBefore: new Date(Date.now() - 30 * day), notAfter })
      const files = writeTemporaryFiles({ 'cert.pem': certPem, 'key.pem': keyPem })
      const env = { PROXY_TLS_CERT_FILE: files.paths['cert.pem'], PROXY_TLS_KEY_FILE: files.paths['key.pem'] }
      const outcome = await runProxyCommand(['check'], { ...upstream(), ...env })
      files.remove()
      assert.equal(outcome.code, code)
      assert.match(outcome.stdout, line)
    }
  })

  test('variables of other programs are a warning, and a misspelled setting is a mistake', async () => {
    const foreign = await runProxyCommand(['check'], {
      ...upstream(),
      PROXY_URL: 'http://10.0.0.1:3128',
      PROXY_HOST: 'hunter2',
    })
    assert.equal(foreign.code, 0, foreign.stderr)
    assert.match(foreign.stdout, /^ {6}warning: PROXY_URL, PROXY_HOST: unknown to this proxy and ignored\./m)
    assert.doesNotMatch(foreign.stdout, /10\.0\.0\.1|hunter2/)
    const misspelled = await runProxyCommand(['check'], { PROXY_LISTN: 'smtp://127.0.0.1:25' })
    assert.deepEqual([misspelled.code, misspelled.stdout], [2, ''])
    assert.match(
      misspelled.stderr,
      /^PROXY_LISTN: there is no such setting\. Did you mean PROXY_LISTEN\?\nSee: https:.*\/docs\/configuration\.md\n$/,
    )
  })

  test('a bad configuration: prints all mistakes without dialling, exit code 2', async () => {
    const { code, stdout, stderr } = await runProxyCommand(['check'], {
      PROXY_UPSTREAM: 'smtp://a:465',
      PROXY_SLOW: 'soon',
    })
    assert.deepEqual({ code, stdout }, { code: 2, stdout: '' })
    assert.match(stderr, /PROXY_UPSTREAM[\s\S]*PROXY_SLOW/)
  })
})
