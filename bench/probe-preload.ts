/**
 * Preloaded into a proxy that a benchmark measures. On SIGUSR2 it writes a line of JSON to standard error (see probe.ts),
 * and begins to measure again.
 */
import { isMainThread } from 'node:worker_threads'
import { retainedBytes } from '../test/support/in-process/retained-bytes.ts'

/** A turn can be longer than measured by this. */
const RESOLUTION_MS = 5

/** The longest time between two calls of a timer: by the clock, and what this thread worked of it. In milliseconds. */
class Turns {
  #at = performance.now()
  #cpu = workedMs()
  wallMs = 0
  cpuMs = 0

  look(): void {
    const [at, cpu] = [performance.now(), workedMs()]
    this.wallMs = Math.max(this.wallMs, at - this.#at - RESOLUTION_MS)
    this.cpuMs = Math.max(this.cpuMs, cpu - this.#cpu)
    this.#at = at
    this.#cpu = cpu
  }
}

function workedMs(): number {
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
