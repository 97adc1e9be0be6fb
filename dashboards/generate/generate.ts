/** `npm run dashboards`: writes the generated files. A test fails while the committed files differ from this output. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { generatedFiles } from './files.ts'

for (const [path, content] of Object.entries(generatedFiles())) {
  const file = join(import.meta.dirname, '..', path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, content)
  console.log(`dashboards/${path}`)
}
