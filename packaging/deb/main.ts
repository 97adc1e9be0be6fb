/**
 * `npm run deb`: writes the Debian package into `dist`, or the folder of `--out`, and prints its SHA-256. `--arch` selects the
 * architecture. The time of the files is SOURCE_DATE_EPOCH, or that of the commit.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { buildDeb } from './build.ts'
import { expected, isArchitecture, ownArchitecture } from './node-program.ts'

const ROOT = join(import.meta.dirname, '../..')

const { values } = parseArgs({ options: { arch: { type: 'string' }, out: { type: 'string' } } })
const architecture = values.arch ?? ownArchitecture()

function commitTime(): string {
  return execFileSync('git', ['log', '-1', '--format=%ct'], { cwd: ROOT, encoding: 'utf8' })
}

if (isArchitecture(architecture)) {
  const epoch = Number(process.env.SOURCE_DATE_EPOCH ?? commitTime())
  const file = await buildDeb({ architecture, folder: values.out ?? join(ROOT, 'dist'), epoch })
  const bytes = readFileSync(file)
  const hash = createHash('sha256').update(bytes).digest('hex')
  console.log(`${hash}  ${String(Math.ceil(bytes.length / 1000)).padStart(5)} KB  ${basename(file)}`)
} else {
  console.error(`--arch ${architecture}: expected ${expected}`)
  process.exitCode = 2
}
