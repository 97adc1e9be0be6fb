/**
 * What the process tells of itself, named as OpenTelemetry's semantic conventions name it (1.45: nodejs, v8js, process).
 * With PROXY_WORKERS above 1 mail is relayed by other loops than the one that these metrics know: their own figures are
 * `smtp.proxy.loop.*`.
 */

export const eventLoopStates = ['active', 'idle'] as const

/** The attributes of these metrics: V8, Node and the operating system say their values, never a peer. */
export const runtimeAttributes = {
  'nodejs.eventloop.state': { help: 'Whether an event loop worked or waited.', values: eventLoopStates },
  'v8js.gc.type': { help: 'The kind of garbage collection.', values: ['major', 'minor', 'incremental', 'weakcb'] },
  'v8js.heap.space.name': { help: 'A part of the heap.', range: 'the dozen names that V8 gives them' },
  'v8js.resource.type': { help: 'What keeps the event loop alive.', range: "Node's names of handles and requests" },
  'cpu.mode': { help: 'Who used the CPU: the program, or the kernel for it.', values: ['user', 'system'] },
} as const

export type RuntimeAttributeKey = keyof typeof runtimeAttributes

/** A metric of the process: `prometheus` is the name under which it is scraped. */
export interface RuntimeMetricDefinition {
  readonly name: `nodejs.${string}` | `v8js.${string}` | `process.${string}`
  readonly kind: 'counter' | 'updowncounter' | 'gauge' | 'histogram'
  /** UCUM. */
  readonly unit: string
  readonly help: string
  readonly attributes: readonly RuntimeAttributeKey[]
  /** Upper bounds, of histograms only, in the metric's unit. */
  readonly buckets?: readonly number[]
  readonly prometheus: string
}

const pauses = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10] as const

export const runtimeMetrics = {
  eventLoopTime: {
    name: 'nodejs.eventloop.time',
    kind: 'counter',
    unit: 's',
    help: "How long the main thread's event loop worked, and how long it waited.",
    attributes: ['nodejs.eventloop.state'],
    prometheus: 'nodejs_eventloop_time_seconds_total',
  },
  eventLoopUtilization: {
    name: 'nodejs.eventloop.utilization',
    kind: 'gauge',
    unit: '1',
    help: "The share of the time since the last reading in which the main thread's event loop worked.",
    attributes: [],
    prometheus: 'nodejs_eventloop_utilization_ratio',
  },
  eventLoopDelayMin: {
    name: 'nodejs.eventloop.delay.min',
    kind: 'gauge',
    unit: 's',
    help: "The shortest delay of the main thread's event loop since the last reading.",
    attributes: [],
    prometheus: 'nodejs_eventloop_delay_min_seconds',
  },
  eventLoopDelayMax: {
    name: 'nodejs.eventloop.delay.max',
    kind: 'gauge',
    unit: 's',
    help: "The longest delay of the main thread's event loop since the last reading.",
    attributes: [],
    prometheus: 'nodejs_eventloop_delay_max_seconds',
  },
  eventLoopDelayMean: {
    name: 'nodejs.eventloop.delay.mean',
    kind: 'gauge',
    unit: 's',
    help: "The mean delay of the main thread's event loop since the last reading.",
    attributes: [],
    prometheus: 'nodejs_eventloop_delay_mean_seconds',
  },
  eventLoopDelayStddev: {
    name: 'nodejs.eventloop.delay.stddev',
    kind: 'gauge',
    unit: 's',
    help: "The standard deviation of the delays of the main thread's event loop since the last reading.",
    attributes: [],
    prometheus: 'nodejs_eventloop_delay_stddev_seconds',
  },
  eventLoopDelayP50: {
    name: 'nodejs.eventloop.delay.p50',
    kind: 'gauge',
    unit: 's',
    help: "The median delay of the main thread's event loop since the last reading.",
    attributes: [],
    prometheus: 'nodejs_eventloop_delay_p50_seconds',
  },
  eventLoopDelayP90: {
    name: 'nodejs.eventloop.delay.p90',
    kind: 'gauge',
    unit: 's',
    help: "The 90th percentile of the delays of the main thread's event loop since the last reading.",
    attributes: [],
    prometheus: 'nodejs_eventloop_delay_p90_seconds',
  },
  eventLoopDelayP99: {
    name: 'nodejs.eventloop.delay.p99',
    kind: 'gauge',
    unit: 's',
    help: "The 99th percentile of the delays of the main thread's event loop since the last reading.",
    attributes: [],
    prometheus: 'nodejs_eventloop_delay_p99_seconds',
  },
  gcDuration: {
    name: 'v8js.gc.duration',
    kind: 'histogram',
    unit: 's',
    help: 'Pauses for garbage collection in the main thread.',
    attributes: ['v8js.gc.type'],
    buckets: pauses,
    prometheus: 'v8js_gc_duration_seconds',
  },
  heapSpaceSize: {
    name: 'v8js.memory.heap.space.size',
    kind: 'updowncounter',
    unit: 'By',
    help: "Memory that V8 keeps for a part of the main thread's heap.",
    attributes: ['v8js.heap.space.name'],
    prometheus: 'v8js_memory_heap_space_size_bytes',
  },
  heapUsed: {
    name: 'v8js.memory.heap.used',
    kind: 'gauge',
    unit: 'By',
    help: "Memory in use in a part of the main thread's heap.",
    attributes: ['v8js.heap.space.name'],
    prometheus: 'v8js_memory_heap_used_bytes',
  },
  heapSpaceAvailable: {
    name: 'v8js.memory.heap.space.available_size',
    kind: 'gauge',
    unit: 'By',
    help: "Memory that is free in a part of the main thread's heap.",
    attributes: ['v8js.heap.space.name'],
    prometheus: 'v8js_memory_heap_space_available_size_bytes',
  },
  heapSpacePhysical: {
    name: 'v8js.memory.heap.space.physical_size',
    kind: 'gauge',
    unit: 'By',
    help: "Physical memory of a part of the main thread's heap.",
    attributes: ['v8js.heap.space.name'],
    prometheus: 'v8js_memory_heap_space_physical_size_bytes',
  },
  resourcesActive: {
    name: 'v8js.resource.active',
    kind: 'gauge',
    unit: '{resource}',
    help: "Handles and requests that keep the main thread's event loop alive: sockets, timers, look-ups.",
    attributes: ['v8js.resource.type'],
    prometheus: 'v8js_resource_active',
  },
  cpuTime: {
    name: 'process.cpu.time',
    kind: 'counter',
    unit: 's',
    help: 'CPU time of the process, all threads together.',
    attributes: ['cpu.mode'],
    prometheus: 'process_cpu_time_seconds_total',
  },
  memoryUsage: {
    name: 'process.memory.usage',
    kind: 'updowncounter',
    unit: 'By',
    help: 'Physical memory of the process, all threads together.',
    attributes: [],
    prometheus: 'process_memory_usage_bytes',
  },
  memoryVirtual: {
    name: 'process.memory.virtual',
    kind: 'updowncounter',
    unit: 'By',
    help: 'Virtual memory of the process. Only on Linux.',
    attributes: [],
    prometheus: 'process_memory_virtual_bytes',
  },
  fileDescriptors: {
    name: 'process.unix.file_descriptor.count',
    kind: 'updowncounter',
    unit: '{file_descriptor}',
    help: 'Open file descriptors of the process, sockets included. Only on Linux.',
    attributes: [],
    prometheus: 'process_unix_file_descriptor_count',
  },
  uptime: {
    name: 'process.uptime',
    kind: 'gauge',
    unit: 's',
    help: 'How long the process has been running.',
    attributes: [],
    prometheus: 'process_uptime_seconds',
  },
} as const satisfies Record<string, RuntimeMetricDefinition>

export type RuntimeMetricKey = keyof typeof runtimeMetrics
