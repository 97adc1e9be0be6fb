/** An event loop that relays mail, seen by itself: how busy it is, how late it is, and what its heap holds. */
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'
import type { LoopFigures } from '../events/loop-figures.ts'

/** How often the figures are told. A stall of a loop is told when it is over. */
const TELL_MS = 1000
/**
 * How often the delay is looked at, by a timer: a stall that is shorter may stay unseen, of a longer one so much may be
 * missing. 20 ms wake an idle thread 50 times a second, which costs 0.3 % of a core.
 */
const RESOLUTION_MS = 20

/** Tells the figures of this thread's loop once a second until the returned function is called. Keeps nothing alive. */
export function watchLoop(tell: (figures: LoopFigures) => void): () => void {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delays.enable()
  const timer = setInterval(() => {
    const { active, idle } = performance.eventLoopUtilization()
    const longest = delays.count === 0 ? 0 : delays.max / 1e6 - RESOLUTION_MS // Node counts the interval in
    delays.reset()
    const heap = getHeapStatistics().used_heap_size
    tell({ active: active / 1000, idle: idle / 1000, delay: Math.max(0, longest) / 1000, heap })
  }, TELL_MS)
  timer.unref()
  return () => {
    clearInterval(timer)
    delays.disable()
  }
}
