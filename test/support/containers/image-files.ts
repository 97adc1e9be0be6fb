/** Lists the files of an image. */

import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { temporaryDirectory } from '../files/temporary-files.ts'
import { dockerOutput } from './engine.ts'

export interface ImageFile {
  /** The mode as `ls -l` prints it: `-rwxr-xr-x`. */
  readonly mode: string
  /** User and group as numbers: `0/0`. */
  readonly owner: string
  readonly path: string
}

const LIMIT_MS = 120_000

const listings = new Map<string, readonly ImageFile[]>()

/** Paths that an engine adds to every container. */
const OF_THE_ENGINE = /^(\.dockerenv$|dev\/|proc\/|sys\/|etc\/(hostname|hosts|resolv\.conf|mtab)$)/

/** All files in a container of the image, without those that the engine adds. */
export function filesOf(tag: string): readonly ImageFile[] {
  const known = listings.get(tag)
  if (known) return known
  const container = dockerOutput(['create', tag]).trim()
  try {
    using directory = temporaryDirectory('image-')
    const file = join(directory.path, 'root.tar')
    dockerOutput(['export', '--output', file, container], { ms: LIMIT_MS })
    const files = tar('--list', '--verbose', '--numeric-owner', '--file', file).split('\n').flatMap(entry)
    listings.set(tag, files)
    return files
  } finally {
    dockerOutput(['rm', container])
  }
}

/** All parts of the image's archive: its layers and its metadata. */
export function layersOf(tag: string): readonly Buffer[] {
  using directory = temporaryDirectory('image-')
  const file = join(directory.path, 'image.tar')
  dockerOutput(['save', '--output', file, tag], { ms: LIMIT_MS })
  tar('--extract', '--directory', directory.path, '--file', file)
  rmSync(file)
  const parts = readdirSync(directory.path, { recursive: true, withFileTypes: true }).filter((part) => part.isFile())
  return parts.map((part) => unpacked(readFileSync(join(part.parentPath, part.name))))
}

function unpacked(part: Buffer): Buffer {
  return part.readUInt16BE() === 0x1f8b ? gunzipSync(part) : part
}

/** One line of tar's list: mode, owner, size, day, time and path. */
function entry(line: string): ImageFile[] {
  const [, mode, owner, path] = /^(\S+) (\S+) +[0-9]+ \S+ \S+ (.*?)(?: -> .*)?$/.exec(line) ?? []
  return mode && owner && path && !OF_THE_ENGINE.test(path) ? [{ mode, owner, path }] : []
}

function tar(...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync('tar', args, { encoding: 'utf8', maxBuffer: 2 ** 28 })
  if (status !== 0) throw new Error(`tar ${args.join(' ')}: ${stderr}`)
  return stdout
}

/** The SHA-256 of a file in /app of the image. */
export function hashInImage(tag: string, name: string): string {
  const hash = `crypto.createHash("sha256").update(fs.readFileSync("${name}")).digest("hex")`
  const inImage = ['--rm', '--network=none', '--entrypoint=/usr/local/bin/node', tag, '--print', hash]
  return dockerOutput(['run', ...inImage]).trim()
}
