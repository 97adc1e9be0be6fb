/** How this program is started, for texts that name a command. */
import { basename } from 'node:path'

/** The sources: `npm start` runs the same. */
const SOURCES = 'node app/entry.js'

/** The files that Node runs: the bundle, as in the container image, and the command of the npm package. */
const BUNDLES: Readonly<Record<string, string>> = {
  'proxy.cjs': 'node proxy.cjs',
  'ahasend-smtp-proxy': 'ahasend-smtp-proxy',
}

/** The command that starts the program in `file`. Any unknown file counts as the sources. */
export function programOf(file: string): string {
  return BUNDLES[basename(file)] ?? SOURCES
}

/** The command that started this process. */
export const PROGRAM = programOf(process.argv[1] ?? '')

/** The same with a placeholder for a command, for the first line of the help. */
export const SYNOPSIS = `${PROGRAM} [COMMAND]${PROGRAM === SOURCES ? '    or: npm start -- [COMMAND]' : ''}`
