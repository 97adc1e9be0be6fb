import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** The bytes of this process' buffers that are still referenced. Collects garbage first. */
export async function retainedBufferBytes(): Promise<number> {
  await collectAll()
  return process.memoryUsage().arrayBuffers
}

/** The bytes of the heap and of buffers that are still referenced. Only this count includes many small objects. */
export async function retainedBytes(): Promise<number> {
  await collectAll()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

/**
 * Objects of the current turn of the event loop are not garbage yet. A second collection frees what the first one
 * found.
 */
async function collectAll(): Promise<void> {
  for (let round = 0; round < 2; round += 1) {
    await new Promise((turn) => setImmediate(turn))
    collect()
  }
}
