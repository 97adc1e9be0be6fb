/**
 * `npm run build`: writes the product into `dist`, or the folder of `--out`, and prints the size and the SHA-256 of each
 * file. With `--image`, it writes the files of the container image instead of those of the npm package.
 */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from './build.ts'

const { values } = parseArgs({ options: { out: { type: 'string' }, image: { type: 'boolean', default: false } } })
const folder = values.out ?? join(import.meta.dirname, '../dist')

for (const { name, bytes } of await build(values.image ? 'image' : 'package', folder)) {
  const hash = createHash('sha256').update(bytes).digest('hex')
  console.log(`${hash}  ${String(Math.ceil(bytes.length / 1000)).padStart(5)} KB  ${name}`)
}
