/** `npm run dashboards`: writes what is generated. A test fails while the files differ from what this would write. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { generatedFiles } from './files.ts'

for (const [path, content] of Object.entries(generatedFiles())) {
  const file = join(import.meta.dirname, '..', path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, content)
  console.log(`dashboards/${path}`)
}
