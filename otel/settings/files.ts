/** Files that OpenTelemetry's variables name: certificates and keys for export over TLS. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mistake, shown } from '../../settings/readers.ts'
import type { PemFile } from './effective.ts'
import { OTLP_SETTINGS, ownVariable, type ReadSettings, type Signal } from './table.ts'

/** Reads the text of a file; throws like `readFileSync`. */
export type ReadText = (path: string) => string

/** What a file is for. */
export type Kind = 'authorities' | 'clientKey' | 'clientCertificate'

/** The files that could be read, by purpose and path. */
export type PemFiles = Readonly<Record<Kind, ReadonlyMap<string, PemFile>>>

const KINDS = { authorities: isCertificate, clientKey: isKey, clientCertificate: isCertificate } as const
const SETS = ['all', 'traces', 'metrics', 'logs'] as const

/** Reads every named file, and reports what is wrong with it, alone or as the key of a signal's certificate. */
export function readPemFiles({ otlp }: ReadSettings, readText: ReadText): { files: PemFiles; mistakes: string[] } {
  const files = { authorities: new Map(), clientKey: new Map(), clientCertificate: new Map() }
  const mistakes: string[] = []
  for (const set of SETS) {
    for (const kind of Object.keys(KINDS) as Kind[]) {
      const path = otlp[set][kind]
      if (path === undefined) continue
      const opened = open(variableOf(kind, set), kind, path, readText)
      if (typeof opened === 'string') mistakes.push(opened)
      else files[kind].set(path, opened)
    }
  }
  const pairs = (['traces', 'metrics', 'logs'] as const).flatMap((signal) => strangers(signal, otlp, files))
  return { files, mistakes: [...mistakes, ...new Set(pairs)] }
}

function variableOf(kind: Kind, set: (typeof SETS)[number]): string {
  const row = OTLP_SETTINGS[kind]
  return set === 'all' ? row.variable : ownVariable(row, set)
}

function open(variable: string, kind: Kind, path: string, readText: ReadText): PemFile | string {
  let pem: string
  try {
    pem = readText(path)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    const fix = 'Correct the path, or allow the user of the proxy to read the file.'
    return mistake(variable, { got: shown(path), expected: `a readable file (${code})`, fix })
  }
  if (KINDS[kind](pem)) return { path, pem }
  const expected = kind === 'clientKey' ? 'a file with a PEM private key' : 'a file with PEM certificates'
  return mistake(variable, {
    got: shown(path),
    expected,
    fix: 'It holds none, or one that is encrypted or damaged: replace the file, or correct the path.',
  })
}

/** A key and a certificate that do not belong together. */
function strangers(signal: Signal, otlp: ReadSettings['otlp'], files: PemFiles): string[] {
  const [key, certificate] = [chosen('clientKey', signal, otlp), chosen('clientCertificate', signal, otlp)]
  const keyFile = files.clientKey.get(key?.path ?? '')
  const certificateFile = files.clientCertificate.get(certificate?.path ?? '')
  if (!key || !keyFile || !certificateFile) return []
  if (new X509Certificate(certificateFile.pem).checkPrivateKey(createPrivateKey(keyFile.pem))) return []
  const got = `${shown(keyFile.path)} for ${shown(certificateFile.path)}`
  return [
    mistake(key.variable, {
      got,
      expected: 'the key of that certificate',
      fix: 'They do not belong together: set the files of one pair.',
    }),
  ]
}

/** The path that a signal uses, and the variable that names it. */
function chosen(kind: Kind, signal: Signal, otlp: ReadSettings['otlp']) {
  const set = otlp[signal][kind] === undefined ? 'all' : signal
  const path = otlp[set][kind]
  return path === undefined ? undefined : { variable: variableOf(kind, set), path }
}

function isCertificate(pem: string): boolean {
  return succeeds(() => new X509Certificate(pem))
}

function isKey(pem: string): boolean {
  return succeeds(() => createPrivateKey(pem))
}

function succeeds(attempt: () => unknown): boolean {
  try {
    attempt()
    return true
  } catch {
    return false
  }
}
