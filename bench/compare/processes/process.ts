/**
 * Starts the programs of a measurement and stops them by their ids. None outlives this process: the kernel kills each when
 * its parent exits (`setpriv --pdeathsig`), also after SIGKILL.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { pidsOf } from '../figures/kernel.ts'

export interface Started {
  readonly pid: number
  readonly child: ChildProcess
  /** Why the process has exited, with its last output; undefined while it runs. */
  failure(): string | undefined
  /** Resolves when the process has exited. */
  readonly exited: Promise<void>
  /** Stops the process and its descendants: SIGTERM, then SIGKILL after three seconds. */
  stop(): Promise<void>
}

/** How long a process may take to stop. */
const STOP_MS = 3000
/** How much of the output is kept for messages about failures. */
const KEPT_OUTPUT = 2000

const running = new Set<number>()
process.on('exit', () => {
  for (const pid of running) kill(pidsOf(pid), 'SIGKILL')
})

/** Starts a program in a session of its own, so that Ctrl-C reaches only this process. */
export function start(command: string, args: readonly string[], options: SpawnOptions = {}): Started {
  const wrapped = ['--pdeathsig', 'KILL', '--', pathOf(command) ?? command, ...args]
  const child = spawn('setpriv', wrapped, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, ...options })
  const pid = child.pid ?? 0
  const output = keepOutput(child)
  let failure: string | undefined
  running.add(pid)
  const exited = once(child, 'exit').then(
    ([code, signal]) => {
      failure = `${command} exited with ${code ?? signal}: ${output()}`
    },
    (error) => {
      failure = `${command} did not start: ${error}`
    },
  )
  return { pid, child, failure: () => failure, exited, stop: () => stop(pid, exited) }
}

function keepOutput(child: ChildProcess): () => string {
  let kept = ''
  const keep = (text: string) => {
    kept = (kept + text).slice(-KEPT_OUTPUT)
  }
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', keep)
  return () => kept.trim() || 'no output'
}

async function stop(pid: number, exited: Promise<void>): Promise<void> {
  const tree = pidsOf(pid)
  kill([pid], 'SIGTERM')
  const late = setTimeout(() => kill([...tree, ...pidsOf(pid)], 'SIGKILL'), STOP_MS)
  await exited
  clearTimeout(late)
  // children that did not stop with their parent
  kill(
    tree.filter((one) => one !== pid),
    'SIGKILL',
  )
  running.delete(pid)
}

function kill(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      if (pid > 0) process.kill(pid, signal)
    } catch {
      // it has exited
    }
  }
}

/** The path of an installed program, also outside the user's PATH, in the folders of system programs. */
export function pathOf(program: string): string | undefined {
  if (program.includes('/')) return isExecutable(program) ? program : undefined
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin']
  return folders.map((folder) => join(folder, program)).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
