import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'

/** A program to run. */
export interface Command {
  readonly file: string
  readonly args: readonly string[]
  /** The whole environment. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Its standard input. Default: empty. */
  readonly stdinFile?: string
}

export interface Outcome {
  /** The exit code; null when the program could not be started or was killed. */
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program, and kills it after `limitMs` (default 30 s). Does not reject when the program fails. */
export async function run(command: Command, limitMs = 30_000): Promise<Outcome> {
  const input = command.stdinFile === undefined ? '' : await readFile(command.stdinFile)
  return new Promise((resolve) => {
    const options = { env: { ...command.env }, timeout: limitMs, killSignal: 'SIGKILL' } as const
    const child = execFile(command.file, [...command.args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : null
      const why = code !== null ? '' : error?.killed ? `killed after ${limitMs} ms` : String(error?.message)
      resolve({ code, stdout, stderr: stderr + why })
    })
    // ignore the error when a program exits before it has read its input: its exit code counts
    child.stdin?.on('error', () => {})
    child.stdin?.end(input)
  })
}
