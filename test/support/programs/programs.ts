/**
 * Programs of others that tests run for real: an OpenTelemetry Collector, Prometheus and promtool, Alertmanager and
 * amtool. `npm run programs` builds them with Go from the versions in test/programs/go.mod, and keeps them in .cache/.
 */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Where their sources are. */
export const SOURCES = join(dirname(fileURLToPath(import.meta.url)), '../../..', 'test', 'programs')

export const PROGRAMS = ['collector', 'prometheus', 'promtool', 'alertmanager', 'amtool'] as const

export type Program = (typeof PROGRAMS)[number]

const BUILT = join(SOURCES, '..', '..', '.cache', 'programs')

/** What decides how the programs turn out. */
const INPUTS = ['go.mod', 'go.sum', 'collector/main.go', 'build.ts']

/** Where the programs are once they are built: another directory when their sources change. */
export function directoryOfPrograms(): string {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}`)
  for (const input of INPUTS) hash.update(readFileSync(join(SOURCES, input)))
  return join(BUILT, hash.digest('hex').slice(0, 16))
}

/** The file to run. It need not be there: see `missing`. */
export function fileOf(program: Program): string {
  return join(directoryOfPrograms(), program)
}

/** Why a program cannot be run, and what would help; undefined when it can. */
export function missing(program: Program): string | undefined {
  if (existsSync(fileOf(program))) return undefined
  return `${program} is not built: npm run programs (it needs Go and some minutes)`
}

/**
 * The options of a test that needs something: it is skipped by name, with the first of the `reasons`, where that is
 * missing. In CI, where the variable CI is set, it runs all the same and fails.
 */
export function unless(...reasons: readonly (string | undefined)[]): { readonly skip: string | false } {
  const reason = reasons.find((given) => given !== undefined)
  return { skip: process.env.CI ? false : (reason ?? false) }
}
