/** A running program that logs JSON lines to its standard error, as the Collector and Prometheus do. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Changes } from '../waiting/changes.ts'
import { fileOf, missing, type Program } from './programs.ts'

export type ProgramLine = Readonly<Record<string, unknown>>

export interface RunningProgram {
  /** The first line of the log, past or future, with this `msg`. Rejects when the program exits or 30 s pass. */
  line(msg: string): Promise<ProgramLine>
  /** Stops the program with SIGTERM, and kills it after 5 s. May be called again. */
  stop(): Promise<void>
}

const LIMIT_MS = 30_000
const RUNNER = fileURLToPath(new URL('run-program.ts', import.meta.url))

/**
 * Starts a program, which exits with this process at the latest. When it is not built, throws and says how to build it.
 */
export function startProgram(program: Program, args: readonly string[]): RunningProgram {
  const reason = missing(program)
  if (reason !== undefined) throw new Error(reason)
  const child = spawn(process.execPath, [RUNNER, fileOf(program), ...args], { stdio: ['pipe', 'ignore', 'pipe'] })
  const log: string[] = []
  const changes = new Changes()
  let ended = false
  createInterface(child.stderr).on('line', (text) => {
    log.push(text)
    changes.changed()
  })
  const exited = once(child, 'close').finally(() => {
    ended = true
    changes.changed()
  })
  const failure = (what: string) => `${program} ${what}: ${log.slice(-20).join('\n')}`
  const line = (msg: string) => {
    const find = () => {
      const found = log.map(parsed).find((one) => one?.msg === msg)
      if (found === undefined && ended) throw new Error(failure('exited'))
      return found
    }
    return changes.until(find, LIMIT_MS, () => failure(`did not log "${msg}" within ${LIMIT_MS} ms`))
  }
  const stop = async () => {
    child.stdin.end()
    await exited
  }
  return { line, stop }
}

function parsed(text: string): ProgramLine | undefined {
  try {
    return JSON.parse(text) as ProgramLine
  } catch {
    return undefined
  }
}
