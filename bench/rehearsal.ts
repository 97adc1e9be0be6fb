/** A simulated AhaSend and the proxy in front of it, each in its own process, for measurements. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Summary } from '../test/simulator/ledger.ts'
import { residentMib } from '../test/support/processes/memory.ts'
import { type ProxyOptions, type ProxyProcess, startProxy } from '../test/support/processes/proxy-process.ts'
import { cpuMs } from './compare/figures/kernel.ts'

/** The simulator's ledger: counts, and how often it received each body (by its SHA-256). */
export interface Book {
  readonly summary: Summary
  readonly bodies: Readonly<Record<string, number>>
}

export interface Rehearsal extends AsyncDisposable {
  readonly proxy: ProxyProcess
  /** The simulator's own port, for direct connections. */
  readonly directPort: number
  readonly caFile: string
  /** Reads the simulator's ledger. */
  book(): Promise<Book>
  /** The proxy's resident memory, in MiB. */
  residentMib(): number
  /** CPU time of the proxy's process so far, in milliseconds. */
  cpuMs(): number
}

/** Starts both. The simulator accepts mail without AUTH. `env` holds further settings of the proxy. */
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
    residentMib: () => residentMib(proxy.pid),
    cpuMs: () => cpuMs(proxy.pid),
    [Symbol.asyncDispose]: () => end(proxy, simulator),
  }
}

async function end(proxy: ProxyProcess, simulator: ChildProcess): Promise<void> {
  await proxy.stop()
  simulator.kill()
  if (simulator.exitCode === null && simulator.signalCode === null) await once(simulator, 'exit')
}

/** The sum of all series of `name` with these labels on a scrape page. */
export function sum(page: string, name: string, labels: Readonly<Record<string, string>> = {}): number {
  const wanted = Object.entries(labels).map(([key, value]) => `${key}="${value}"`)
  return page
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) && wanted.every((label) => line.includes(label)))
    .reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' '))), 0)
}
