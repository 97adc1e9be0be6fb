/**
 * `npm run programs`: builds the missing programs and prints the progress, because Go prints nothing for minutes. Ctrl-C
 * stops the build, removes the unfinished directory and says what had been built. Exits with the exit code of build.ts.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync, readdirSync, rmSync } from 'node:fs'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'
import { directoryOfPrograms, missing, PROGRAMS } from '../support/programs/programs.ts'

/** How often the progress is printed, in milliseconds. */
const EVERY_MS = 10_000

const names: ReadonlySet<string> = new Set(PROGRAMS)
const wanted = PROGRAMS.filter((program) => missing(program))
const began = performance.now()
const before = new Set(unfinished())
if (wanted.length > 0) console.error(`Building ${PROGRAMS.join(', ')} with Go. This takes a few minutes.`)
const build = spawn(process.execPath, [fileURLToPath(new URL('build.ts', import.meta.url))], { stdio: 'inherit' })
const timer = setInterval(() => console.error(progress()), EVERY_MS)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted(signal))
const [code] = await once(build, 'exit')
clearInterval(timer)
process.exitCode = code ?? 1

/** The directories of builds that have not ended. */
function unfinished(): string[] {
  return globSync(`${directoryOfPrograms()}.*`)
}

function own(): string[] {
  return unfinished().filter((directory) => !before.has(directory))
}

function progress(): string {
  const built = own().flatMap((directory) => readdirSync(directory).filter((name) => names.has(name)))
  const seconds = ((performance.now() - began) / 1000).toFixed(0)
  return `${seconds} s: ${built.length} of ${PROGRAMS.length} programs built${built.length > 0 ? ` (${built.join(', ')})` : ''}`
}

function interrupted(signal: 'SIGINT' | 'SIGTERM'): void {
  console.error(`Interrupted after ${progress()}. They are removed; run the command again to build them.`)
  build.kill(signal)
  for (const directory of own()) rmSync(directory, { recursive: true, force: true, maxRetries: 3 })
  process.exit(128 + constants.signals[signal])
}
