/** The proxy as a child of the demo. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const ROOT = join(import.meta.dirname, '..', '..')

export interface ProxyChild {
  /** Where apps connect. */
  readonly port: number
  readonly adminPort: number
  /** Resolves with the exit code, or the signal's name, when the process has ended. */
  readonly ended: Promise<number | string>
  /** The scrape page. Rejects when the admin server does not answer with it. */
  metrics(): Promise<string>
  /** Asks it to drain, and resolves like `ended`. */
  stop(): Promise<number | string>
}

/**
 * Starts the proxy on 127.0.0.1; `tell` hears each line of its log. Rejects with its standard error when it ends before
 * it listens.
 */
export async function startProxy(
  upstreamPort: number,
  caFile: string,
  tell: (line: string) => void,
): Promise<ProxyChild> {
  const child = spawn(process.execPath, ['app/main.ts'], {
    cwd: ROOT,
    // A process group of its own, so that Ctrl-C reaches the demo alone, which then ends the proxy in good order.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env.PATH,
      ...exporting(),
      PROXY_LISTEN: `smtp://127.0.0.1:${await freePort(2525)}`,
      PROXY_UPSTREAM: `smtp://localhost:${upstreamPort}`,
      PROXY_UPSTREAM_CA_FILE: caFile,
      PROXY_ADMIN: `http://127.0.0.1:${await freePort(9464)}`,
    },
  })
  process.once('exit', () => child.kill('SIGKILL'))
  const ended = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string)
  const { port, adminPort } = await listening(child, ended, tell)
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

/** OpenTelemetry's settings, but for those that would empty the scrape page. Without others, every mail is a trace. */
function exporting(): Record<string, string | undefined> {
  const { OTEL_SDK_DISABLED: _, OTEL_METRICS_EXPORTER: __, ...env } = process.env
  const given = Object.entries(env).filter(([name]) => name.startsWith('OTEL_'))
  return { OTEL_TRACES_SAMPLER: 'always_on', ...Object.fromEntries(given) }
}

/** Hands on the log, and reads it until both the listener and the admin server listen. */
function listening(
  child: ChildProcess,
  ended: Promise<unknown>,
  tell: (line: string) => void,
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
      tell(line)
      if (port !== undefined && adminPort !== undefined) return
      last = line
      const entry = parse(line)
      if (entry.msg !== 'listening' || typeof entry.port !== 'number') return
      if (entry.listener === 'admin') adminPort = entry.port
      else port ??= entry.port
      if (port !== undefined && adminPort !== undefined) resolve({ port, adminPort })
    })
    const why = (how: unknown) => new Error(`the proxy ended (${how}) before it listened\n${errors || last}`)
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

/** The wanted port if it is free, else 0: any. */
async function freePort(wanted: number): Promise<number> {
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
