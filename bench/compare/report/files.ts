/** Writes the results to files. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Options } from '../options.ts'
import type { Results } from '../results.ts'
import { markdownOf } from './markdown.ts'
import { plotOf } from './plot.ts'

const DOCS = join(import.meta.dirname, '../../../docs')
const BEGIN = '<!-- results: begin (npm run bench -- --docs) -->'
const END = '<!-- results: end -->'

/** Writes Markdown, JSON and the picture into the folder, and into docs/ on demand. */
export function writeReports(results: Results, { out, docs }: Pick<Options, 'out' | 'docs'>): void {
  const files = {
    'bench.md': markdownOf(results),
    'bench.json': `${JSON.stringify(results, null, 1)}\n`,
    'bench.svg': plotOf(results),
  }
  mkdirSync(out, { recursive: true })
  for (const [name, text] of Object.entries(files)) writeFileSync(join(out, name), text)
  console.error(
    `written: ${Object.keys(files)
      .map((name) => join(out, name))
      .join(', ')}`,
  )
  if (!docs) return
  const page = join(DOCS, 'performance.md')
  writeFileSync(page, withResults(readFileSync(page, 'utf8'), files['bench.md']))
  writeFileSync(join(DOCS, 'images/bench.svg'), files['bench.svg'])
  console.error('updated: docs/performance.md, docs/images/bench.svg')
}

/** The page with these results between its two marks. */
export function withResults(page: string, results: string): string {
  const [before, rest] = page.split(BEGIN)
  const after = rest?.split(END)[1]
  if (before === undefined || after === undefined) throw new Error(`the page lacks the marks ${BEGIN} and ${END}`)
  return `${before}${BEGIN}\n\n${results.trimEnd()}\n\n${END}${after}`
}
