import type { Meter } from '@opentelemetry/api'
import type { LoopFigures } from '../../proxy/events/loop-figures.ts'
import { cellsOf, histogramOf } from './instruments.ts'

/** Takes the figures of one of the loops that relay mail, each time it tells them. `loop` counts from 0. */
export type ObserveLoop = (loop: number, figures: LoopFigures) => void

/** Turns what event loops say of themselves into metrics. */
export function createLoopMetrics(meter: Meter): ObserveLoop {
  const time = cellsOf(meter, 'loopTime')
  const heaps = cellsOf(meter, 'loopHeap')
  const delays = histogramOf(meter, 'loopDelay')
  return (loop, { active, idle, delay, heap }) => {
    const which = { 'smtp.loop': loop }
    time.at({ ...which, 'nodejs.eventloop.state': 'active' }).value = active
    time.at({ ...which, 'nodejs.eventloop.state': 'idle' }).value = idle
    heaps.at(which).value = heap
    delays.record(delay, which)
  }
}
