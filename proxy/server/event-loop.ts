/** Measures the event loop of a thread that relays mail: how busy it is, how late it is, and how large its heap is. */
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'
import type { LoopFigures } from '../events/loop-figures.ts'

/** How often the figures are reported. A stall of the loop is reported after its end. */
const REPORT_MS = 1000
/**
 * The interval of the timer that measures the delay. A shorter stall may be missed, and a longer one may be measured up to
 * this much too short. 20 ms wake an idle thread 50 times a second, which costs 0.3 % of a core.
 */
const RESOLUTION_MS = 20

/**
 * Reports the figures of this thread's loop once a second, until the returned function is called. Does not keep the process
 * alive.
 */
export function reportLoop(report: (figures: LoopFigures) => void): () => void {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delays.enable()
  const timer = setInterval(() => {
    const { active, idle } = performance.eventLoopUtilization()
    const longest = delays.count === 0 ? 0 : delays.max / 1e6 - RESOLUTION_MS // Node includes the interval
    delays.reset()
    const heap = getHeapStatistics().used_heap_size
    report({ active: active / 1000, idle: idle / 1000, delay: Math.max(0, longest) / 1000, heap })
  }, REPORT_MS)
  timer.unref()
  return () => {
    clearInterval(timer)
    delays.disable()
  }
}
