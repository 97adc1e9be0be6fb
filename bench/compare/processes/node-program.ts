/** Programs of our own that print one line of JSON once they are ready, such as their ports. */
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { type Started, start } from './process.ts'

export interface NodeProgram<Ready> {
  readonly program: Started
  readonly ready: Ready
}

/** How long a program may take to be ready. */
const LIMIT_MS = 20_000

/** Starts a program with this Node and its `options`, and resolves with the first line that it prints. */
export async function startNode<Ready>(
  main: string,
  args: readonly string[],
  options: readonly string[] = [],
): Promise<NodeProgram<Ready>> {
  const program = start(process.execPath, [...options, main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const lines = createInterface(program.child.stdout!)
  const signal = AbortSignal.timeout(LIMIT_MS)
  const first = once(lines, 'line', { signal }) as Promise<[string]>
  const [line] = await Promise.race([first, program.exited.then(() => [])])
  if (line === undefined) throw new Error(`${main}: ${program.failure()}`)
  return { program, ready: JSON.parse(line) as Ready }
}
