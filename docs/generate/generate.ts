/** `npm run docs`: writes the generated parts of the pages in docs/ and of .env.example. A test fails while they differ. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PATHS, regenerated } from './pages.ts'

for (const path of PATHS) {
  const file = join(import.meta.dirname, '../..', path)
  writeFileSync(file, regenerated(path, readFileSync(file, 'utf8')))
  console.log(path)
}
