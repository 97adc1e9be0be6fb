/** The proxy as a child process of the demo. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { PROXY_FILE } from './programs.ts'

export interface ProxyChild {
  /** The port for apps. */
  readonly port: number
  readonly adminPort: number
  /** Resolves with the exit code or the signal's name when the process has exited. */
  readonly ended: Promise<number | string>
  /** The scrape page. Rejects when the admin server does not return it. */
  metrics(): Promise<string>
  /** Sends SIGTERM and resolves like `ended`. */
  stop(): Promise<number | string>
}

const ANY_PORTS = { PROXY_LISTEN: 'smtp://127.0.0.1:0', PROXY_ADMIN: 'http://127.0.0.1:0' }

/**
 * Starts the proxy on 127.0.0.1, with further settings in `settings`. Calls `onLine` with each line of its log. Rejects
 * with its standard error when it exits before it listens.
 */
export async function startProxy(
  upstreamPort: number,
  caFile: string,
  onLine: (line: string) => void,
  settings: Readonly<Record<string, string>> = {},
): Promise<ProxyChild> {
  const upstream = { PROXY_UPSTREAM: `smtp://localhost:${upstreamPort}`, PROXY_UPSTREAM_CA_FILE: caFile }
  const usual = {
    PROXY_LISTEN: `smtp://127.0.0.1:${await freePort(2525)}`,
    PROXY_ADMIN: `http://127.0.0.1:${await freePort(9464)}`,
  }
  try {
    return await startChild({ ...usual, ...upstream, ...settings }, onLine)
  } catch (error) {
    // another process has taken a port in the meantime
    if (!(error as Error).message.includes('the port is taken')) throw error
    return await startChild({ ...ANY_PORTS, ...upstream, ...settings }, onLine)
  }
}

async function startChild(
  settings: Readonly<Record<string, string>>,
  onLine: (line: string) => void,
): Promise<ProxyChild> {
  const child = spawn(process.execPath, [PROXY_FILE], {
    // its own process group, so that Ctrl-C reaches only the demo, which then stops the proxy cleanly
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, ...exporting(), ...settings },
  })
  process.once('exit', () => child.kill('SIGKILL'))
  const ended = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string)
  const { port, adminPort } = await listening(child, ended, onLine)
  return {
    port,
    adminPort,
    ended,
    async metrics() {
      const response = await fetch(`http://127.0.0.1:${adminPort}/metrics`)
      if (!response.ok) throw new Error(`/metrics answered ${response.status}`)
      return await response.text()
    },
    stop() {
      child.kill('SIGTERM')
      return ended
    },
  }
}

/** The OTEL_* variables without those that would empty the scrape page. By default every message is traced. */
function exporting(): Record<string, string | undefined> {
  const { OTEL_SDK_DISABLED: _, OTEL_METRICS_EXPORTER: __, ...env } = process.env
  const given = Object.entries(env).filter(([name]) => name.startsWith('OTEL_'))
  return { OTEL_TRACES_SAMPLER: 'always_on', ...Object.fromEntries(given) }
}

/** Passes the log on, and waits until both the listener and the admin server listen. */
function listening(
  child: ChildProcess,
  ended: Promise<unknown>,
  onLine: (line: string) => void,
): Promise<{ port: number; adminPort: number }> {
  let errors = ''
  child.stderr?.on('data', (chunk) => {
    errors = `${errors}${chunk}`.slice(-4000)
  })
  return new Promise((resolve, reject) => {
    let port: number | undefined
    let adminPort: number | undefined
    let last = ''
    createInterface({ input: child.stdout ?? process.stdin }).on('line', (line) => {
      onLine(line)
      if (port !== undefined && adminPort !== undefined) return
      last = line
      const entry = parse(line)
      if (entry.msg !== 'listening' || typeof entry.port !== 'number') return
      if (entry.listener === 'admin') adminPort = entry.port
      else port ??= entry.port
      if (port !== undefined && adminPort !== undefined) resolve({ port, adminPort })
    })
    const why = (how: unknown) => new Error(`the proxy exited (${how}) before it listened\n${errors || last}`)
    void ended.then((how) => reject(why(how)))
  })
}

function parse(line: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(line) as Readonly<Record<string, unknown>>
  } catch {
    return {}
  }
}

/** The wanted port when it is free, otherwise 0, which means any port. */
export async function freePort(wanted: number): Promise<number> {
  const server = createServer()
  try {
    server.listen(wanted, '127.0.0.1')
    await once(server, 'listening')
    return wanted
  } catch {
    return 0
  } finally {
    server.close()
  }
}
