/** The probe as a separate process, configured by its environment and observed through its log and its page. */
import { type SpawnedProxy, spawnProxy } from './proxy-process.ts'

export interface ProbeProcess extends SpawnedProxy {
  /** The port of its page. */
  readonly metricsPort: number
  /** The text of /metrics. */
  metrics(): Promise<string>
}

/** Starts the probe, with its page on a free port of the loopback interface. Resolves once the page is served. */
export async function startProbe(env: Readonly<Record<string, string>>): Promise<ProbeProcess> {
  const probe = spawnProxy({ PROBE_METRICS: 'http://127.0.0.1:0', ...env }, { args: ['probe'] })
  const { port } = await probe.line(({ msg, listener }) => msg === 'listening' && listener === 'metrics')
  const metricsPort = Number(port)
  const metrics = async () => (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
  // not a spread, which would freeze `stderr` at its current value
  return Object.assign(probe, { metricsPort, metrics })
}
