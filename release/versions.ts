/** The files that show the version, so that it is read and never typed twice. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { newestRelease, readChangelog, withRelease } from './changelog.ts'

/** A file, and a pattern for each of the places in it. The group `version` of each match is the version. */
interface Place {
  readonly file: string
  readonly patterns: readonly RegExp[]
}

/** An image or a Compose application in the registry. */
const IMAGE = /ghcr\.io\/ahasend\/ahasend-smtp-proxy[a-z-]*:(?<version>\d+\.\d+\.\d+)/g

/** Where the version is written, except in CHANGELOG.md and in generated files. To show the version in another file, add it here. */
export const PLACES: readonly Place[] = [
  { file: 'package.json', patterns: [/^ {2}"version": "(?<version>[^"]*)"/gm] },
  // of the project itself, at the top and as the first package
  { file: 'package-lock.json', patterns: [/"name": "ahasend-smtp-proxy",\n *"version": "(?<version>[^"]*)"/g] },
  { file: 'Dockerfile', patterns: [/org\.opencontainers\.image\.version="(?<version>[^"]*)"/g] },
  { file: 'test/rehearsal/Dockerfile', patterns: [/org\.opencontainers\.image\.version="(?<version>[^"]*)"/g] },
  { file: 'compose.yaml', patterns: [IMAGE] },
  { file: 'README.md', patterns: [/ahasend-smtp-proxy[_-](?<version>\d+\.\d+\.\d+)/g] },
  { file: 'docs/docker.md', patterns: [IMAGE, /\.git#v(?<version>\S+)/g] },
  { file: 'deploy/swarm/stack.yaml', patterns: [IMAGE, /name: ahasend-[a-z]+-(?<version>\S+)/g] },
  { file: 'docs/linux.md', patterns: [/^v=(?<version>\S+) /gm] },
  { file: 'docs/npm-package.md', patterns: [/ahasend-smtp-proxy-(?<version>\d[^ ]*)\.tgz/g] },
  { file: 'docs/releases.md', patterns: [/^VERSION=(?<version>\S+)$/gm] },
]

/** A version as it is written in a file. */
interface Found {
  readonly file: string
  readonly version: string
}

/** The version of package.json. */
export function currentVersion(root: string): string {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  return version
}

/** Every mistake, as one sentence: places that differ from package.json, and places that are no longer there. */
export function mistakesOfVersions(root: string, places: readonly Place[] = PLACES): string[] {
  const version = currentVersion(root)
  const found = places.flatMap((place) => versionsIn(root, place))
  const newest = newestRelease(readChangelog(readFileSync(join(root, 'CHANGELOG.md'), 'utf8'))).name
  return [...found, { file: 'CHANGELOG.md', version: newest }]
    .filter((one) => one.version !== version)
    .map((one) => `${one.file} shows ${one.version}, and package.json the version ${version}`)
}

function versionsIn(root: string, { file, patterns }: Place): Found[] {
  const text = readFileSync(join(root, file), 'utf8')
  return patterns.flatMap((pattern) => {
    const found = [...text.matchAll(pattern)].map(({ groups }) => ({ file, version: groups?.version ?? '' }))
    return found.length > 0 ? found : [{ file, version: `no version (${pattern})` }]
  })
}

/** Throws unless the tag, such as `v0.2.0`, names the version that all files show. */
export function checkTag(root: string, tag: string): void {
  const version = currentVersion(root)
  const mistakes = mistakesOfVersions(root)
  if (tag !== `v${version}`) mistakes.unshift(`the tag is ${tag}, and the version of package.json needs v${version}`)
  if (mistakes.length > 0) throw new Error(mistakes.join('\n'))
}

/** Writes the version into all files, and dates the unreleased changes. */
export function prepareRelease(root: string, version: string, date: string): void {
  if (!/^\d+\.\d+\.\d+$/.test(version)) throw new Error(`"${version}" is not a version such as 0.3.0`)
  rewrite(join(root, 'CHANGELOG.md'), (text) => withRelease(text, version, date))
  for (const { file, patterns } of PLACES)
    for (const pattern of patterns) rewrite(join(root, file), (text) => withVersion(text, pattern, version))
}

function withVersion(text: string, pattern: RegExp, version: string): string {
  return text.replaceAll(pattern, (match, old: string) => match.replace(old, version))
}

function rewrite(file: string, change: (text: string) => string): void {
  writeFileSync(file, change(readFileSync(file, 'utf8')))
}
