import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Octets of this process' buffers that somebody still holds on to: garbage is collected first. */
export async function retainedOctets(): Promise<number> {
  // what a turn of the event loop still uses is not garbage yet; and what one collection finds, the next one counts
  for (let round = 0; round < 2; round += 1) {
    await new Promise((turn) => setImmediate(turn))
    collect()
  }
  return process.memoryUsage().arrayBuffers
}
