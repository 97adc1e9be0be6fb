/** The licenses of the packages that a bundle contains. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Licenses that allow distribution without the source, as SPDX names. Others need a decision. */
export const ALLOWED: readonly string[] = ['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT', 'MIT-0']

/** The names of files with a license text or with notices that must accompany it. */
const TEXT_FILE = /^(licen[cs]e|copying|copyright|notice)/i
const LICENSE_FILE = /^(licen[cs]e|copying)/i

/** A package that a bundle contains. */
export interface Package {
  /** Relative to the project, as in package-lock.json: `node_modules/pino`. */
  readonly folder: string
  readonly name: string
  readonly version: string
  readonly license: string
  readonly text: string
}

/** The folders of the packages that these files, relative to the project, belong to: sorted, each once. */
export function packageFolders(files: readonly string[]): string[] {
  const folders = files.flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? [])
  return [...new Set(folders)].sort()
}

/** The packages that these files belong to, sorted by name. */
export function packagesOf(files: readonly string[], root: string): Package[] {
  const folders = packageFolders(files.map((file) => file.replace(/^text:/, '')))
  return folders.map((folder) => readPackage(folder, root)).sort(byName)
}

/**
 * One text with the licenses of all packages of `files`, sorted by package. Packages with the same text share it. Throws
 * with every package that has no license text, or whose license is not in ALLOWED.
 */
export function licensesOf(files: readonly string[], root: string): string {
  const packages = packagesOf(files, root)
  const mistakes = packages.flatMap(mistakesOf)
  if (mistakes.length > 0) throw new Error(mistakes.join('\n'))
  const texts = Map.groupBy(packages, ({ text }) => text)
  const parts = [...texts].map(([text, same]) => `${'-'.repeat(80)}\n${same.map(titleOf).join('\n')}\n\n${text}`)
  return `This program contains these packages:\n\n${packages.map(titleOf).join('\n')}\n\n${parts.join('\n')}`
}

const titleOf = ({ name, version, license }: Package) => `${name} ${version} (${license})`

function byName(one: Package, other: Package): number {
  return titleOf(one) < titleOf(other) ? -1 : 1
}

function readPackage(folder: string, root: string): Package {
  const path = join(root, folder)
  const manifest = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as Partial<Package>
  const files = readdirSync(path)
    .filter((file) => TEXT_FILE.test(file))
    .sort()
  const text = files.map((file) => `${readFileSync(join(path, file), 'utf8').replaceAll('\r', '').trim()}\n`)
  const { name = folder, version = '', license = '' } = manifest
  return { folder, name, version, license, text: files.some((file) => LICENSE_FILE.test(file)) ? text.join('\n') : '' }
}

function mistakesOf({ name, license, text }: Package): string[] {
  return [
    ...(text === '' ? [`${name} has no file with its license`] : []),
    ...(ALLOWED.includes(license)
      ? []
      : [`${name} has the license ${license || '(none)'}: allowed are ${ALLOWED.join(', ')}`]),
  ]
}
