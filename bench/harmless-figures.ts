/** Figures of the comparison in `bench/harmless.ts`. */
import { readdirSync, readFileSync } from 'node:fs'

/** The CPU time of all threads of a process so far, in microseconds. */
export function cpuUs(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`)
  const nanoseconds = threads.map((id) =>
    Number(readFileSync(`/proc/${pid}/task/${id}/schedstat`, 'utf8').split(' ')[0]),
  )
  return nanoseconds.reduce((total, one) => total + one, 0) / 1000
}

/** The figure below which this part (0 to 1) of all figures lies. */
export function percentile(figures: readonly number[], part: number): number {
  const sorted = figures.toSorted((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN
}
