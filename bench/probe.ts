/** Figures from inside the proxy's process. */

import type { ProxyOptions, ProxyProcess } from '../test/support/processes/proxy-process.ts'
import { until } from '../test/support/waiting/until.ts'

/** The options of a proxy that can be probed. */
export const PROBED: ProxyOptions = { nodeOptions: ['--import', new URL('probe-preload.ts', import.meta.url).href] }

/** The longest turn of the event loop since the previous probe, in milliseconds. */
export interface Turn {
  /** Wall-clock time. On a busy machine it includes the time of other processes. */
  readonly wallMs: number
  /** CPU time of the proxy. */
  readonly cpuMs: number
}

interface Probe {
  readonly turn: Turn
  /** Referenced bytes after a garbage collection. */
  readonly retained: number
}

/** Probes a proxy that was started with `PROBED`. Rejects when it does not answer within 30 s. */
export async function probe(proxy: ProxyProcess): Promise<Probe> {
  const known = proxy.stderr.length
  process.kill(proxy.pid, 'SIGUSR2')
  const answer = () => {
    const text = proxy.stderr.slice(known)
    return text.endsWith('\n') && (JSON.parse(text) as Probe)
  }
  return await until(() => `the proxy answers the probe: ${proxy.stderr}`, answer, { limitMs: 30_000, everyMs: 10 })
}
