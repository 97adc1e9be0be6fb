/** The proxy as a separate process, configured by its environment and observed through its log, as in production. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Changes } from '../waiting/changes.ts'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../../..')

/** Listen on free ports of the loopback interface. */
const DEFAULTS = { PROXY_LISTEN: 'smtp://127.0.0.1:0', PROXY_ADMIN: 'http://127.0.0.1:0' }

/** One JSON line of the log. A line that is no JSON object is kept as `{ unparsed: line }`. */
export type LogLine = Readonly<Record<string, unknown>>

export interface ProxyOptions {
  /** The file that node runs, relative to the project. Default `app/entry.js`. */
  readonly main?: string
  /** False: without the module that ends it with this process, which is TypeScript and costs time and memory. Default true. */
  readonly preload?: boolean
  /** Options of node. */
  readonly nodeOptions?: readonly string[]
  /** Arguments after the main file. */
  readonly args?: readonly string[]
  /** A command that replaces itself with node, such as `prlimit --nofile=600`. */
  readonly within?: readonly string[]
  /** How long the start may take, in milliseconds. Default 30 s: only a process that hangs takes that long. */
  readonly startLimitMs?: number
  /** How long the stop may take until the process is killed, in milliseconds. Default 40 s, above the drain's 30 s. */
  readonly stopLimitMs?: number
}

export interface ProxyProcess {
  readonly pid: number
  /** The port of the first listener in PROXY_LISTEN. */
  readonly port: number
  /** The ports of all listeners, in the order of PROXY_LISTEN. */
  readonly ports: readonly number[]
  /** 0 when PROXY_ADMIN is `off`. */
  readonly adminPort: number
  /** The log so far; the list grows. */
  readonly lines: readonly LogLine[]
  /** What the process has written to its standard error so far. */
  readonly stderr: string
  /** Resolves with the exit code, or with null when a signal ended the process. */
  readonly exited: Promise<number | null>
  /** The first line, past or future, that `wanted` accepts. Rejects when the process ends or `limitMs` (20 s) pass. */
  line(wanted: (line: LogLine) => boolean, limitMs?: number): Promise<LogLine>
  /** Stops reading the log, so that its pipe fills. */
  pauseLog(): void
  /** Reads the log again. */
  resumeLog(): void
  /** Closes this end of the log's pipe. */
  closeLog(): void
  /** The text of /metrics. Throws on any status but 200. */
  metrics(): Promise<string>
  /** Sends a signal (default SIGTERM) and resolves like `exited`. May be called again, also after the end. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
  [Symbol.asyncDispose](): Promise<void>
}

function parsed(text: string): LogLine {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value as LogLine
  } catch {
    // not JSON: kept as it is, so that a test can fail on it
  }
  return { unparsed: text }
}

function launch(env: Readonly<Record<string, string>>, options: ProxyOptions): ChildProcess {
  const preload = options.preload === false ? [] : ['--import', new URL('exit-with-parent.ts', import.meta.url).href]
  const args = [...preload, ...(options.nodeOptions ?? []), options.main ?? 'app/entry.js', ...(options.args ?? [])]
  // the process exits when its standard input closes, that is, when this process exits
  const [command = process.execPath, ...before] = [...(options.within ?? []), process.execPath]
  return spawn(command, [...before, ...args], { cwd: ROOT, env: { PATH: process.env.PATH, ...env }, stdio: 'pipe' })
}

/** The ports of the listeners, from the `listening` lines; undefined until all lines are there. */
function portsOf(lines: readonly LogLine[], listeners: readonly string[]): number[] | undefined {
  const listening = lines.filter((line) => line.msg === 'listening')
  const ports: number[] = []
  const taken = new Set<LogLine>()
  for (const listener of listeners) {
    const line = listening.find((candidate) => candidate.listener === listener && !taken.has(candidate))
    if (line === undefined || typeof line.port !== 'number') return undefined
    taken.add(line)
    ports.push(line.port)
  }
  return ports
}

/**
 * Starts the proxy, on free ports of the loopback interface unless `env` sets others. Its environment is PATH and `env`
 * alone. Resolves once all its listeners and its admin server listen. Rejects with the exit code and the standard error
 * when the process exits before that, and when the start takes too long. The process exits with this one at the latest.
 */
export async function startProxy(
  env: Readonly<Record<string, string>>,
  options: ProxyOptions = {},
): Promise<ProxyProcess> {
  const effective = { ...DEFAULTS, ...env }
  const proxy = spawnProxy(effective, options)
  const listeners = effective.PROXY_LISTEN.split(',').map((listener) => listener.trim())
  const expected = effective.PROXY_ADMIN === 'off' ? listeners : [...listeners, 'admin']
  try {
    await proxy.line(() => portsOf(proxy.lines, expected) !== undefined, options.startLimitMs ?? 30_000)
  } catch (error) {
    await proxy.stop('SIGKILL')
    throw error
  }
  const ports = portsOf(proxy.lines, expected) ?? []
  const adminPort = ports[listeners.length] ?? 0
  return withPorts(proxy, ports.slice(0, listeners.length), adminPort)
}

/** A proxy that may not listen yet. */
export type SpawnedProxy = Omit<ProxyProcess, 'port' | 'ports' | 'adminPort' | 'metrics'>

/** Starts the proxy like `startProxy`, but does not wait until it listens. */
export function spawnProxy(env: Readonly<Record<string, string>>, options: ProxyOptions = {}): SpawnedProxy {
  return observe(launch({ ...DEFAULTS, ...env }, options), options.stopLimitMs ?? 40_000)
}

/** Observes a process that the caller has started, such as npm. `stop` kills it after `stopLimitMs`. */
export function observe(child: ChildProcess, stopLimitMs: number): SpawnedProxy {
  const { lines, changes, stdout } = readLog(child)
  let stderr = ''
  let ended = false
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const exited = once(child, 'close').then(([code]) => {
    ended = true
    changes.changed()
    return code as number | null
  })
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    child.kill(signal)
    const timer = setTimeout(() => child.kill('SIGKILL'), stopLimitMs)
    return exited.finally(() => clearTimeout(timer))
  }
  const line = (wanted: (line: LogLine) => boolean, limitMs = 20_000) => {
    const failure = (what: string) => `the proxy ${what}; its standard error: ${stderr || '(empty)'}`
    const exit = () => (ended ? failure(`ended with ${child.exitCode ?? child.signalCode}`) : undefined)
    const late = () => failure(`did not log the expected line within ${limitMs} ms`)
    return changes.until(() => findUnless(lines, wanted, exit), limitMs, late)
  }
  return {
    pid: child.pid ?? 0,
    lines,
    get stderr() {
      return stderr
    },
    exited,
    line,
    pauseLog: () => stdout.pause(),
    resumeLog: () => stdout.resume(),
    closeLog: () => child.stdout?.destroy(),
    stop,
    [Symbol.asyncDispose]: async () => void (await stop('SIGKILL')),
  }
}

/** Parses the lines of standard output as they arrive. */
function readLog(child: ChildProcess) {
  const lines: LogLine[] = []
  const changes = new Changes()
  const stdout = createInterface(child.stdout!).on('line', (text) => {
    lines.push(parsed(text))
    changes.changed()
  })
  return { lines, changes, stdout }
}

/** The first line that `wanted` accepts. Throws when there is none and the process has exited. */
function findUnless(
  lines: readonly LogLine[],
  wanted: (line: LogLine) => boolean,
  exit: () => string | undefined,
): LogLine | undefined {
  const found = lines.find(wanted)
  const failure = exit()
  if (found === undefined && failure !== undefined) throw new Error(failure)
  return found
}

function withPorts(proxy: SpawnedProxy, ports: readonly number[], adminPort: number): ProxyProcess {
  const metrics = async () => {
    const response = await fetch(`http://127.0.0.1:${adminPort}/metrics`)
    const text = await response.text()
    if (response.status !== 200) throw new Error(`/metrics answered ${response.status}: ${text}`)
    return text
  }
  // not a spread, which would freeze `stderr` at its current value
  return Object.assign(proxy, { port: ports[0] ?? 0, ports, adminPort, metrics })
}
