/**
 * Metrics of the process, named as in OpenTelemetry's semantic conventions 1.45 (nodejs, v8js, process). The `nodejs` and
 * `v8js` metrics cover only the main thread. With PROXY_WORKERS above 1, other event loops relay the mail:
 * `smtp.proxy.loop.*` covers those.
 */

/** The attributes of these metrics. V8 and the operating system set their values, never a peer. */
export const runtimeAttributes = {
  'v8js.gc.type': { help: 'The kind of garbage collection.', values: ['major', 'minor', 'incremental', 'weakcb'] },
  'v8js.heap.space.name': { help: 'A space of the heap.', range: 'about a dozen names that V8 defines' },
  'cpu.mode': {
    help: 'Who used the CPU.',
    values: ['user', 'system'],
  },
} as const

/** The key of an attribute of these metrics. */
export type RuntimeAttributeKey = keyof typeof runtimeAttributes

/** A metric of the process. */
export interface RuntimeMetricDefinition {
  readonly name: `nodejs.${string}` | `v8js.${string}` | `process.${string}`
  readonly kind: 'counter' | 'updowncounter' | 'gauge' | 'histogram'
  /** UCUM. */
  readonly unit: string
  readonly help: string
  readonly attributes: readonly RuntimeAttributeKey[]
  /** Upper bounds in the metric's unit. Only histograms have them. */
  readonly buckets?: readonly number[]
  /** The name on the scrape page. */
  readonly prometheus: string
}

const pauses = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10] as const

/** Only metrics that a panel, an alert, a runbook or docs/telemetry.md reads. */
export const runtimeMetrics = {
  eventLoopUtilization: {
    name: 'nodejs.eventloop.utilization',
    kind: 'gauge',
    unit: '1',
    help: "Share of the time since the last reading in which the main thread's event loop was active.",
    attributes: [],
    prometheus: 'nodejs_eventloop_utilization_ratio',
  },
  eventLoopDelayP99: {
    name: 'nodejs.eventloop.delay.p99',
    kind: 'gauge',
    unit: 's',
    help: "99th percentile of the delays of the main thread's event loop since the last reading.",
    attributes: [],
    prometheus: 'nodejs_eventloop_delay_p99_seconds',
  },
  gcDuration: {
    name: 'v8js.gc.duration',
    kind: 'histogram',
    unit: 's',
    help: 'Garbage collection pauses of the main thread.',
    attributes: ['v8js.gc.type'],
    buckets: pauses,
    prometheus: 'v8js_gc_duration_seconds',
  },
  heapUsed: {
    name: 'v8js.memory.heap.used',
    kind: 'gauge',
    unit: 'By',
    help: "Used memory in each space of the main thread's heap.",
    attributes: ['v8js.heap.space.name'],
    prometheus: 'v8js_memory_heap_used_bytes',
  },
  cpuTime: {
    name: 'process.cpu.time',
    kind: 'counter',
    unit: 's',
    help: 'CPU time of the process, including all threads.',
    attributes: ['cpu.mode'],
    prometheus: 'process_cpu_time_seconds_total',
  },
  memoryUsage: {
    name: 'process.memory.usage',
    kind: 'updowncounter',
    unit: 'By',
    help: 'Physical memory of the process, including all threads.',
    attributes: [],
    prometheus: 'process_memory_usage_bytes',
  },
  fileDescriptors: {
    name: 'process.unix.file_descriptor.count',
    kind: 'updowncounter',
    unit: '{file_descriptor}',
    help: 'Open file descriptors of the process, including sockets. Only on Linux.',
    attributes: [],
    prometheus: 'process_unix_file_descriptor_count',
  },
  uptime: {
    name: 'process.uptime',
    kind: 'gauge',
    unit: 's',
    help: 'Time since the process started.',
    attributes: [],
    prometheus: 'process_uptime_seconds',
  },
} as const satisfies Record<string, RuntimeMetricDefinition>

/** The key of a metric in `runtimeMetrics`. */
export type RuntimeMetricKey = keyof typeof runtimeMetrics
