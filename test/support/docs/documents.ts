/** Documents and other text files of the project, by their path from the root. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../../..')

/** All pages that people read. */
const PAGES = [
  '{README,CONTRIBUTING,DESIGN,CHANGELOG}.md',
  'docs/**/*.md',
  'dashboards/runbooks/*.md',
  'test/**/README.md',
]

/** The text of a file. */
export function readDocument(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

/** The text of every page, by its path. */
export function readPages(): ReadonlyMap<string, string> {
  const paths = PAGES.flatMap((pattern) => globSync(pattern, { cwd: ROOT })).toSorted()
  return new Map(paths.map((path) => [path, readDocument(path)]))
}
