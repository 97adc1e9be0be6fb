/** The proxy as its operator runs it: a process of its own, configured by its environment, observed by its log. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../../..')

/** Everything on a free port of the loopback interface. */
const DEFAULTS = { PROXY_LISTEN: 'smtp://127.0.0.1:0', PROXY_ADMIN: 'http://127.0.0.1:0' }

/** One JSON line of the log. A line that is no JSON object is kept as `{ unparsed: line }`. */
export type LogLine = Readonly<Record<string, unknown>>

export interface ProxyOptions {
  /** Run with node in place of `app/entry.js`, relative to the project. */
  readonly main?: string
  /** Options for node itself. */
  readonly nodeOptions?: readonly string[]
  /** Arguments behind the main file. */
  readonly args?: readonly string[]
  /** A command that runs node in its own place, such as `prlimit --nofile=600`. */
  readonly within?: readonly string[]
  /** How long the start may take, in milliseconds. Default 30 s: only one that hangs takes so long. */
  readonly startLimitMs?: number
  /** How long the end may take until the process is killed, in milliseconds. Default 40 s, above the drain's 30 s. */
  readonly stopLimitMs?: number
}

export interface ProxyProcess {
  readonly pid: number
  /** The port of the listener that PROXY_LISTEN names first. */
  readonly port: number
  /** The ports of all listeners, in the order of PROXY_LISTEN. */
  readonly ports: readonly number[]
  /** 0 when PROXY_ADMIN is `off`. */
  readonly adminPort: number
  /** The log so far; it grows. */
  readonly lines: readonly LogLine[]
  /** What the process wrote to its standard error so far. */
  readonly stderr: string
  /** Resolves with the exit code, or with null when a signal ended the process. */
  readonly exited: Promise<number | null>
  /** The first line, past or future, that `wanted` accepts. Rejects when the process ends or `limitMs` (20 s) pass. */
  line(wanted: (line: LogLine) => boolean, limitMs?: number): Promise<LogLine>
  /** Stops reading the log, so that its pipe fills, or goes on. */
  pauseLog(): void
  resumeLog(): void
  /** Closes this end of the pipe. */
  closeLog(): void
  /** The text of /metrics. Throws on any status but 200. */
  metrics(): Promise<string>
  /** Sends a signal (default SIGTERM) and resolves like `exited`. May be called again, also after the end. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
  [Symbol.asyncDispose](): Promise<void>
}

/** Collects the parsed lines of a stream and lets others wait for one of them. */
class Log {
  readonly lines: LogLine[] = []
  #waiting: (() => void)[] = []

  add(text: string): void {
    this.lines.push(parsed(text))
    this.wake()
  }

  wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const look of waiting) look()
  }

  /** Calls `look` now and after each line, until it returns true. */
  watch(look: () => boolean): void {
    if (look()) return
    this.#waiting.push(() => this.watch(look))
  }
}

function parsed(text: string): LogLine {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value as LogLine
  } catch {
    // Not JSON: kept as it is, for a test to complain about.
  }
  return { unparsed: text }
}

function launch(env: Readonly<Record<string, string>>, options: ProxyOptions): ChildProcess {
  const preload = ['--import', new URL('exit-with-parent.ts', import.meta.url).href]
  const args = [...preload, ...(options.nodeOptions ?? []), options.main ?? 'app/entry.js', ...(options.args ?? [])]
  // The pipe to its standard input is what tells the process that this one is gone.
  const [command = process.execPath, ...before] = [...(options.within ?? []), process.execPath]
  return spawn(command, [...before, ...args], { cwd: ROOT, env: { PATH: process.env.PATH, ...env }, stdio: 'pipe' })
}

/** The ports of the listeners, by the `listening` lines; undefined until all are there. */
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
 * Starts the proxy in an environment of PATH and `env` alone, on free ports of the loopback interface unless `env`
 * says otherwise, and resolves once all its listeners and its admin server listen. Rejects with the exit code and the
 * standard error when the process ends before, and when the start takes too long. The process never outlives this one.
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

/** A proxy of which nobody knows yet whether it will listen, and where. */
export type SpawnedProxy = Omit<ProxyProcess, 'port' | 'ports' | 'adminPort' | 'metrics'>

/** The same without waiting: returns as soon as there is a process. */
export function spawnProxy(env: Readonly<Record<string, string>>, options: ProxyOptions = {}): SpawnedProxy {
  return observe(launch({ ...DEFAULTS, ...env }, options), options.stopLimitMs ?? 40_000)
}

/** The same for a child that somebody else has started, such as npm; after `stopLimitMs` a stop kills it. */
export function observe(child: ChildProcess, stopLimitMs: number): SpawnedProxy {
  const log = new Log()
  let stderr = ''
  let ended = false
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const stdout = createInterface(child.stdout!).on('line', (text) => log.add(text))
  const exited = once(child, 'close').then(([code]) => {
    ended = true
    log.wake()
    return code as number | null
  })
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    child.kill(signal)
    const timer = setTimeout(() => child.kill('SIGKILL'), stopLimitMs)
    return exited.finally(() => clearTimeout(timer))
  }
  const line = (wanted: (line: LogLine) => boolean, limitMs = 20_000) =>
    lineOf(log, wanted, limitMs, () => ({ ended: ended && `${child.exitCode ?? child.signalCode}`, stderr }))
  return {
    pid: child.pid ?? 0,
    lines: log.lines,
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

/** Whether the process has ended, and how; what it wrote to its standard error. */
interface ProcessState {
  readonly ended: string | false
  readonly stderr: string
}

function lineOf(
  log: Log,
  wanted: (line: LogLine) => boolean,
  limitMs: number,
  state: () => ProcessState,
): Promise<LogLine> {
  return new Promise((resolve, reject) => {
    const fail = (what: string) =>
      reject(new Error(`the proxy ${what}; its standard error: ${state().stderr || '(empty)'}`))
    const timer = setTimeout(() => fail(`did not log the expected line within ${limitMs} ms`), limitMs)
    log.watch(() => {
      const found = log.lines.find(wanted)
      const { ended } = state()
      if (found === undefined && ended === false) return false
      clearTimeout(timer)
      if (found === undefined) fail(`ended with ${ended}`)
      else resolve(found)
      return true
    })
  })
}

function withPorts(proxy: SpawnedProxy, ports: readonly number[], adminPort: number): ProxyProcess {
  const metrics = async () => {
    const response = await fetch(`http://127.0.0.1:${adminPort}/metrics`)
    const text = await response.text()
    if (response.status !== 200) throw new Error(`/metrics answered ${response.status}: ${text}`)
    return text
  }
  // Not a spread: it would freeze `stderr` at its value of now.
  return Object.assign(proxy, { port: ports[0] ?? 0, ports, adminPort, metrics })
}
