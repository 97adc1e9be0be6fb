/** Documents, sources and other text files of the project, by their path from the root. */
import { globSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../../..')

/** All pages that people read. */
const PAGES = [
  '{README,CONTRIBUTING,DESIGN,CHANGELOG,SECURITY}.md',
  '.github/**/*.md',
  'docs/**/*.md',
  'dashboards/runbooks/*.md',
  'charts/*/README.md',
  'test/**/README.md',
]

/** The source files of the product: those of all top-level folders except tests, benchmarks and documents. */
export function sourceFiles(): readonly string[] {
  const folders = readdirSync(ROOT, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !/^\.|^(node_modules|test|bench|docs)$/.test(entry.name))
    .map(({ name }) => name)
  return folders.flatMap((folder) => globSync(`${folder}/**/*.ts`, { cwd: ROOT }))
}

/** The text of a file. */
export function readDocument(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

/** The text of every page, by its path. */
export function readPages(): ReadonlyMap<string, string> {
  const paths = PAGES.flatMap((pattern) => globSync(pattern, { cwd: ROOT })).toSorted()
  return new Map(paths.map((path) => [path, readDocument(path)]))
}
