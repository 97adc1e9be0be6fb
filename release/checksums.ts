/** SHA256SUMS: a line for each file of a folder, for `sha256sum --check`. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** The name of the file in the folder. */
export const CHECKSUMS_FILE = 'SHA256SUMS'

/** Writes the file into the folder. */
export function writeChecksums(folder: string): void {
  const names = readdirSync(folder).filter((name) => name !== CHECKSUMS_FILE)
  writeFileSync(
    join(folder, CHECKSUMS_FILE),
    names
      .sort()
      .map((name) => lineOf(folder, name))
      .join(''),
  )
}

function lineOf(folder: string, name: string): string {
  const hash = createHash('sha256')
    .update(readFileSync(join(folder, name)))
    .digest('hex')
  return `${hash}  ${name}\n`
}
