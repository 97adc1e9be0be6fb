/** Certificates and keys in PEM files that settings name. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type Fault, isContent, shown } from './mistakes.ts'
import { type Reader, type Reading, type ReadText, wrong } from './readers.ts'

/** A file and what was in it. */
export interface PemFile {
  readonly path: string
  readonly pem: string
}

/** A file with one certificate or more. */
export const certificateFile = pemFile(
  (pem) => readCertificates(pem).length > 0,
  'a file with PEM certificates',
  'It holds none, or one that is cut short or damaged: replace the file, or correct the path.',
)

/** A file with an unencrypted private key. */
export const keyFile = pemFile(
  (pem) => readKey(pem) !== undefined,
  'a file with a PEM private key',
  'It holds none, or one that is encrypted, cut short or damaged: replace the file, or correct the path.',
)

function pemFile(isValid: (pem: string) => boolean, expected: string, fix: string): Reader<PemFile> {
  return (path, readText = readFromDisk) => {
    const reading = readFile(path, readText)
    if ('faults' in reading) return reading
    return isValid(reading.value) ? { value: { path, pem: reading.value } } : wrong(path, expected, fix)
  }
}

const readFromDisk: ReadText = (path) => readFileSync(path, 'utf8')

function readFile(path: string, readText: ReadText): Reading<string> {
  if (isContent(path)) {
    return wrong(path, 'the path of a file', 'Save that text in a file, and set the path of the file.')
  }
  try {
    return { value: readText(path) }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    return wrong(path, `a readable file (${code})`, ADVICE.get(code) ?? 'Set the path of a PEM file.')
  }
}

const ADVICE: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'The file does not exist: correct the path, or mount the file into the container.'],
  ['EACCES', 'The user of the proxy may not read the file: change its owner or mode.'],
])

const BEGIN = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----/g
const BLOCK = /-----BEGIN ((?:X509 |TRUSTED )?CERTIFICATE)-----[^-]+-----END \1-----/g

/** The certificates of a PEM text, in order; none at all when one of them is cut short or does not parse. */
export function readCertificates(pem: string): readonly X509Certificate[] {
  const blocks = pem.match(BLOCK) ?? []
  if (blocks.length !== pem.match(BEGIN)?.length) return []
  try {
    return blocks.map((block) => new X509Certificate(block))
  } catch {
    return []
  }
}

/** The private key of a PEM text; undefined when there is none, or one that is encrypted or damaged. */
export function readKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem)
  } catch {
    return undefined
  }
}

/** Why a certificate and a key are no pair. */
export const NOT_A_PAIR = 'do not belong together: the key is not that of the first certificate in the file'

/** Whether a key is that of the first certificate. */
export function isPair(certificate: PemFile, key: PemFile): boolean {
  const [[first], privateKey] = [readCertificates(certificate.pem), readKey(key.pem)]
  return first !== undefined && privateKey !== undefined && first.checkPrivateKey(privateKey)
}

/** The fault of a key that does not serve its certificate. The subject of `reason` is "they". */
export function pairFault(certificate: PemFile, key: PemFile, reason = NOT_A_PAIR): Fault {
  return {
    got: `${shown(key.path)} for ${shown(certificate.path)}`,
    expected: 'the key of that certificate',
    fix: `They ${reason}. Replace the file, or correct the path.`,
  }
}
