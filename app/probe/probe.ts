/** The `probe` command: runs the probe at an interval, and serves its metrics. */
import { createProbeMetrics, type ProbeMetrics } from '../../otel/metrics/probe.ts'
import { startAdmin } from '../../proxy/admin/admin.ts'
import type { Environment } from '../../settings/environment.ts'
import type { ReadText } from '../../settings/readers.ts'
import { fieldsOf } from './advice.ts'
import { type ProbeRun, runProbe } from './run.ts'
import { describeProbe, type ProbeSettings, parseProbe, unknownProbeNames } from './settings.ts'

/** The options, for the help of the command. */
export const PROBE_OPTIONS = `A run waits for the greeting and sends EHLO, STARTTLS if the proxy offers it, AUTH if a login is set, MAIL, RCPT and
RSET if PROBE_FROM is set, and QUIT. It never sends a message. It runs until a signal stops it. See docs/probe.md.
Exit code 0 after a signal, 1 if it cannot serve /metrics, 2 on a bad configuration or bad arguments.

  --check-names   check only the names of the settings, and exit`

/** What the command gets from its process. */
export interface ProbeInput {
  /** The arguments after `probe`. */
  readonly args: readonly string[]
  readonly env: Environment
  readonly version: string
  readonly readText: ReadText
  readonly log: ProbeLog
  readonly printError: (line: string) => void
  /** Aborts when the probe must stop. */
  readonly stop: AbortSignal
}

/** The part of the logger that the probe needs. */
export interface ProbeLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}

/** Runs until it is stopped. Returns the exit code. */
export async function probe({ args, ...input }: ProbeInput): Promise<0 | 1 | 2> {
  if (args[0] === '--check-names' && args.length === 1) return checkNames(input)
  if (args.length > 0) return refuse(input, ['probe: unknown arguments: expected none, or --check-names.'])
  const parsed = parseProbe(input.env, input.readText)
  if ('mistakes' in parsed) return refuse(input, parsed.mistakes)
  const { settings } = parsed
  const { foreign } = unknownProbeNames(input.env)
  if (foreign.length > 0) input.log.warn({}, `${foreign.join(', ')}: unknown and ignored`)
  const metrics = createProbeMetrics({ 'service.name': 'ahasend-smtp-proxy-probe', 'service.version': input.version })
  try {
    await using _page = await serve(settings, metrics, input)
    await keepProbing(settings, metrics, input)
    return 0
  } catch (error) {
    input.printError(error instanceof Error ? error.message : String(error))
    return 1
  }
}

type Input = Omit<ProbeInput, 'args'>

function refuse({ printError }: Input, mistakes: readonly string[]): 2 {
  for (const mistake of mistakes) printError(mistake)
  return 2
}

/** compose.yaml runs it in a container whose environment is the whole settings file. */
function checkNames(input: Input): 0 | 2 {
  const { misspelled, foreign } = unknownProbeNames(input.env)
  if (foreign.length > 0) input.printError(`warning: ${foreign.join(', ')}: unknown and ignored.`)
  return misspelled.length > 0 ? refuse(input, misspelled) : 0
}

/** Opens the metrics page, unless it is off, and logs the start. */
async function serve(
  settings: ProbeSettings,
  metrics: ProbeMetrics,
  { log, version }: Input,
): Promise<AsyncDisposable> {
  const admin =
    settings.metrics &&
    (await startAdmin({
      ...settings.metrics,
      variable: 'PROBE_METRICS',
      page: () => metrics.page(),
      pages: new Map(),
      streams: new Map(),
      ready: () => true,
    }))
  log.info({ version, node: process.version, config: describeProbe(settings) }, 'start')
  if (admin) log.info({ listener: 'metrics', address: settings.metrics?.host, port: admin.port }, 'listening')
  return { [Symbol.asyncDispose]: async () => void (await admin?.close()) }
}

/** Runs start at fixed times. One that would start while another runs is skipped. */
async function keepProbing(settings: ProbeSettings, metrics: ProbeMetrics, { log, stop }: Input): Promise<void> {
  for (let next = performance.now(); !stop.aborted; next += settings.intervalMs) {
    await pause(next - performance.now(), stop)
    if (stop.aborted) return
    const run = await runProbe(settings, stop)
    if (run) report(run, metrics, log)
    next = Math.max(next, performance.now() - settings.intervalMs)
  }
}

function report(run: ProbeRun, metrics: ProbeMetrics, log: ProbeLog): void {
  const before = metrics.consecutiveFailures
  metrics.record(run)
  const duration_ms = Math.round(run.ms)
  const failures = metrics.consecutiveFailures
  if (run.failure) log.warn({ event: 'probe', ...fieldsOf(run.failure), failures, duration_ms }, 'probe failed')
  else if (before > 0) log.info({ event: 'probe', failures: before, duration_ms }, 'probe succeeds again')
}

/** Resolves after the time, or when the signal aborts. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((settle) => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      settle()
    }
    const timer = setTimeout(done, Math.max(0, ms))
    signal.addEventListener('abort', done, { once: true })
  })
}
