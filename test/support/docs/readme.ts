/** Writes the generated parts of README.md: `npm run readme`. A test fails when they are out of date. */
import { readFileSync, writeFileSync } from 'node:fs'
import { OTEL_ROWS } from '../../../otel/settings/table.ts'
import { CHANGES } from '../../../proxy/session/changes.ts'
import { ROWS } from '../../../proxy/settings/table.ts'
import { markdownTable } from '../../../settings/documentation.ts'

const README = new URL('../../../README.md', import.meta.url)

/** The README as it is on disk. */
export function readReadme(): string {
  return readFileSync(README, 'utf8')
}

/** The README with regenerated parts. Throws when the comments around a part are missing. */
export function withGeneratedParts(readme: string): string {
  const changes = CHANGES.map((change) => `- ${change}\n`).join('')
  const parts = { configuration: markdownTable(ROWS), opentelemetry: markdownTable(OTEL_ROWS), changes }
  return Object.entries(parts).reduce((text, [name, content]) => replacePart(text, name, content), readme)
}

function replacePart(text: string, name: string, content: string): string {
  const begin = `<!-- ${name}: written by \`npm run readme\` -->\n`
  const end = `<!-- /${name} -->`
  const from = text.indexOf(begin)
  const to = text.indexOf(end)
  if (from < 0 || to < from) throw new Error(`README.md has no part "${name}"`)
  return `${text.slice(0, from)}${begin}${content}${text.slice(to)}`
}

if (import.meta.main) writeFileSync(README, withGeneratedParts(readReadme()))
