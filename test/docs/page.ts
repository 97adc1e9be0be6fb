/** A page of docs/, read by the tests that run its commands and code. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A fenced block. */
export interface Block {
  /** The line before it, without its colon: `With a certificate`. */
  readonly label: string
  readonly language: string
  readonly code: string
}

/** The text under a heading of the second level, up to the next one. */
export interface Section {
  readonly heading: string
  readonly text: string
  readonly blocks: readonly Block[]
}

const DOCS = join(import.meta.dirname, '../../docs')
const BLOCK = /(?:^(?<label>[^\n]*)\n\n)?^(?<indent> *)```(?<language>\w+)\n(?<code>[\s\S]*?)\n\k<indent>```$/gm

/** Reads the sections of a page: `readPage('tls.md')`. */
export function readPage(name: string): readonly Section[] {
  const [, ...sections] = readFileSync(join(DOCS, name), 'utf8').split(/^## /m)
  return sections.map((section) => {
    const end = section.indexOf('\n')
    return { heading: section.slice(0, end), text: section.slice(end + 1), blocks: blocksIn(section) }
  })
}

/** The section with this heading. Fails if there is none. */
export function sectionOf(page: readonly Section[], heading: string): Section {
  const section = page.find((one) => one.heading === heading)
  assert.ok(section !== undefined, `the page has no section "${heading}"`)
  return section
}

/** The code of the only block in the section that contains `text`. */
export function blockWith({ heading, blocks }: Section, text: string): string {
  const found = blocks.filter(({ code }) => code.includes(text))
  assert.equal(found.length, 1, `"${heading}" has ${found.length} blocks with ${text}`)
  return found[0]!.code
}

/** The cells of the rows of a section's only table, without its head. */
export function rowsOf({ heading, text }: Section): readonly (readonly string[])[] {
  const lines = text.split('\n').filter((line) => line.startsWith('|'))
  assert.ok(lines.length > 2, `"${heading}" has no table`)
  return lines.slice(2).map((line) => {
    const cells = line.split('|').slice(1, -1)
    return cells.map((cell) => cell.trim())
  })
}

/** The text of a cell that is code. Fails if it is not. */
export function codeOf(cell: string): string {
  const code = /^`([^`]+)`/.exec(cell)?.[1]
  assert.ok(code !== undefined, `not code: ${cell}`)
  return code
}

/** Replaces a text that occurs at least once. */
export function replaced(code: string, text: string, by: string): string {
  assert.ok(code.includes(text), `${text} is not in: ${code}`)
  return code.replaceAll(text, by)
}

function blocksIn(section: string): readonly Block[] {
  return [...section.matchAll(BLOCK)].map(({ groups }) => {
    const { label = '', indent = '', language = '', code = '' } = groups as Readonly<Record<string, string>>
    const lines = code.split('\n').map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line))
    return { label: label.trim().replace(/:$/, ''), language, code: lines.join('\n') }
  })
}
