/** What the kernel reports about a process and its descendants: CPU time and resident memory. Linux only. */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/** The fields of /proc/PID/stat that are used here. Times are in clock ticks. */
export interface Stat {
  readonly pid: number
  readonly parent: number
  /** CPU time of the process, and of its children that have exited and were waited for. */
  readonly ticks: number
}

/** Parses /proc/PID/stat. The name of the program is in parentheses and may contain anything. */
export function parseStat(text: string): Stat {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
  return { pid: Number.parseInt(text, 10), parent: Number(fields[1]), ticks }
}

/** The process and all its descendants. */
export function treeOf(root: number, stats: readonly Stat[]): Stat[] {
  const children = Map.groupBy(stats, ({ parent }) => parent)
  const tree = stats.filter(({ pid }) => pid === root)
  for (const { pid } of tree) tree.push(...(children.get(pid) ?? []))
  return tree
}

function allStats(): Stat[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const text = readOrNothing(`/proc/${name}/stat`)
      return text === '' ? [] : [parseStat(text)]
    })
}

/** A process can exit between listing and reading. */
function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))

/** The ids of the process and all its descendants. */
export function pidsOf(root: number): number[] {
  return treeOf(root, allStats()).map(({ pid }) => pid)
}

/** CPU time of the process tree so far, in milliseconds, with children that have exited. Resolution: usually 10 ms. */
export function cpuMs(root: number): number {
  const ticks = treeOf(root, allStats()).reduce((sum, stat) => sum + stat.ticks, 0)
  return ticksToMs(ticks)
}

/** Clock ticks of the kernel in milliseconds. */
export function ticksToMs(ticks: number): number {
  return (ticks * 1000) / TICKS_PER_SECOND
}

/** Resident memory of the process tree, in MiB. Pages that processes share count in each. */
export function residentMib(root: number): number {
  const kib = pidsOf(root).map((pid) => Number(/VmRSS:\s+(\d+)/.exec(readOrNothing(`/proc/${pid}/status`))?.[1] ?? 0))
  return kib.reduce((sum, one) => sum + one, 0) / 1024
}
