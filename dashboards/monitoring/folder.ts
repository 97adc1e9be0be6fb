/** Copies a folder into another one that running programs read. */
import { chmodSync, copyFileSync, type Dirent, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/** Everyone may read: each reader runs as its own user. */
const MODES = { file: 0o644, folder: 0o755 }

/**
 * Makes `to` a copy of `from`: replaces each file as a whole, because a reader may open it at any time, and removes what is
 * not in `from`. Returns the paths of the files, relative to `to`, in the order of the alphabet.
 */
export function mirrorFolder(from: string, to: string): readonly string[] {
  mkdirSync(to, { recursive: true })
  const entries = readdirSync(from, { withFileTypes: true }).sort(byName)
  removeOthers(to, entries)
  return entries.flatMap((entry) => {
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (entry.isDirectory()) {
      mkdirSync(target, { recursive: true })
      chmodSync(target, MODES.folder)
      return mirrorFolder(source, target).map((file) => join(entry.name, file))
    }
    replaceFile(source, target)
    return [entry.name]
  })
}

function replaceFile(source: string, target: string): void {
  const unfinished = `${target}.new`
  copyFileSync(source, unfinished)
  chmodSync(unfinished, MODES.file)
  renameSync(unfinished, target)
}

/** Removes what is not among the entries, or is a folder in place of a file, or the reverse. */
function removeOthers(folder: string, entries: readonly Dirent[]): void {
  const isFolder = new Map(entries.map((entry) => [entry.name, entry.isDirectory()]))
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (isFolder.get(entry.name) !== entry.isDirectory()) rmSync(join(folder, entry.name), { recursive: true })
  }
}

function byName(one: Dirent, other: Dirent): number {
  return one.name < other.name ? -1 : 1
}
