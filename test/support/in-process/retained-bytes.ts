import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Octets of this process' buffers that somebody still holds on to: garbage is collected first. */
export async function retainedOctets(): Promise<number> {
  await collectAll()
  return process.memoryUsage().arrayBuffers
}

/** Bytes of the heap and of buffers that are still referenced: what many small objects cost shows here only. */
export async function retainedBytes(): Promise<number> {
  await collectAll()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

/** What a turn of the event loop still uses is not garbage yet; and what one collection finds, the next one counts. */
async function collectAll(): Promise<void> {
  for (let round = 0; round < 2; round += 1) {
    await new Promise((turn) => setImmediate(turn))
    collect()
  }
}
