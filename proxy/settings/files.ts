/** Checks the files that settings name: whether they can be read, and whether their content fits the setting. */
import { identityMistakes, readCertificates } from '../net/listener-certificate.ts'
import type { ReadValues } from './checks.ts'
import { SETTINGS } from './table.ts'
import { mistake, shown } from './values.ts'

/** Reads the text of a file; throws like `readFileSync`. */
export type ReadText = (path: string) => string

/** Everything that is wrong with the files, each with its variable, its path and the reason. */
export function badFiles({ upstreamCaFile, certFile, keyFile }: ReadValues, readText: ReadText): string[] {
  const authorities = open(SETTINGS.upstreamCaFile.variable, upstreamCaFile, readText)
  const certificate = open(SETTINGS.certFile.variable, certFile, readText)
  const key = open(SETTINGS.keyFile.variable, keyFile, readText)
  return [
    ...[authorities, certificate, key].flatMap((file) => (file?.unreadable === undefined ? [] : [file.unreadable])),
    ...badAuthorities(authorities),
    ...badIdentity(certificate, key),
  ]
}

/** A file that a setting names: its content, or the message that it cannot be read. */
interface NamedFile {
  readonly variable: string
  readonly path: string
  readonly content?: string
  readonly unreadable?: string
}

function open(variable: string, path: string | undefined, readText: ReadText): NamedFile | undefined {
  if (path === undefined) return undefined
  try {
    return { variable, path, content: readText(path) }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    const expected = `a readable file (${code})`
    return { variable, path, unreadable: mistake(variable, { got: shown(path), expected, fix: adviceOn(code) }) }
  }
}

function adviceOn(code: string): string {
  if (code === 'ENOENT') return 'The file does not exist: correct the path, or mount the file into the container.'
  if (code === 'EACCES') return 'The user of the proxy may not read the file: change its owner or mode.'
  return 'Set the path of a PEM file.'
}

function badAuthorities(file: NamedFile | undefined): string[] {
  if (file?.content === undefined || readCertificates(file.content).length > 0) return []
  const fix = 'It holds none, or one that is cut short or damaged: replace the file, or correct the path.'
  return [mistake(file.variable, { got: shown(file.path), expected: 'a file with PEM certificates', fix })]
}

function badIdentity(certificate: NamedFile | undefined, key: NamedFile | undefined): string[] {
  return identityMistakes(certificate?.content, key?.content).map(({ part, reason }) => {
    const subject = {
      certificate: [SETTINGS.certFile.variable, pathOf(certificate), 'a file with PEM certificates'],
      key: [SETTINGS.keyFile.variable, pathOf(key), 'a file with a PEM private key'],
      pair: [SETTINGS.keyFile.variable, `${pathOf(key)} for ${pathOf(certificate)}`, 'the key of that certificate'],
    } as const
    const [variable, got, expected] = subject[part]
    return mistake(variable, {
      got,
      expected,
      fix: `${part === 'pair' ? 'They' : 'It'} ${reason}. Replace the file, or correct the path.`,
    })
  })
}

function pathOf(file: NamedFile | undefined): string {
  return shown(file?.path ?? '')
}
