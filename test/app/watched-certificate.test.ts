/**
 * The log lines about the listeners' certificate. How its files are read:
 * test/proxy/net/listener-certificate-refresh.test.ts.
 */
import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { WatchedCertificate } from '../../app/watched-certificate.ts'
import { writeTemporaryFiles } from '../support/files/temporary-files.ts'
import { first, load, second } from '../support/tls/listener-certificate.ts'

function watched(t: TestContext) {
  const { files, write } = load(t)
  const lines: [level: string, message: string, fields: object][] = []
  let changes = 0
  const certificate = new WatchedCertificate(
    { certFile: files.paths['tls.crt'], keyFile: files.paths['tls.key'] },
    {
      info: (fields, message) => lines.push(['info', message, fields]),
      error: (fields, message) => lines.push(['error', message, fields]),
    },
    () => {
      changes += 1
    },
  )
  t.after(() => certificate.close())
  return { certificate, write, lines, changes: () => changes }
}

test('a reload of unchanged files is logged, with the expiry', async (t) => {
  const { certificate, lines, changes } = watched(t)
  await certificate.reload()
  const notAfter = new Date(certificate.certificate.notAfter * 1000).toISOString()
  assert.deepEqual([lines, changes()], [[['info', 'certificate unchanged', { notAfter }]], 0])
})

test('a reload of a new pair is logged and reported', async (t) => {
  const { certificate, write, lines, changes } = watched(t)
  write('tls.crt', second.certPem)
  write('tls.key', second.keyPem)
  await certificate.reload()
  assert.deepEqual(
    [lines.map(([level, message]) => [level, message]), changes()],
    [[['info', 'certificate reloaded']], 1],
  )
})

test('a failed reload is logged with the reason and the expiry of the certificate in use', async (t) => {
  const { certificate, write, lines, changes } = watched(t)
  write('tls.key', 'no key')
  await certificate.reload()
  const [[level, message, fields] = []] = lines
  assert.deepEqual([level, message], ['error', 'certificate not reloaded, the old one stays in use'])
  assert.match((fields as { error: string }).error, /tls\.key holds no PEM private key/)
  assert.equal(changes(), 0)
})

test('the start fails without a valid pair, and the error names the settings', (t) => {
  const files = writeTemporaryFiles({ 'tls.crt': first.certPem, 'tls.key': first.keyPem })
  t.after(files.remove)
  rmSync(files.paths['tls.key'])
  const options = { certFile: files.paths['tls.crt'], keyFile: files.paths['tls.key'] }
  const log = { info() {}, error() {} }
  assert.throws(
    () => new WatchedCertificate(options, log, () => {}),
    /^Error: PROXY_TLS_CERT_FILE, PROXY_TLS_KEY_FILE: ENOENT/,
  )
})
