import type { Meter } from '@opentelemetry/api'
import type { LoopFigures } from '../../proxy/events/loop-figures.ts'
import { cellsOf, histogramOf } from '../instruments/instruments.ts'

/** Receives the figures of an event loop that relays mail each time the loop reports them. `loop` counts from 0. */
export type ObserveLoop = (loop: number, figures: LoopFigures) => void

/** Creates the metrics of the event loops that relay mail. */
export function createLoopMetrics(meter: Meter): ObserveLoop {
  const time = cellsOf(meter, 'loopTime')
  const heaps = cellsOf(meter, 'loopHeap')
  const delays = histogramOf(meter, 'loopDelay')
  return (loop, { active, idle, delay, heap }) => {
    const label = { 'smtp.loop': loop }
    time.at({ ...label, 'nodejs.eventloop.state': 'active' }).value = active
    time.at({ ...label, 'nodejs.eventloop.state': 'idle' }).value = idle
    heaps.at(label).value = heap
    delays.at(label).record(delay)
  }
}
