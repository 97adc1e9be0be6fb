/**
 * The expected result of each script: `test/dialogues/<topic>/<name>.events`, one event per line, and for scripts of
 * the telemetry rig also `<name>.metrics`, one series per line, and `<name>.spans`, one span per line.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { isDialogueLine, withoutTime } from './event-lines.ts'

export const DIALOGUES = new URL('../../dialogues/', import.meta.url)

export type Golden = 'events' | 'metrics' | 'spans'

/** Returns the lines of a golden; none if the file does not exist. */
export function readGolden(name: string, kind: Golden = 'events'): string[] {
  const file = fileOf(name, kind)
  return existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : []
}

/** Returns the names (`topic/name`) of all scripts that have this kind of golden. */
export function goldenNames(kind: Golden): string[] {
  return readdirSync(DIALOGUES, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith(`.${kind}`))
    .map((file) => file.slice(0, -`.${kind}`.length))
    .sort()
}

/** Writes a golden if its lines differ from the file. Returns true if it did. */
export function writeGolden(name: string, kind: Golden, lines: readonly string[]): boolean {
  if (lines.join('\n') === readGolden(name, kind).join('\n')) return false
  writeFileSync(fileOf(name, kind), `${lines.join('\n')}\n`)
  return true
}

/**
 * Merges the events of the socket rig with those of the pure rig, which have line numbers as times.
 * @throws Error if the two rigs report different events.
 */
export function merge(name: string, relayed: readonly string[], timed: readonly string[]): string[] {
  const alone = [...timed]
  const merged = relayed.map((line) => {
    if (!isDialogueLine(line)) return line
    const next = alone.shift()
    if (next !== undefined && withoutTime(next) === line) return next
    throw new Error(`${name}: the socket rig reports ${line}, the pure rig ${next}`)
  })
  if (alone.length > 0) throw new Error(`${name}: only the pure rig reports ${alone.join(' / ')}`)
  return merged
}

function fileOf(name: string, kind: Golden): URL {
  return new URL(`${name}.${kind}`, DIALOGUES)
}
