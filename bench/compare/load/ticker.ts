/**
 * Sends a message to its parent at each of these times. A thread of its own sleeps until then: timers of the event loop have
 * a resolution of one millisecond, which is longer than a message takes.
 */
import { parentPort, workerData } from 'node:worker_threads'

/** Times in milliseconds of the clock of `performance`, and the time origin that they refer to. */
const { times, origin } = workerData as { times: readonly number[]; origin: number }

const never = new Int32Array(new SharedArrayBuffer(4))
const shift = origin - performance.timeOrigin
for (const [index, time] of times.entries()) {
  const wait = time + shift - performance.now()
  if (wait > 0) Atomics.wait(never, 0, 0, wait)
  parentPort?.postMessage(index)
}
