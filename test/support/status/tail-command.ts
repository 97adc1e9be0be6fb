/** The command `tail` as a process of its own. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { TestContext } from 'node:test'
import { until } from '../waiting/until.ts'

export interface TailCommand {
  /** What it has printed so far. */
  readonly stdout: string
  /** What it has written to its standard error so far. */
  readonly stderr: string
  readonly exited: Promise<number | null>
  /** The lines so far, without the heading. */
  lines(): string[]
  /** Waits until a line matches. */
  line(wanted: RegExp): Promise<string>
  /** Waits until it is connected. */
  connected(): Promise<void>
  /** Stops reading what it prints. */
  pause(): void
  /** Reads again. */
  resume(): void
  /** Sends SIGINT, like Ctrl-C, and resolves with the exit code. */
  interrupt(): Promise<number | null>
}

/** Starts it. `env` is its whole environment. The end of the test ends it. */
export function tailCommand(
  context: TestContext,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): TailCommand {
  const child = spawn(process.execPath, ['app/entry.js', 'tail', ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  context.after(() => child.kill('SIGKILL'))
  const [stdout, stderr]: [string[], string[]] = [[], []]
  child.stdout.setEncoding('utf8').on('data', (text: string) => stdout.push(text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => stderr.push(text))
  const exited = once(child, 'close').then(([code]) => code as number | null)
  const lines = () => stdout.join('').split('\n').slice(0, -1)
  return {
    get stdout() {
      return stdout.join('')
    },
    get stderr() {
      return stderr.join('')
    },
    exited,
    lines: () => lines().filter((line) => !line.startsWith('TIME')),
    line: (wanted) =>
      until(
        () => `no line ${wanted} in ${stdout.join('').slice(-2000)}${stderr.join('')}`,
        () => lines().find((line) => wanted.test(line)),
      ),
    connected: () =>
      until(
        () => `not connected: ${stderr.join('')}`,
        () => stderr.join('').includes('Connected to '),
      ).then(() => {}),
    pause: () => child.stdout.pause(),
    resume: () => void child.stdout.resume(),
    interrupt: () => {
      child.kill('SIGINT')
      return exited
    },
  }
}
