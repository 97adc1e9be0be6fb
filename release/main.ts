/**
 * What a release needs. `node release/main.ts` prints the commands. The workflows in .github/workflows/ call them, so that
 * tests can run the same code.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Contents, packagesIn } from '../bundle/build.ts'
import packageJson from '../package.json' with { type: 'json' }
import { checkAssets, collectAssets } from './assets.ts'
import { judge, runAudit } from './audit.ts'
import { writeChecksums } from './checksums.ts'
import type { Lock } from './licenses.ts'
import { readPublished, releaseNotes } from './notes.ts'
import { sbomOf } from './sbom.ts'
import { checkTag, prepareRelease } from './versions.ts'

const ROOT = join(import.meta.dirname, '..')

const HELP = `Usage: node release/main.ts COMMAND
  prepare VERSION         writes the version into all files, and dates the unreleased changes
  check-tag TAG           fails unless the tag and all files show the same version
  notes FILE              prints the notes of the release; FILE has lines of NAME DIGEST
  assets FOLDER           collects the files of the release, except the packages of Debian
  checksums FOLDER        fails if a file is missing; writes SHA256SUMS
  sbom [FOLDER] [--node VERSION]
                          writes the software bills of materials (default: dist)
  audit [ARGUMENT...]     exits with 1 for severe vulnerabilities in the product, and with 2 if nothing is known
`

const COMMANDS: Readonly<Record<string, (args: readonly string[]) => Promise<void> | void>> = {
  prepare: ([version = '']) => prepareRelease(ROOT, version, new Date().toISOString().slice(0, 10)),
  'check-tag': ([tag = '']) => checkTag(ROOT, tag),
  notes: ([file = '']) => console.log(releaseNotes(read('CHANGELOG.md'), readPublished(readFileSync(file, 'utf8')))),
  assets: ([folder = 'dist/release']) => collectAssets(ROOT, folder),
  checksums,
  sbom,
  audit,
}

const [command = '', ...args] = process.argv.slice(2)
const run = Object.hasOwn(COMMANDS, command) ? COMMANDS[command] : undefined
try {
  if (run === undefined) throw new Error(HELP.trimEnd())
  await run(args)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

function read(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8')
}

function checksums([folder = 'dist/release']: readonly string[]): void {
  checkAssets(folder, packageJson.version)
  writeChecksums(folder)
}

async function sbom(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { node: { type: 'string', default: packageJson.devDependencies.node } },
    allowPositionals: true,
  })
  const folder = positionals[0] ?? 'dist'
  mkdirSync(folder, { recursive: true })
  for (const [contents, name] of [
    ['image', 'image'],
    ['package', 'npm'],
  ] as const) {
    const file = join(folder, `${packageJson.name}-${packageJson.version}-${name}.cdx.json`)
    writeFileSync(file, `${JSON.stringify(await documentOf(contents, values.node), null, 2)}\n`)
    console.log(file)
  }
}

/** The image contains Node; the npm package does not. */
async function documentOf(contents: Contents, node: string) {
  const { packages } = JSON.parse(read('package-lock.json')) as Lock
  const runtime = { version: node.replace(/^v/, ''), isIncluded: contents === 'image' }
  return sbomOf(packageJson, await packagesIn(contents), runtime, ({ folder }) => packages[folder]?.integrity)
}

async function audit(args: readonly string[]): Promise<void> {
  const bundled = new Set((await packagesIn('package')).map(({ folder }) => folder))
  const { outcome, lines } = judge(runAudit(ROOT, args), bundled)
  for (const line of lines) console.log(line)
  console.log(`audit: ${outcome}; ${bundled.size} packages are in the product`)
  process.exitCode = { passed: 0, failed: 1, unknown: 2 }[outcome]
}
