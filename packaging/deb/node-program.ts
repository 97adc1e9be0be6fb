/** Node for the package: the program that npm installed for this project, or the same version for another architecture. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import packageJson from '../../package.json' with { type: 'json' }

/** Debian's names of the architectures, and those of npm's packages. */
export const ARCHITECTURES = { amd64: 'x64', arm64: 'arm64' } as const

/** Debian's name of an architecture that has a package. */
export type Architecture = keyof typeof ARCHITECTURES

/** Debian's name of the architecture of this machine. Throws if the package does not exist for it. */
export function ownArchitecture(): Architecture {
  const entry = Object.entries(ARCHITECTURES).find(([, name]) => name === process.arch)
  if (entry === undefined) throw new Error(`there is no package for ${process.arch}: use --arch ${expected}`)
  return entry[0] as Architecture
}

/** Whether a text names an architecture that has a package. */
export function isArchitecture(name: string): name is Architecture {
  return Object.hasOwn(ARCHITECTURES, name)
}

/** What `--arch` accepts, for errors. */
export const expected = Object.keys(ARCHITECTURES).join(' or ')

/** The files of Node, as absolute paths. */
export interface NodeProgram {
  readonly program: string
  readonly license: string
}

/** Finds Node for an architecture. For another one than that of this machine, it downloads the package of npm once. */
export function nodeProgram(architecture: Architecture): NodeProgram {
  const name = `node-linux-${ARCHITECTURES[architecture]}`
  const folder = installed(name) ?? downloaded(name)
  return { program: join(folder, 'bin/node'), license: join(folder, 'LICENSE') }
}

/** The folder of a package that npm installed with the package `node`. */
function installed(name: string): string | undefined {
  const fromNode = createRequire(createRequire(import.meta.url).resolve('node/package.json'))
  try {
    return dirname(fromNode.resolve(`${name}/package.json`))
  } catch {
    return undefined
  }
}

function downloaded(name: string): string {
  const version = packageJson.devDependencies.node
  const folder = join(import.meta.dirname, '../../.cache/deb', `${name}-${version}`)
  if (existsSync(join(folder, 'package/LICENSE'))) return join(folder, 'package')
  mkdirSync(folder, { recursive: true })
  const [archive = ''] = execFileSync('npm', ['pack', '--silent', `${name}@${version}`], {
    cwd: folder,
    encoding: 'utf8',
  })
    .trim()
    .split('\n')
    .slice(-1)
  execFileSync('tar', ['-xzf', archive, 'package/bin/node', 'package/LICENSE'], { cwd: folder })
  return join(folder, 'package')
}
