/** Reads CHANGELOG.md, which has the format of Keep a Changelog 1.1.0. */
import { lexer, type Token, type Tokens } from 'marked'

/** The kinds of changes, in the order of a section. */
export const KINDS = ['Added', 'Changed', 'Deprecated', 'Removed', 'Fixed', 'Security'] as const

/** The changes of one version. */
export interface Section {
  /** `Unreleased`, or a version such as `0.2.0`. */
  readonly name: string
  /** The day of the release, such as `2026-12-01`; undefined for `Unreleased`. */
  readonly date: string | undefined
  /** The Markdown below the heading. */
  readonly body: string
}

/** The name of the section with the changes since the newest version. */
export const UNRELEASED = 'Unreleased'

const TITLE = /^\[(?:(?<unreleased>Unreleased)|(?<version>\d+\.\d+\.\d+))\](?: - (?<date>\d{4}-\d{2}-\d{2}))?$/

/** The sections, newest first. Throws with every mistake, one in a line. */
export function readChangelog(markdown: string): readonly Section[] {
  // a definition of a link would turn `[0.2.0]` into a link, and the headings are compared as text
  const tokens = lexer(markdown)
  const parts = partsOf(tokens)
  const sections = parts.map(({ title, tokens }) => sectionOf(title, tokens))
  const mistakes = [
    ...mistakesOfOrder(sections),
    ...sections.flatMap((section, index) => mistakesOf(section, parts[index]?.tokens ?? [])),
    ...sections
      .filter(({ name }) => tokens.links[name.toLowerCase()] === undefined)
      .map(({ name }) => `[${name}] has no link at the end`),
  ]
  if (mistakes.length > 0) throw new Error(mistakes.map((mistake) => `CHANGELOG.md: ${mistake}`).join('\n'))
  return sections
}

/** The newest version. Throws if there is none. */
export function newestRelease(sections: readonly Section[]): Section {
  const newest = sections.find(({ name }) => name !== UNRELEASED)
  if (newest === undefined) throw new Error('CHANGELOG.md: there is no section of a version')
  return newest
}

/** Gives the changes in `Unreleased` a version and a date, and leaves `Unreleased` empty. */
export function withRelease(markdown: string, version: string, date: string): string {
  const [unreleased, previous] = readChangelog(markdown)
  if (unreleased?.name !== UNRELEASED || unreleased.body === '') throw new Error('CHANGELOG.md: [Unreleased] is empty')
  const link = /^\[Unreleased\]: (?<url>.*\/compare\/).*$/m.exec(markdown)
  if (link?.groups?.url === undefined) throw new Error('CHANGELOG.md: [Unreleased] has no link that compares versions')
  const { url } = link.groups
  const since = previous === undefined ? '' : `v${previous.name}...`
  return markdown
    .replace(/^## \[Unreleased\]$/m, `## [Unreleased]\n\n## [${version}] - ${date}`)
    .replace(link[0], `[Unreleased]: ${url}v${version}...HEAD\n[${version}]: ${url}${since}v${version}`)
}

interface Part {
  readonly title: string
  readonly tokens: readonly Token[]
}

/** The headings of the second level, each with what follows it. */
function partsOf(tokens: readonly Token[]): Part[] {
  const starts = tokens.flatMap((token, index) => (isHeading(token, 2) ? [index] : []))
  return starts.map((start, index) => ({
    title: (tokens[start] as Tokens.Heading).text,
    tokens: tokens.slice(start + 1, starts[index + 1]).filter(({ type }) => type !== 'def'),
  }))
}

function sectionOf(title: string, tokens: readonly Token[]): Section {
  const { unreleased, version, date } = TITLE.exec(title)?.groups ?? {}
  const body = tokens.map(({ raw }) => raw).join('')
  return { name: unreleased ?? version ?? title, date, body: body.trim() }
}

function mistakesOf({ name, date }: Section, tokens: readonly Token[]): string[] {
  if (name === UNRELEASED) return date === undefined ? mistakesOfKinds(name, tokens) : [`[${name}] has a date`]
  if (!/^\d+\.\d+\.\d+$/.test(name))
    return [`"## ${name}" is not "## [VERSION] - DATE", such as "## [0.2.0] - 2026-12-01"`]
  if (date === undefined || !isDate(date))
    return [`[${name}] has the date ${date ?? '(none)'}, which is not YYYY-MM-DD`]
  return mistakesOfKinds(name, tokens)
}

function mistakesOfKinds(name: string, tokens: readonly Token[]): string[] {
  const headings = tokens.filter((token): token is Tokens.Heading => isHeading(token, 3))
  const kinds = headings.map(({ text }) => text)
  const known = KINDS.filter((kind) => kinds.includes(kind))
  const inOrder = kinds.join() === known.join()
  const lists = tokens.filter(({ type }) => type === 'list') as Tokens.List[]
  return [
    ...(inOrder
      ? []
      : [`[${name}] has the kinds ${kinds.join(', ')}: each may occur once, in the order ${KINDS.join(', ')}`]),
    ...(lists.length === kinds.length ? [] : [`[${name}] has ${lists.length} lists for ${kinds.length} kinds`]),
    ...(name === UNRELEASED || kinds.length > 0 ? [] : [`[${name}] lists no change`]),
    ...lists
      .flatMap(({ items }) => misplaced(items))
      .map((text) => `[${name}]: a breaking change is not first: ${text}`),
  ]
}

/** Breaking changes that follow a change that breaks nothing. */
function misplaced(items: readonly Tokens.ListItem[]): string[] {
  const breaking = items.map(({ text }) => text.startsWith('**Breaking:**'))
  return items.filter((_, index) => breaking[index] && breaking.slice(0, index).includes(false)).map(({ text }) => text)
}

function mistakesOfOrder(sections: readonly Section[]): string[] {
  const [first, ...released] = sections
  const older = released.flatMap((section, index) => {
    const newer = released[index - 1]
    return newer === undefined || isNewer(newer, section)
      ? []
      : [`[${newer.name}] is above [${section.name}] and not newer`]
  })
  return [...(first?.name === UNRELEASED ? [] : ['[Unreleased] is not the first section']), ...older]
}

function isNewer(one: Section, other: Section): boolean {
  return compareVersions(one.name, other.name) > 0 && (one.date ?? '') >= (other.date ?? '')
}

/** Positive if the first version is the newer one. */
export function compareVersions(one: string, other: string): number {
  const numbers = (version: string) => version.split('.').map(Number)
  const others = numbers(other)
  return (
    numbers(one)
      .map((number, index) => number - (others[index] ?? 0))
      .find((difference) => difference !== 0) ?? 0
  )
}

function isHeading(token: Token, depth: number): boolean {
  return token.type === 'heading' && token.depth === depth
}

function isDate(text: string): boolean {
  const date = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text)
}
