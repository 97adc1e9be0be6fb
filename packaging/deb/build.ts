/**
 * Builds the Debian package. The same sources and the same time give the same bytes: dpkg-deb sorts the files, and takes no
 * time after SOURCE_DATE_EPOCH and no owner from this machine.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { build as bundle } from '../../bundle/build.ts'
import packageJson from '../../package.json' with { type: 'json' }
import { configurationFiles, contents, type Entry } from './contents.ts'
import { type Architecture, nodeProgram } from './node-program.ts'
import { control, debianVersion } from './texts.ts'

/** What dpkg runs. */
const SCRIPTS = ['postinst', 'postrm', 'prerm'] as const

/** What package to build, and where. */
export interface DebOptions {
  readonly architecture: Architecture
  /** The directory of the result. */
  readonly folder: string
  /** Seconds since 1970: the time of all files. */
  readonly epoch: number
  /** Default: that of package.json. */
  readonly version?: string
  /** `none` is a hundred times as fast, for tests. Default: `xz`. */
  readonly compression?: 'xz' | 'none'
}

/** Writes the package, and resolves with its path. */
export async function buildDeb(options: DebOptions): Promise<string> {
  // directories get their modes from it
  process.umask(0o022)
  const version = debianVersion(options.version ?? packageJson.version)
  const work = mkdtempSync(join(tmpdir(), 'deb-'))
  try {
    const built = await bundle('package', join(work, 'bundle'))
    const entries = contents({ version, epoch: options.epoch, node: nodeProgram(options.architecture), built })
    const tree = join(work, 'tree')
    for (const entry of entries) write(tree, entry)
    for (const entry of metadata(entries, version, options.architecture)) write(tree, entry)
    const result = join(options.folder, `${packageJson.name}_${version}_${options.architecture}.deb`)
    mkdirSync(options.folder, { recursive: true })
    pack(tree, result, options)
    return result
  } finally {
    rmSync(work, { recursive: true })
  }
}

/** The files that dpkg reads. */
function metadata(entries: readonly Entry[], version: string, architecture: Architecture): Entry[] {
  const scripts = SCRIPTS.map((name) => ({ name, text: readFileSync(join(import.meta.dirname, name)), mode: 0o755 }))
  const texts = [
    { name: 'control', text: control(version, architecture, kibibytes(entries)), mode: 0o644 },
    { name: 'conffiles', text: `${configurationFiles(entries).join('\n')}\n`, mode: 0o644 },
    { name: 'md5sums', text: checksums(entries), mode: 0o644 },
  ]
  return [...scripts, ...texts].map(({ name, text, mode }) => ({
    path: `DEBIAN/${name}`,
    bytes: Buffer.from(text),
    mode,
  }))
}

function kibibytes(entries: readonly Entry[]): number {
  return entries.reduce((sum, entry) => sum + ('bytes' in entry ? Math.ceil(entry.bytes.length / 1024) : 1), 0)
}

function checksums(entries: readonly Entry[]): string {
  const files = entries.flatMap((entry) => ('bytes' in entry && !entry.path.startsWith('etc/') ? [entry] : []))
  return files.map(({ path, bytes }) => `${createHash('md5').update(bytes).digest('hex')}  ${path}\n`).join('')
}

function write(tree: string, entry: Entry): void {
  const path = join(tree, entry.path)
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 })
  if ('link' in entry) return symlinkSync(entry.link, path)
  if ('directory' in entry) mkdirSync(path)
  else writeFileSync(path, entry.bytes)
  // not with the umask of this process
  chmodSync(path, 'directory' in entry ? entry.directory : entry.mode)
}

function pack(tree: string, result: string, { epoch, compression = 'xz' }: DebOptions): void {
  // one thread: several compress to other bytes
  const args = ['--root-owner-group', '--threads-max=1', `-Z${compression}`, '--build', tree, result]
  execFileSync('dpkg-deb', args, {
    env: { ...process.env, SOURCE_DATE_EPOCH: String(epoch) },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}
