/** `npm run charts`: writes the generated files of the chart. A test fails while the committed files differ from this output. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { CHART, chartFiles } from './files.ts'

for (const [path, content] of Object.entries(chartFiles())) {
  const file = join(CHART, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, content)
  console.log(`charts/ahasend-smtp-proxy/${path}`)
}
