import { readdirSync, statSync } from 'node:fs'
import {
  constants,
  monitorEventLoopDelay,
  type NodeGCPerformanceDetail,
  type PerformanceEntry,
  PerformanceObserver,
  performance,
} from 'node:perf_hooks'
import { getHeapSpaceStatistics } from 'node:v8'
import type { Attributes, BatchObservableResult, Meter, MeterProvider } from '@opentelemetry/api'
import { createHistogram, createObservable } from '../instruments/instruments.ts'
import { scope } from '../names/names.ts'
import { type RuntimeMetricKey, runtimeMetrics } from '../names/runtime.ts'

/**
 * How often Node samples the delay of the event loop. It samples with a timer, which wakes an idle process each time: its
 * default of 10 ms costs 0.4 % of a core. (The option `samplePerIteration` needs no timer, but misses the time that
 * callbacks of sockets take.)
 */
const DELAY_RESOLUTION_MS = 50

/** The running metrics of the process. */
export interface RuntimeMetrics {
  /** Stops all measurements. It may be called again. */
  stop(): void
}

/**
 * Starts all metrics of the table `runtimeMetrics`. They are read at each collection, except the delay of the event loop
 * and garbage collection pauses, which Node observes all the time. They do not keep the process alive.
 */
export function startRuntimeMetrics(provider: MeterProvider): RuntimeMetrics {
  const meter = provider.getMeter(scope.name, scope.version)
  const stops = [watchLoop(meter), watchCollections(meter), readHeap(meter), readProcess(meter)]
  return {
    stop() {
      for (const stop of stops.splice(0)) stop()
    },
  }
}

type Stop = () => void

/** Node includes the sampling interval in each delay, so it is subtracted. */
function watchLoop(meter: Meter): Stop {
  const delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS })
  delay.enable()
  let last = performance.eventLoopUtilization()
  const stop = observeAll(meter, ['eventLoopUtilization', 'eventLoopDelayP99'], (observe) => {
    const now = performance.eventLoopUtilization()
    observe('eventLoopUtilization', performance.eventLoopUtilization(now, last).utilization)
    last = now
    if (delay.count === 0) return
    observe('eventLoopDelayP99', Math.max(0, delay.percentile(99) / 1e9 - DELAY_RESOLUTION_MS / 1000))
    delay.reset()
  })
  return () => {
    delay.disable()
    stop()
  }
}

const GC_TYPES: ReadonlyMap<unknown, string> = new Map([
  [constants.NODE_PERFORMANCE_GC_MAJOR, 'major'],
  [constants.NODE_PERFORMANCE_GC_MINOR, 'minor'],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, 'incremental'],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, 'weakcb'],
])

/** An entry of type `gc`: Node's types lack `detail`. */
type Collection = PerformanceEntry & { readonly detail?: NodeGCPerformanceDetail }

function watchCollections(meter: Meter): Stop {
  const pauses = createHistogram(meter, runtimeMetrics.gcDuration)
  const observer = new PerformanceObserver((list) => {
    for (const { duration: milliseconds, detail } of list.getEntries() as Collection[]) {
      const type = GC_TYPES.get(detail?.kind)
      if (type !== undefined) pauses.at({ 'v8js.gc.type': type }).record(milliseconds / 1000)
    }
  })
  observer.observe({ entryTypes: ['gc'] })
  return () => observer.disconnect()
}

function readHeap(meter: Meter): Stop {
  return observeAll(meter, ['heapUsed'], (observe) => {
    for (const { space_name, space_used_size } of getHeapSpaceStatistics())
      observe('heapUsed', space_used_size, { 'v8js.heap.space.name': space_name })
  })
}

function readProcess(meter: Meter): Stop {
  return observeAll(meter, ['cpuTime', 'memoryUsage', 'fileDescriptors', 'uptime'], (observe) => {
    const { user, system } = process.cpuUsage()
    observe('cpuTime', user / 1e6, { 'cpu.mode': 'user' })
    observe('cpuTime', system / 1e6, { 'cpu.mode': 'system' })
    observe('memoryUsage', process.memoryUsage.rss())
    observe('uptime', process.uptime())
    const descriptors = fileDescriptors()
    if (descriptors !== undefined) observe('fileDescriptors', descriptors)
  })
}

/**
 * The number of open file descriptors, or undefined without /proc. Since Linux 6.2 the size of the directory is the number;
 * before, the size is 0, and the listing includes its own descriptor. The calls are synchronous because all threads of the
 * pool may be waiting for a resolver that does not respond.
 */
function fileDescriptors(): number | undefined {
  try {
    return statSync('/proc/self/fd').size || readdirSync('/proc/self/fd').length - 1
  } catch {
    return undefined
  }
}

type Observe<Key> = (key: Key, value: number, attributes?: Attributes) => void

/** Creates the metrics `keys` and calls `read` at each collection to observe them together. */
function observeAll<Key extends RuntimeMetricKey>(
  meter: Meter,
  keys: readonly Key[],
  read: (observe: Observe<Key>) => void,
): Stop {
  const instruments = new Map(keys.map((key) => [key, createObservable(meter, runtimeMetrics[key])]))
  const callback = (result: BatchObservableResult) =>
    read((key, value, attributes) => {
      const instrument = instruments.get(key)
      if (instrument) result.observe(instrument, value, attributes)
    })
  const all = [...instruments.values()]
  meter.addBatchObservableCallback(callback, all)
  return () => meter.removeBatchObservableCallback(callback, all)
}
