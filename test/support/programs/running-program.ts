/** A running program that logs JSON lines to its standard error, as the Collector and Prometheus do. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { fileOf, missing, type Program } from './programs.ts'

export type ProgramLine = Readonly<Record<string, unknown>>

export interface RunningProgram {
  /** The first line of the log, past or future, with this `msg`. Rejects when the program ends or 30 s pass. */
  line(msg: string): Promise<ProgramLine>
  /** Ends the program in order, or after 5 s by force. May be called again. */
  stop(): Promise<void>
}

const LIMIT_MS = 30_000
const RUNNER = fileURLToPath(new URL('run-program.ts', import.meta.url))

/** Starts a program; it never outlives this process. Throws, with what would help, when it is not built. */
export function startProgram(program: Program, args: readonly string[]): RunningProgram {
  const reason = missing(program)
  if (reason !== undefined) throw new Error(reason)
  const child = spawn(process.execPath, [RUNNER, fileOf(program), ...args], { stdio: ['pipe', 'ignore', 'pipe'] })
  const log: string[] = []
  const lines = createInterface(child.stderr).on('line', (text) => log.push(text))
  const exited = once(child, 'close')
  const line = (msg: string) =>
    new Promise<ProgramLine>((resolve, reject) => {
      const fail = (what: string) => reject(new Error(`${program} ${what}: ${log.slice(-20).join('\n')}`))
      const timer = setTimeout(() => fail(`did not log "${msg}" within ${LIMIT_MS} ms`), LIMIT_MS)
      const look = (text: string) => {
        const found = parsed(text)
        if (found?.msg !== msg) return
        clearTimeout(timer)
        lines.off('line', look)
        resolve(found)
      }
      lines.on('line', look)
      log.forEach(look)
      void exited.then(() => {
        clearTimeout(timer)
        fail('ended')
      })
    })
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
