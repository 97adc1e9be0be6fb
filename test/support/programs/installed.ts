/** Programs that the system's package manager installs. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** Why a program is not available; undefined when it is in PATH. */
export function installed(program: string): string | undefined {
  const found = (process.env.PATH ?? '').split(':').some((directory) => existsSync(join(directory, program)))
  return found ? undefined : `${program} is not installed`
}
