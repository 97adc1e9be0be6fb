/** PEM files that settings name: what is accepted, and what is said of the others. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { describe, test } from 'node:test'
import { certificateFile, isPair, keyFile, pairFault, readCertificates, readKey } from '../../settings/pem.ts'
import type { Reader } from '../../settings/readers.ts'
import { makeAuthority, makeSelfSigned } from '../support/tls/certificates.ts'

const authority = await makeAuthority()
const own = await makeSelfSigned({ commonName: 'own' })
const other = await makeSelfSigned({ commonName: 'other' })
const encrypted = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' },
}).privateKey

const FILES: Readonly<Record<string, string>> = {
  'own.crt': own.certPem,
  'own.key': own.keyPem,
  'both.pem': `${own.keyPem}\n${own.certPem}`,
  'cut.crt': own.certPem.slice(0, 200),
  'second-cut.crt': `${own.certPem}\n${other.certPem.slice(0, 200)}`,
  'damaged.crt': own.certPem.replace(/\n[^-]{20}/, '\nAAAAAAAAAAAAAAAAAAAA'),
  'encrypted.key': encrypted,
  'notes.txt': 'no PEM in here',
}

function readText(path: string): string {
  const text = FILES[path]
  if (text === undefined) throw Object.assign(new Error(path), { code: path.replace(/^.*\//, '') })
  return text
}

describe('A file is accepted with its path and its text: ', () => {
  const ACCEPTED: readonly (readonly [kind: string, Reader<unknown>, path: string])[] = [
    ['certificates', certificateFile, 'own.crt'],
    ['certificates', certificateFile, 'both.pem'],
    ['a key', keyFile, 'own.key'],
    ['a key', keyFile, 'both.pem'],
  ]
  for (const [kind, read, path] of ACCEPTED)
    test(`${kind} in ${path}`, () => assert.deepEqual(read(path, readText), { value: { path, pem: FILES[path] } }))
})

const NO_CERTIFICATES = [
  'a file with PEM certificates',
  'It holds none, or one that is cut short or damaged: replace the file, or correct the path.',
] as const
const NO_KEY = [
  'a file with a PEM private key',
  'It holds none, or one that is encrypted, cut short or damaged: replace the file, or correct the path.',
] as const

describe('A file is refused: ', () => {
  const REFUSED: readonly (readonly [Reader<unknown>, path: string, expected: string, fix: string])[] = [
    ...['own.key', 'cut.crt', 'second-cut.crt', 'damaged.crt', 'notes.txt'].map(
      (path) => [certificateFile, path, ...NO_CERTIFICATES] as const,
    ),
    ...['own.crt', 'encrypted.key', 'notes.txt'].map((path) => [keyFile, path, ...NO_KEY] as const),
    [
      keyFile,
      '/run/ENOENT',
      'a readable file (ENOENT)',
      'The file does not exist: correct the path, or mount the file into the container.',
    ],
    [
      keyFile,
      '/run/EACCES',
      'a readable file (EACCES)',
      'The user of the proxy may not read the file: change its owner or mode.',
    ],
    [keyFile, '/run/EISDIR', 'a readable file (EISDIR)', 'Set the path of a PEM file.'],
  ]
  for (const [read, path, expected, fix] of REFUSED)
    test(`${path}, expected ${expected}`, () =>
      assert.deepEqual(read(path, readText), { faults: [{ got: `"${path}"`, expected, fix }] }))
})

test('the content of a file in place of its path is refused and not quoted', () => {
  const fix = 'Save that text in a file, and set the path of the file.'
  const faults = [{ got: '(several lines, not shown)', expected: 'the path of a file', fix }]
  assert.deepEqual(keyFile(own.keyPem, readText), { faults })
})

test('files are read from the disk unless a test replaces it', () => {
  const reading = keyFile('/no/such/file')
  assert.match(JSON.stringify(reading), /a readable file \(ENOENT\)/)
})

test('a bundle of certificates is read in order, with or without text between', () => {
  const bundle = `# ours\r\n${authority.certPem}\n\n# theirs\n${other.certPem}`
  assert.deepEqual(
    readCertificates(bundle).map(({ subject }) => subject),
    ['CN=Throw-away Authority', 'CN=other'],
  )
  assert.equal(readCertificates(own.certPem.replaceAll('CERTIFICATE', 'X509 CERTIFICATE')).length, 1)
  assert.deepEqual(readCertificates('no certificate'), [])
})

test('a key is read if it is neither encrypted nor damaged', () => {
  const texts = [own.keyPem, encrypted, own.keyPem.slice(0, 60), '']
  assert.deepEqual(
    texts.map((pem) => readKey(pem) !== undefined),
    [true, false, false, false],
  )
})

const file = (path: string, pem: string) => ({ path, pem })

test('a key belongs to the first certificate of a file', () => {
  const key = file('own.key', own.keyPem)
  const certificates = [own.certPem, `${own.certPem}\n${other.certPem}`, `${other.certPem}\n${own.certPem}`, 'none']
  assert.deepEqual(
    certificates.map((pem) => isPair(file('own.crt', pem), key)),
    [true, true, false, false],
  )
})

test('a key that does not serve its certificate is named with both files and the reason', () => {
  const files = [file('own.crt', own.certPem), file('other.key', other.keyPem)] as const
  const fault = { got: '"other.key" for "own.crt"', expected: 'the key of that certificate' }
  assert.deepEqual(pairFault(...files), {
    ...fault,
    fix:
      'They do not belong together: the key is not that of the first certificate in the file. Replace the file, or ' +
      'correct the path.',
  })
  assert.deepEqual(pairFault(...files, 'are refused'), {
    ...fault,
    fix: 'They are refused. Replace the file, or correct the path.',
  })
})
