/** Figures that only the proxy's own process knows. */
import { setTimeout as pause } from 'node:timers/promises'
import type { ProxyOptions, ProxyProcess } from '../test/support/processes/proxy-process.ts'

/** Start the proxy with these. */
export const PROBED: ProxyOptions = { nodeOptions: ['--import', new URL('probe-preload.ts', import.meta.url).href] }

/** The longest turn of the event loop since the probe before, in milliseconds. */
export interface Turn {
  /** By the clock: on a busy machine also the time in which other processes worked. */
  readonly wallMs: number
  /** What the proxy itself worked. */
  readonly cpuMs: number
}

export interface Probe {
  readonly turn: Turn
  /** Bytes that are referenced after a garbage collection. */
  readonly retained: number
}

/** Asks a proxy that was started with `PROBED`. Rejects when it does not answer within 30 s. */
export async function probe(proxy: ProxyProcess): Promise<Probe> {
  const known = proxy.stderr.length
  process.kill(proxy.pid, 'SIGUSR2')
  for (const end = performance.now() + 30_000; performance.now() < end; await pause(10)) {
    const text = proxy.stderr.slice(known)
    if (text.endsWith('\n')) return JSON.parse(text) as Probe
  }
  throw new Error(`the proxy does not answer the probe: ${proxy.stderr}`)
}
