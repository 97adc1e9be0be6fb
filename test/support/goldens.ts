/** The golden events of the scripts: `test/dialogues/<name>.events`, one event a line. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { isDialogueLine, withoutTime } from './event-lines.ts'

export const DIALOGUES = new URL('../dialogues/', import.meta.url)

/** The golden's lines; none when nobody wrote it yet. */
export function readGolden(name: string): string[] {
  const file = fileOf(name)
  return existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : []
}

export function writeGolden(name: string, lines: readonly string[]): void {
  writeFileSync(fileOf(name), `${lines.join('\n')}\n`)
}

/**
 * One golden of what a relay saw and what a dialogue alone said, which knows the times.
 * @throws Error when the two do not tell the same story.
 */
export function merge(name: string, relayed: readonly string[], timed: readonly string[]): string[] {
  const alone = [...timed]
  const merged = relayed.map((line) => {
    if (!isDialogueLine(line)) return line
    const next = alone.shift()
    if (next !== undefined && withoutTime(next) === line) return next
    throw new Error(`${name}: relayed, it says ${line}, and alone ${next}`)
  })
  if (alone.length > 0) throw new Error(`${name}: only the dialogue alone says ${alone.join(' / ')}`)
  return merged
}

function fileOf(name: string): URL {
  return new URL(`${name}.events`, DIALOGUES)
}
