import { readdirSync, readFileSync, statSync } from 'node:fs'
import {
  constants,
  monitorEventLoopDelay,
  type NodeGCPerformanceDetail,
  type PerformanceEntry,
  PerformanceObserver,
  performance,
} from 'node:perf_hooks'
import { getHeapSpaceStatistics } from 'node:v8'
import {
  type Attributes,
  type BatchObservableResult,
  type Meter,
  type MeterProvider,
  type Observable,
  ValueType,
} from '@opentelemetry/api'
import { scope } from '../names/names.ts'
import { type RuntimeMetricDefinition, type RuntimeMetricKey, runtimeMetrics } from '../names/runtime.ts'

/**
 * How often the loop's delay is looked at. Node looks by a timer, which wakes an idle process each time: every 10 ms,
 * as it does by default, costs 0.4 % of a core. (Its option `samplePerIteration` needs no timer, but does not see
 * the time that callbacks of sockets take.)
 */
const DELAY_RESOLUTION_MS = 50

/** Metrics of the runtime at work. */
export interface RuntimeMetrics {
  /** Ends all measuring and leaves nothing behind. May be called again. */
  stop(): void
}

/**
 * Starts the metrics of the process itself: all of the table `runtimeMetrics`. They are read when somebody asks, except
 * for the loop's delay and pauses for garbage collection, which are watched; nothing here keeps the process alive.
 */
export function startRuntimeMetrics(provider: MeterProvider): RuntimeMetrics {
  const meter = provider.getMeter(scope.name, scope.version)
  const stops = [watchLoop(meter), watchCollections(meter), readHeap(meter), readResources(meter), readProcess(meter)]
  return {
    stop() {
      for (const stop of stops.splice(0)) stop()
    },
  }
}

type Stop = () => void

/** Delays are told without the interval between two looks, which is part of what Node measures. */
function watchLoop(meter: Meter): Stop {
  const delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS })
  delay.enable()
  const seconds = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - DELAY_RESOLUTION_MS / 1000)
  let last = performance.eventLoopUtilization()
  const stop = read(meter, LOOP_METRICS, (tell) => {
    const now = performance.eventLoopUtilization()
    tell('eventLoopTime', now.active / 1000, { 'nodejs.eventloop.state': 'active' })
    tell('eventLoopTime', now.idle / 1000, { 'nodejs.eventloop.state': 'idle' })
    tell('eventLoopUtilization', performance.eventLoopUtilization(now, last).utilization)
    last = now
    if (delay.count === 0) return
    tell('eventLoopDelayMin', seconds(delay.min))
    tell('eventLoopDelayMax', seconds(delay.max))
    tell('eventLoopDelayMean', seconds(delay.mean))
    tell('eventLoopDelayStddev', delay.stddev / 1e9)
    tell('eventLoopDelayP50', seconds(delay.percentile(50)))
    tell('eventLoopDelayP90', seconds(delay.percentile(90)))
    tell('eventLoopDelayP99', seconds(delay.percentile(99)))
    delay.reset()
  })
  return () => {
    delay.disable()
    stop()
  }
}

const LOOP_METRICS = [
  'eventLoopTime',
  'eventLoopUtilization',
  'eventLoopDelayMin',
  'eventLoopDelayMax',
  'eventLoopDelayMean',
  'eventLoopDelayStddev',
  'eventLoopDelayP50',
  'eventLoopDelayP90',
  'eventLoopDelayP99',
] as const

const GC_TYPES: ReadonlyMap<unknown, string> = new Map([
  [constants.NODE_PERFORMANCE_GC_MAJOR, 'major'],
  [constants.NODE_PERFORMANCE_GC_MINOR, 'minor'],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, 'incremental'],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, 'weakcb'],
])

/** What an entry of type `gc` is; the types of Node do not say so. */
type Collection = PerformanceEntry & { readonly detail?: NodeGCPerformanceDetail }

function watchCollections(meter: Meter): Stop {
  const { name, help, unit, buckets } = runtimeMetrics.gcDuration
  const pauses = meter.createHistogram(name, {
    description: help,
    unit,
    valueType: ValueType.DOUBLE,
    advice: { explicitBucketBoundaries: [...buckets] },
  })
  const observer = new PerformanceObserver((list) => {
    for (const { duration: milliseconds, detail } of list.getEntries() as Collection[]) {
      const type = GC_TYPES.get(detail?.kind)
      if (type !== undefined) pauses.record(milliseconds / 1000, { 'v8js.gc.type': type })
    }
  })
  observer.observe({ entryTypes: ['gc'] })
  return () => observer.disconnect()
}

function readHeap(meter: Meter): Stop {
  const keys = ['heapSpaceSize', 'heapUsed', 'heapSpaceAvailable', 'heapSpacePhysical'] as const
  return read(meter, keys, (tell) => {
    for (const space of getHeapSpaceStatistics()) {
      const name = { 'v8js.heap.space.name': space.space_name }
      tell('heapSpaceSize', space.space_size, name)
      tell('heapUsed', space.space_used_size, name)
      tell('heapSpaceAvailable', space.space_available_size, name)
      tell('heapSpacePhysical', space.physical_space_size, name)
    }
  })
}

/** A type that was seen once is told ever after, at 0 if need be: a series that vanishes looks like a lost scrape. */
function readResources(meter: Meter): Stop {
  const counts = new Map<string, number>()
  return read(meter, ['resourcesActive'], (tell) => {
    for (const type of counts.keys()) counts.set(type, 0)
    for (const type of process.getActiveResourcesInfo()) counts.set(type, (counts.get(type) ?? 0) + 1)
    for (const [type, count] of counts) tell('resourcesActive', count, { 'v8js.resource.type': type })
  })
}

function readProcess(meter: Meter): Stop {
  const keys = ['cpuTime', 'memoryUsage', 'memoryVirtual', 'fileDescriptors', 'uptime'] as const
  return read(meter, keys, (tell) => {
    const { user, system } = process.cpuUsage()
    tell('cpuTime', user / 1e6, { 'cpu.mode': 'user' })
    tell('cpuTime', system / 1e6, { 'cpu.mode': 'system' })
    tell('memoryUsage', process.memoryUsage.rss())
    tell('uptime', process.uptime())
    const [virtual, descriptors] = [onLinux(virtualMemory), onLinux(fileDescriptors)]
    if (virtual !== undefined) tell('memoryVirtual', virtual)
    if (descriptors !== undefined) tell('fileDescriptors', descriptors)
  })
}

/** What the kernel says, or undefined where there is no /proc. */
function onLinux(ask: () => number): number | undefined {
  try {
    return ask()
  } catch {
    return undefined
  }
}

// Both are asked for synchronously: threads that look up names may all be waiting for a resolver that is silent.

function virtualMemory(): number {
  const [, kibibytes] = readFileSync('/proc/self/status', 'latin1').match(/^VmSize:\s+(\d+) kB$/m) ?? []
  return Number(kibibytes) * 1024
}

/** The size of the directory is their number since Linux 6.2, and 0 before: then they are listed, with the list's own. */
function fileDescriptors(): number {
  return statSync('/proc/self/fd').size || readdirSync('/proc/self/fd').length - 1
}

type Tell<Key> = (key: Key, value: number, attributes?: Attributes) => void

/** Metrics of the table that are asked for together; `ask` is called at each reading. */
function read<Key extends RuntimeMetricKey>(meter: Meter, keys: readonly Key[], ask: (tell: Tell<Key>) => void): Stop {
  const instruments = new Map(keys.map((key) => [key, observable(meter, runtimeMetrics[key])]))
  const callback = (result: BatchObservableResult) =>
    ask((key, value, attributes) => {
      const instrument = instruments.get(key)
      if (instrument) result.observe(instrument, value, attributes)
    })
  const all = [...instruments.values()]
  meter.addBatchObservableCallback(callback, all)
  return () => meter.removeBatchObservableCallback(callback, all)
}

function observable(meter: Meter, { name, kind, unit, help }: RuntimeMetricDefinition): Observable {
  const valueType = unit === 's' || unit === '1' ? ValueType.DOUBLE : ValueType.INT
  const options = { description: help, unit, valueType }
  if (kind === 'counter') return meter.createObservableCounter(name, options)
  if (kind === 'updowncounter') return meter.createObservableUpDownCounter(name, options)
  return meter.createObservableGauge(name, options)
}
