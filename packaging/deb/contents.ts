/** Which files the package contains, and where they come from. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { type BuiltFile, LICENSES_FILE } from '../../bundle/build.ts'
import type { NodeProgram } from './node-program.ts'
import { changelog, copyright } from './texts.ts'

const ROOT = join(import.meta.dirname, '../..')
const NAME = 'ahasend-smtp-proxy'
const LIB = `usr/lib/${NAME}`
const ETC = `etc/${NAME}`
const DOC = `usr/share/doc/${NAME}`

/** A file, a link or an empty directory of the package. */
export type Entry = { readonly path: string } & (
  | { readonly bytes: Uint8Array; readonly mode: number }
  | { readonly link: string }
  | { readonly directory: number }
)

/** What the package is made of. */
export interface Ingredients {
  readonly version: string
  /** Seconds since 1970: the time in the changelog. */
  readonly epoch: number
  readonly node: NodeProgram
  /** The files of `npm run build`. */
  readonly built: readonly BuiltFile[]
}

/** Everything in the package, without the scripts that dpkg runs. */
export function contents(ingredients: Ingredients): readonly Entry[] {
  return [...programs(ingredients), ...configuration(), ...shared(), ...documents(ingredients)]
}

function programs({ node, built }: Ingredients): Entry[] {
  return [
    copied('packaging/deb/ahasend-smtp-proxy', `usr/bin/${NAME}`, 0o755),
    copied('packaging/deb/copy-certificate', `${LIB}/copy-certificate`, 0o755),
    file(`${LIB}/node`, readFileSync(node.program), 0o755),
    // its name is in the help
    { path: `${LIB}/${NAME}`, link: 'proxy.cjs' },
    ...built.filter(({ name }) => name !== LICENSES_FILE).map(({ name, bytes }) => file(`${LIB}/${name}`, bytes)),
    ...unitNames().map((name) => copied(`packaging/systemd/${name}`, `usr/lib/systemd/system/${name}`)),
  ]
}

/** The names of the units. */
export function unitNames(): readonly string[] {
  return readdirSync(join(ROOT, 'packaging/systemd')).sort()
}

/** The settings may contain tokens of OTLP receivers, so only root can read them. */
function configuration(): Entry[] {
  return [
    ...['proxy.env', 'probe.env'].map((name) => copied(`packaging/deb/${name}`, `${ETC}/${name}`, 0o600)),
    { path: `${ETC}/tls`, directory: 0o700 },
    { path: `${ETC}/probe`, directory: 0o700 },
  ]
}

/** The paths that dpkg does not replace if an administrator changed the file. */
export function configurationFiles(entries: readonly Entry[]): readonly string[] {
  return entries.flatMap((entry) => ('bytes' in entry && entry.path.startsWith('etc/') ? [`/${entry.path}`] : []))
}

function shared(): Entry[] {
  const generated = 'dashboards/generated'
  return readdirSync(join(ROOT, generated))
    .sort()
    .map((name) => copied(`${generated}/${name}`, `usr/share/${NAME}/${name}`))
}

function documents({ version, epoch, node, built }: Ingredients): Entry[] {
  const licenses = built.find(({ name }) => name === LICENSES_FILE)
  if (licenses === undefined) throw new Error(`the build has no ${LICENSES_FILE}`)
  return [
    file(`${DOC}/copyright`, Buffer.from(copyright(String(source('LICENSE'))))),
    file(`${DOC}/node.txt`, readFileSync(node.license)),
    file(`${DOC}/packages.txt`, licenses.bytes),
    compressed(`${DOC}/changelog.gz`, Buffer.from(changelog(version, epoch))),
    compressed(`usr/share/man/man8/${NAME}.8.gz`, source(`packaging/deb/${NAME}.8`)),
    copied('packaging/deb/lintian-overrides', `usr/share/lintian/overrides/${NAME}`),
  ]
}

const source = (path: string) => readFileSync(join(ROOT, path))

function file(path: string, bytes: Uint8Array, mode = 0o644): Entry {
  return { path, bytes, mode }
}

function copied(from: string, path: string, mode?: number): Entry {
  return file(path, source(from), mode)
}

function compressed(path: string, bytes: Uint8Array): Entry {
  return file(path, gzipSync(bytes, { level: 9 }))
}
