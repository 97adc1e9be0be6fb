/** A simulated AhaSend and the proxy before it, each in a process of its own, for measurements. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Summary } from '../test/simulator/ledger.ts'
import { type ProxyOptions, type ProxyProcess, startProxy } from '../test/support/processes/proxy-process.ts'

/** What the simulator wrote down: counts, and how often it received each body (by its SHA-256). */
export interface Book {
  readonly summary: Summary
  readonly bodies: Readonly<Record<string, number>>
}

export interface Rehearsal extends AsyncDisposable {
  readonly proxy: ProxyProcess
  /** The simulator's own port, to go there directly. */
  readonly directPort: number
  readonly caFile: string
  book(): Promise<Book>
  /** The proxy's resident memory, in MB of 2^20 bytes. */
  residentMb(): number
  /** CPU time of the proxy's process so far, in milliseconds. */
  cpuMs(): number
}

/** Starts both; the simulator takes mail without AUTH. `env` are settings of the proxy besides. */
export async function startRehearsal(
  env: Readonly<Record<string, string>> = {},
  options: ProxyOptions = {},
): Promise<Rehearsal> {
  const simulator = spawn(process.execPath, ['test/simulator/main.ts', '--no-auth', '--summary', '--bodies'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await once(createInterface({ input: simulator.stdout! }), 'line')) as [string]
  const { port, httpPort, caFile } = JSON.parse(line) as { port: number; httpPort: number; caFile: string }
  const upstream = { PROXY_UPSTREAM: `smtp://localhost:${port}`, PROXY_UPSTREAM_CA_FILE: caFile }
  const proxy = await startProxy({ ...upstream, PROXY_WARM_CONNECTIONS: '0', ...env }, options)
  const page = async (name: string) => (await fetch(`http://127.0.0.1:${httpPort}/ledger${name}`)).json()
  return {
    proxy,
    directPort: port,
    caFile,
    book: async () => ({
      summary: (await page('')) as Summary,
      bodies: (await page('/bodies')) as Record<string, number>,
    }),
    residentMb: () => residentMb(proxy.pid),
    cpuMs: () => cpuMs(proxy.pid),
    [Symbol.asyncDispose]: () => end(proxy, simulator),
  }
}

async function end(proxy: ProxyProcess, simulator: ChildProcess): Promise<void> {
  await proxy.stop()
  simulator.kill()
  if (simulator.exitCode === null && simulator.signalCode === null) await once(simulator, 'exit')
}

function residentMb(pid: number): number {
  const kb = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kb) / 1024
}

/** The kernel counts in hundredths of a second. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

/** The sum of all series of `name` on a scrape page that carry `labels`. */
export function sum(page: string, name: string, labels: Readonly<Record<string, string>> = {}): number {
  const wanted = Object.entries(labels).map(([key, value]) => `${key}="${value}"`)
  return page
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) && wanted.every((label) => line.includes(label)))
    .reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' '))), 0)
}
