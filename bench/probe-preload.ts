/**
 * Preloaded into a proxy that a benchmark measures. On SIGUSR2 it writes a line of JSON to standard error (see
 * probe.ts), and starts a new measurement.
 */
import { isMainThread } from 'node:worker_threads'
import { retainedBytes } from '../test/support/in-process/retained-bytes.ts'

/** A turn can be longer than measured by this time. */
const RESOLUTION_MS = 5

/** The longest time between two calls of a timer, in milliseconds: wall-clock time, and CPU time of this thread. */
class Turns {
  #at = performance.now()
  #cpu = cpuMsOfThread()
  wallMs = 0
  cpuMs = 0

  look(): void {
    const [at, cpu] = [performance.now(), cpuMsOfThread()]
    this.wallMs = Math.max(this.wallMs, at - this.#at - RESOLUTION_MS)
    this.cpuMs = Math.max(this.cpuMs, cpu - this.#cpu)
    this.#at = at
    this.#cpu = cpu
  }
}

function cpuMsOfThread(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

if (isMainThread) {
  let turns = new Turns()
  setInterval(() => turns.look(), RESOLUTION_MS).unref()
  process.on('SIGUSR2', async () => {
    const { wallMs, cpuMs } = turns
    const retained = await retainedBytes()
    process.stderr.write(`${JSON.stringify({ turn: { wallMs, cpuMs }, retained })}\n`)
    turns = new Turns()
  })
}
