/** The listeners' certificate when its files change, to a valid pair or to an invalid one. */
import assert from 'node:assert/strict'
import { createPrivateKey } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadCertificate, type RefreshResult } from '../../../proxy/net/listener-certificate.ts'
import { writeTemporaryFiles } from '../../support/files/temporary-files.ts'
import type { Certificate } from '../../support/tls/certificates.ts'
import { authority, first, handshake, load, loaded, second, serve } from '../../support/tls/listener-certificate.ts'

const garbage = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'
const encryptedKey = createPrivateKey(first.keyPem).export({
  type: 'pkcs8',
  format: 'pem',
  cipher: 'aes-256-cbc',
  passphrase: 'a passphrase',
}) as string

function errorOf(result: RefreshResult): string {
  assert.ok(typeof result === 'object', String(result))
  return result.error
}

test('unchanged files are not loaded again', async (t) => {
  const { certificate } = load(t)
  const { context } = certificate
  assert.equal(await certificate.refresh(), 'unchanged')
  assert.equal(certificate.context, context)
})

test('a replaced pair is loaded: new handshakes use it, and sessions inside TLS continue', async (t) => {
  const { certificate, write } = load(t)
  const { dial } = await serve(t, certificate)
  const before = dial()
  assert.equal(await handshake(before), 'first')
  write('tls.crt', second.certPem)
  write('tls.key', second.keyPem)
  assert.equal(await certificate.refresh(), 'reloaded')
  assert.equal(await certificate.refresh(), 'unchanged')
  assert.equal(await handshake(dial()), 'second')
  const [hello] = await once(before, 'data')
  assert.equal(String(hello), 'hello')
})

test('a session ticket of the old certificate causes a full handshake, not an error', async (t) => {
  const { certificate, write } = load(t)
  const { dial } = await serve(t, certificate)
  const before = dial()
  const [session] = await once(before, 'session')
  const resumed = dial({ session })
  await handshake(resumed)
  assert.equal(resumed.isSessionReused(), true)
  write('tls.crt', second.certPem)
  write('tls.key', second.keyPem)
  assert.equal(await certificate.refresh(), 'reloaded')
  const later = dial({ session })
  assert.equal(await handshake(later), 'second')
  assert.equal(later.isSessionReused(), false)
})

test('while a new pair is incomplete the old one stays in use, and the second file completes the reload', async (t) => {
  for (const [one, other] of [
    ['tls.crt', 'tls.key'],
    ['tls.key', 'tls.crt'],
  ] as const) {
    const texts = { 'tls.crt': second.certPem, 'tls.key': second.keyPem }
    const { certificate, write } = load(t)
    const { context } = certificate
    write(one, texts[one])
    assert.match(errorOf(await certificate.refresh()), /tls\.crt and .*tls\.key do not belong together/)
    assert.match(errorOf(await certificate.refresh()), /do not belong together/)
    assert.equal(certificate.context, context)
    write(other, texts[other])
    assert.equal(await certificate.refresh(), 'reloaded')
    assert.notEqual(certificate.context, context)
  }
})

/** The damage to a file, the file, its content, and the error. */
const DAMAGES: readonly (readonly [
  title: string,
  file: 'tls.crt' | 'tls.key',
  text: string | undefined,
  error: RegExp,
])[] = [
  ['is deleted', 'tls.crt', undefined, /ENOENT.*tls\.crt/],
  ['is deleted', 'tls.key', undefined, /ENOENT.*tls\.key/],
  ['is empty', 'tls.crt', '', /tls\.crt holds no PEM certificate/],
  ['is empty', 'tls.key', '', /tls\.key holds no PEM private key/],
  ['is cut short', 'tls.crt', second.certPem.slice(0, -40), /tls\.crt holds no PEM certificate/],
  ['is cut short', 'tls.key', second.keyPem.slice(0, -40), /tls\.key holds no PEM private key/],
  ['has a chain cut short', 'tls.crt', first.certPem + authority.certPem.slice(0, 300), /tls\.crt holds no PEM/],
  ['has a chain of garbage', 'tls.crt', first.certPem + garbage, /tls\.crt holds no PEM certificate/],
  ['is encrypted', 'tls.key', encryptedKey, /tls\.key holds no PEM private key, or one that is encrypted/],
  ['has the authority first', 'tls.crt', authority.certPem + first.certPem, /not that of the first certificate/],
]

for (const [title, file, text, error] of DAMAGES) {
  test(`${file} ${title}: the old pair stays in use, and a valid one is loaded later`, async (t) => {
    const { certificate, write, files } = load(t)
    const { context } = certificate
    if (text === undefined) rmSync(files.paths[file])
    else write(file, text)
    assert.match(errorOf(await certificate.refresh()), error)
    assert.equal(certificate.context, context)
    assert.equal(await handshake((await serve(t, certificate)).dial()), 'first')
    write('tls.crt', first.certPem)
    write('tls.key', first.keyPem)
    assert.equal(await certificate.refresh(), 'reloaded')
  })

  test(`${file} ${title}: nothing is loaded at start, and the reason is returned`, (t) => {
    const { write, files } = load(t)
    if (text === undefined) rmSync(files.paths[file])
    else write(file, text)
    const result = loadCertificate({ certFile: files.paths['tls.crt'], keyFile: files.paths['tls.key'] })
    assert.ok('error' in result)
    assert.match(result.error, error)
  })
}

test('no error quotes the key', async (t) => {
  const { certificate, write } = load(t)
  write('tls.key', second.keyPem.replace('MII', 'MIJ'))
  const line = second.keyPem.split('\n')[1] ?? ''
  assert.ok(!errorOf(await certificate.refresh()).includes(line.slice(0, 16)))
})

test('a directory that Kubernetes replaces through its symbolic link is detected', async (t) => {
  const { directory, remove } = writeTemporaryFiles({})
  t.after(remove)
  const publish = (version: string, { certPem, keyPem }: Certificate) => {
    mkdirSync(join(directory, version))
    writeFileSync(join(directory, version, 'tls.crt'), certPem)
    writeFileSync(join(directory, version, 'tls.key'), keyPem)
    symlinkSync(version, join(directory, '..data_tmp'))
    renameSync(join(directory, '..data_tmp'), join(directory, '..data'))
  }
  publish('..2026_01', first)
  const [certFile, keyFile] = ['tls.crt', 'tls.key'].map((name) => {
    symlinkSync(join('..data', name), join(directory, name))
    return join(directory, name)
  }) as [string, string]
  const certificate = loaded({ certFile, keyFile })
  assert.equal(await certificate.refresh(), 'unchanged')
  publish('..2026_02', second)
  rmSync(join(directory, '..2026_01'), { recursive: true })
  assert.equal(await certificate.refresh(), 'reloaded')
  assert.equal(await handshake((await serve(t, certificate)).dial()), 'second')
})

test('concurrent refreshes run one after the other', async (t) => {
  const { certificate, write } = load(t)
  write('tls.crt', second.certPem)
  write('tls.key', second.keyPem)
  const results = await Promise.all([certificate.refresh(), certificate.refresh(), certificate.refresh()])
  assert.deepEqual(results, ['reloaded', 'unchanged', 'unchanged'])
})

test('an error is new if the files or the error changed, or after a successful refresh', async (t) => {
  const { certificate, write, files } = load(t)
  const isNew = async () => {
    const result = await certificate.refresh()
    assert.ok(typeof result === 'object', String(result))
    return result.isNew
  }
  write('tls.key', second.keyPem)
  assert.deepEqual([await isNew(), await isNew(), await isNew()], [true, false, false])
  write('tls.key', second.keyPem)
  assert.deepEqual([await isNew(), await isNew()], [true, false], 'the same error of other files')
  rmSync(files.paths['tls.key'])
  assert.deepEqual([await isNew(), await isNew()], [true, false], 'another error')
  write('tls.key', first.keyPem)
  assert.equal(await certificate.refresh(), 'reloaded')
  rmSync(files.paths['tls.key'])
  assert.deepEqual([await isNew(), await isNew()], [true, false], 'after a successful refresh')
})

test('the watch reports an error once, and reloads', { timeout: 10_000 }, async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const { certificate, write } = load(t)
  const reported: RefreshResult[] = []
  certificate.watch(60_000, (result) => reported.push(result))
  const afterAMinute = async () => {
    t.mock.timers.tick(60_000)
    // refreshes run one after the other: after this one, the watch's has finished
    await certificate.refresh()
  }
  write('tls.key', second.keyPem)
  for (let minute = 0; minute < 3; minute += 1) await afterAMinute()
  write('tls.crt', second.certPem)
  await afterAMinute()
  assert.deepEqual(
    reported.map((result) => (typeof result === 'object' ? 'error' : result)),
    ['error', 'reloaded'],
  )
})

test('the watch reports nothing if nothing changed, and nothing after close, even for a refresh in progress', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const { certificate, write } = load(t)
  const reported: RefreshResult[] = []
  certificate.watch(60_000, (result) => reported.push(result))
  t.mock.timers.tick(60_000)
  // refreshes run one after the other: after this one, the watch's has finished
  await certificate.refresh()
  write('tls.key', 'nothing')
  t.mock.timers.tick(60_000)
  certificate.close()
  t.mock.timers.tick(600_000)
  await certificate.refresh()
  assert.deepEqual(reported, [])
})

test('the watch does not keep the process alive', (t) => {
  const { certificate } = load(t)
  const timers = () => process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length
  const before = timers()
  certificate.watch(3_600_000, () => {})
  assert.equal(timers(), before)
})
