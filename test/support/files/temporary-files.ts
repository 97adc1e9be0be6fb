import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface TemporaryDirectory {
  readonly path: string
  /** Deletes the directory with everything in it. */
  remove(): void
  [Symbol.dispose](): void
}

/** Creates an empty directory for temporary files. */
export function temporaryDirectory(prefix = 'test-'): TemporaryDirectory {
  const path = mkdtempSync(join(tmpdir(), prefix))
  const remove = () => rmSync(path, { recursive: true, force: true })
  return { path, remove, [Symbol.dispose]: remove }
}

/** Files in a temporary directory. */
export interface TemporaryFiles<Name extends string> {
  readonly directory: string
  /** The path of each file. */
  readonly paths: Readonly<Record<Name, string>>
  /** Deletes the directory with everything in it. */
  remove(): void
}

/**
 * Writes texts to files of a new temporary directory, readable by this user only: `{ 'ca.pem': authority.certPem }`.
 */
export function writeTemporaryFiles<Name extends string>(
  texts: Readonly<Record<Name, string | Buffer>>,
): TemporaryFiles<Name> {
  const { path, remove } = temporaryDirectory()
  const names = Object.keys(texts) as Name[]
  for (const name of names) writeFileSync(join(path, name), texts[name], { mode: 0o600 })
  return {
    directory: path,
    paths: Object.fromEntries(names.map((name) => [name, join(path, name)])) as Record<Name, string>,
    remove,
  }
}
