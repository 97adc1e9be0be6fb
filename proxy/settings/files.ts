/** Files that settings name: whether they can be read and are what their setting wants. */
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

/** A file that a setting names: its content, or the mistake that it cannot be read. */
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
    const wanted = `a file that can be read: ${code}`
    return { variable, path, unreadable: mistake(variable, { got: shown(path), wanted, fix: adviceOn(code) }) }
  }
}

function adviceOn(code: string): string {
  if (code === 'ENOENT') return 'There is no such file: correct the path, or in a container mount the file there.'
  if (code === 'EACCES') return 'The user that the proxy runs as may not read it: change its owner or mode.'
  return 'Give the path of a PEM file.'
}

function badAuthorities(file: NamedFile | undefined): string[] {
  if (file?.content === undefined || readCertificates(file.content).length > 0) return []
  const fix = 'It holds none, or one that is cut short or damaged.'
  return [mistake(file.variable, { got: shown(file.path), wanted: 'a file of PEM certificates', fix })]
}

function badIdentity(certificate: NamedFile | undefined, key: NamedFile | undefined): string[] {
  return identityMistakes(certificate?.content, key?.content).map(({ part, reason }) => {
    const subject = {
      certificate: [SETTINGS.certFile.variable, pathOf(certificate), 'a file of PEM certificates'],
      key: [SETTINGS.keyFile.variable, pathOf(key), 'a file with a PEM private key'],
      pair: [SETTINGS.keyFile.variable, `${pathOf(key)} for ${pathOf(certificate)}`, 'the key of that certificate'],
    } as const
    const [variable, got, wanted] = subject[part]
    return mistake(variable, { got, wanted, fix: `${part === 'pair' ? 'They' : 'It'} ${reason}.` })
  })
}

function pathOf(file: NamedFile | undefined): string {
  return shown(file?.path ?? '')
}
