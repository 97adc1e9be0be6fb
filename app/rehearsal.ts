/**
 * The commands of the npm package that need no account. They are a second file, because they contain an SMTP server and a
 * mail client, which the proxy does not need. The sources have `npm run demo` and `npm run rehearsal` instead.
 */
import { existsSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import type { Command, CommandText } from './commands.ts'
import { REHEARSAL_FILE } from './rehearsal-file.ts'

const COMMON_OPTIONS =
  '--seconds N  stop after this time; otherwise, Ctrl-C stops it\n--log        print the log of the proxy'

/** What the help and the manual page say about them. */
export const REHEARSAL_TEXTS: readonly CommandText[] = [
  {
    name: 'demo',
    parameters: '[OPTIONS]',
    purpose: 'send simulated mail with faults, without an account',
    details: `It starts a simulated AhaSend, a proxy and apps.\n\n${COMMON_OPTIONS}`,
  },
  {
    name: 'rehearsal',
    parameters: '[OPTIONS]',
    purpose: 'simulate incidents with buttons on a page, without an account',
    details:
      'It starts a simulated AhaSend with a control page, a proxy and apps.\n\n' +
      `${COMMON_OPTIONS}\n--port N     port of the control page`,
  },
]

/** The commands that `file` contains: none if it does not exist. */
export function rehearsalCommands(file = REHEARSAL_FILE): readonly Command[] {
  if (file === undefined || !existsSync(file)) return []
  return REHEARSAL_TEXTS.map((text) => ({ ...text, run: () => runProgram(file) }))
}

/** Never resolves: the program reads the arguments of the process, and ends it. */
async function runProgram(file: string): Promise<never> {
  await import(pathToFileURL(file).href)
  return new Promise(() => {})
}
