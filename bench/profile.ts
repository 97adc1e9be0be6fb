/**
 * Prints where a CPU profile (`node --cpu-prof`, or `npm run bench -- --profile`) spent its busy time: the most expensive lines
 * themselves, and the functions of the project and its packages, each with the time of Node's own functions that they call.
 *
 *   node bench/profile.ts FILE [COUNT]
 *
 * A profile covers one thread: the thread pool, which writes log lines and resolves names, is not in it.
 */
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** One function in one call stack. */
export interface ProfileNode {
  readonly id: number
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  readonly hitCount?: number
  readonly children?: readonly number[]
  readonly positionTicks?: readonly { readonly line: number; readonly ticks: number }[]
}

/** Frames in which the process waits. */
const WAITING = new Set(['(idle)', '(root)', '(program)'])

/** The samples of each line and each function, without waiting. `total` counts all of them. */
export function countTicks(nodes: readonly ProfileNode[]) {
  const [lines, functions] = [new Map<string, number>(), new Map<string, number>()]
  const parents = new Map(nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node] as const)))
  let total = 0
  for (const node of nodes) {
    const { callFrame, hitCount = 0, positionTicks = [] } = node
    if (WAITING.has(callFrame.functionName)) continue
    total += hitCount
    add(functions, nameOf(ownerOf(node, parents)), hitCount)
    // line numbers of native functions mean nothing
    if (callFrame.url === '') add(lines, nameOf(node), hitCount)
    else for (const { line, ticks } of positionTicks) add(lines, nameOf(node, line), ticks)
  }
  return { lines, functions, total }
}

/** The nearest function that is not Node's own; the function itself if there is none. */
function ownerOf(node: ProfileNode, parents: ReadonlyMap<number, ProfileNode>): ProfileNode {
  for (let at: ProfileNode | undefined = node; at !== undefined; at = parents.get(at.id))
    if (at.callFrame.url.startsWith('file:')) return at
  return node
}

function add(counts: Map<string, number>, key: string, ticks: number): void {
  counts.set(key, (counts.get(key) ?? 0) + ticks)
}

function nameOf({ callFrame }: ProfileNode, line = callFrame.lineNumber + 1): string {
  const { url } = callFrame
  const functionName = callFrame.functionName || '(anonymous)'
  const file = url.startsWith('file:')
    ? relative(process.cwd(), fileURLToPath(url)).replace(/^.*node_modules\//, '')
    : url
  return file === '' ? `${functionName} (native)` : `${file}:${line} ${functionName}`
}

function print(title: string, counts: ReadonlyMap<string, number>, total: number, count: number): void {
  console.log(`${title}`)
  const most = [...counts].sort(([, one], [, other]) => other - one).slice(0, count)
  for (const [name, ticks] of most) console.log(`${((100 * ticks) / total).toFixed(1).padStart(5)}%  ${name}`)
}

if (import.meta.main) {
  const [file = '', count = '10'] = process.argv.slice(2)
  const { nodes } = JSON.parse(readFileSync(file, 'utf8')) as { nodes: readonly ProfileNode[] }
  const { lines, functions, total } = countTicks(nodes)
  print('Lines themselves:', lines, total, Number(count))
  print("\nFunctions, with Node's own functions that they call:", functions, total, Number(count))
}
