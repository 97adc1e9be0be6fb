/** Writes files that contain secrets. */
import { closeSync, fchmodSync, openSync, writeFileSync } from 'node:fs'

const OWNER_ONLY = 0o600

/** Writes a file that only its owner can read. Returns undefined, or one sentence with the reason for a failure. */
export function writeSecretFile(file: string, text: string): string | undefined {
  try {
    const descriptor = openSync(file, 'w', OWNER_ONLY)
    try {
      // open() does not change the mode of an existing file
      fchmodSync(descriptor, OWNER_ONLY)
      writeFileSync(descriptor, text)
    } finally {
      closeSync(descriptor)
    }
    return undefined
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    return `${file}: cannot be written (${code}). ${ADVICE.get(code) ?? 'Choose another file, or change its owner or mode.'}`
  }
}

const ADVICE: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'Create its directory first.'],
  ['EISDIR', 'It is a directory: choose a file in it.'],
  ['EROFS', 'The file system is read-only: choose a file elsewhere.'],
  ['ENOSPC', 'The disk is full: free some space.'],
])
