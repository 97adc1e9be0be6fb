/** The notes of a release: its changes from CHANGELOG.md, and how to verify what it publishes. */
import { newestRelease, readChangelog } from './changelog.ts'

/** Something published under a name in a registry. */
export interface Published {
  /** Such as `ghcr.io/ahasend/ahasend-smtp-proxy`. */
  readonly name: string
  /** Such as `sha256:…`. */
  readonly digest: string
}

const DIGEST = /^sha256:[0-9a-f]{64}$/

/** Reads lines of `NAME DIGEST`. Throws if a line is something else. */
export function readPublished(lines: string): readonly Published[] {
  const found = lines.split('\n').filter((line) => line.trim() !== '')
  if (found.length === 0) throw new Error('there are no digests')
  return found.map((line) => {
    const [name = '', digest = '', ...rest] = line.trim().split(/\s+/)
    if (name === '' || !DIGEST.test(digest) || rest.length > 0) throw new Error(`"${line}" is not NAME sha256:DIGEST`)
    return { name, digest }
  })
}

/** The Markdown of the notes of the newest version. */
export function releaseNotes(changelog: string, published: readonly Published[]): string {
  const { name, body } = newestRelease(readChangelog(changelog))
  const rows = published.map((one) => `| \`${one.name}:${name}\` | \`${one.digest}\` |`)
  return `${absoluteLinks(body, name)}

### Images and charts

| name | digest |
|---|---|
${rows.join('\n')}

All are signed, and so are the files below. [Releases](${pages(name)}docs/releases.md) shows how to verify them.
`
}

const pages = (version: string) => `https://github.com/AhaSend/ahasend-smtp-proxy/blob/v${version}/`

/** Links to files of the project lead nowhere on the page of a release. */
function absoluteLinks(markdown: string, version: string): string {
  return markdown.replaceAll(/\]\((?!https?:)([^)]+)\)/g, (_, path: string) => `](${pages(version)}${path})`)
}
