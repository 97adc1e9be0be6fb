/**
 * What testssl.sh finds at a listener. It has its own TLS implementation, and so finds versions, cipher suites and
 * vulnerabilities that Node's client cannot detect. Takes half a minute.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { run } from '../clients/command.ts'
import { writeTemporaryFiles } from '../support/files/temporary-files.ts'
import { startProxy } from '../support/processes/proxy-process.ts'
import { unless } from '../support/programs/programs.ts'
import { makeAuthority } from '../support/tls/certificates.ts'

/** Checks protocols, cipher categories, forward secrecy and vulnerabilities, without DNS lookups. */
const CHECKS = ['--protocols', '--std', '--fs', '--vulnerable', '--nodns', 'none', '--warnings', 'off', '--quiet']
/** Arbitrary: ten times the usual duration. */
const LIMIT_MS = 280_000

/** DEBUG is about testssl.sh itself. */
const GOOD = ['OK', 'INFO', 'DEBUG']

/**
 * This check depends on the exit code of `openssl s_client`, which is also 0 when the connection closes before the
 * refusal: test/proxy/net/listener-certificate.test.ts proves that a client cannot renegotiate.
 */
const UNRELIABLE = 'secure_client_renego'

/** About the openssl of this machine and not about the proxy: it lacks the GOST engine. */
const OF_THIS_MACHINE = 'engine_problem'

interface Finding {
  readonly id: string
  /** One of `GOOD`, or how bad it is. */
  readonly severity: string
  readonly finding: string
}

const version = await run({ file: 'testssl', args: ['--version'], env: process.env })
const missing = version.code === 0 ? undefined : 'testssl is not installed: apt-get install testssl.sh'

describe('testssl.sh at an smtps:// listener (3PT-07)', unless(missing), () => {
  let findings: readonly Finding[]
  before(async () => {
    findings = await examine()
  })

  /** The result of a check. Fails when testssl.sh did not run it. */
  function finding(id: RegExp): string {
    const found = findings.find((each) => id.test(each.id))
    assert.ok(found, `no finding ${id} among: ${findings.map((each) => each.id).join(' ')}`)
    return found.finding
  }

  test('reports no problem', () => {
    const wrong = findings.filter(
      ({ id, severity }) => !GOOD.includes(severity) && id !== UNRELIABLE && id !== OF_THIS_MACHINE,
    )
    assert.deepEqual(wrong, [])
  })

  test('finds TLS 1.2 and 1.3, and no older version', () => {
    for (const id of [/^SSLv2$/, /^SSLv3$/, /^TLS1$/, /^TLS1_1$/]) assert.equal(finding(id), 'not offered')
    for (const id of [/^TLS1_2$/, /^TLS1_3$/]) assert.match(finding(id), /^offered/)
  })

  test('finds forward secrecy, and no cipher suite without it', () => {
    assert.match(finding(/^P?FS$/), /^offered/)
    assert.match(finding(/^ROBOT$/), /no RSA key transport/)
  })

  test('finds no cipher suite with CBC', () => {
    assert.equal(finding(/^cipherlist_(AVERAGE|OBSOLETED)$/), 'not offered')
    assert.equal(finding(/^cipherlist_3DES_IDEA$/), 'not offered')
  })
})

/** Runs testssl.sh against a proxy with an RSA certificate: only RSA allows suites without forward secrecy. */
async function examine(): Promise<readonly Finding[]> {
  const { certPem, keyPem } = await (await makeAuthority()).issue({ keyType: 'rsa' })
  const files = writeTemporaryFiles({ 'cert.pem': certPem, 'key.pem': keyPem })
  try {
    await using proxy = await startProxy({
      PROXY_LISTEN: 'smtps://127.0.0.1:0',
      PROXY_TLS_CERT_FILE: files.paths['cert.pem'],
      PROXY_TLS_KEY_FILE: files.paths['key.pem'],
      PROXY_UPSTREAM: 'smtp://127.0.0.1:1', // refuses connections; testssl.sh needs no greeting
      PROXY_WARM_CONNECTIONS: '0',
    })
    const report = join(files.directory, 'report.json')
    const args = [...CHECKS, '--jsonfile', report, `127.0.0.1:${proxy.port}`]
    const { stdout, stderr } = await run({ file: 'testssl', args, env: process.env }, LIMIT_MS)
    const findings = JSON.parse(readFileSync(report, 'utf8')) as Finding[]
    assert.ok(
      findings.some(({ id }) => id === 'scanTime'),
      `testssl.sh did not finish:\n${stdout}${stderr}`,
    )
    return findings
  } finally {
    files.remove()
  }
}
