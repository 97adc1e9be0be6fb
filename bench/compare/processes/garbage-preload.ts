/**
 * Preloaded into Node programs whose memory is measured. On SIGUSR2 it collects all garbage of the main thread, gives the
 * memory back to the kernel, and prints a line (see garbage.ts). Unlike retained-bytes.ts, it changes no option of V8 before that:
 * the process is measured.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** The last resort also shrinks the young generation, which otherwise stays as large as the last load made it. */
const EVERYTHING = { type: 'major', execution: 'sync', flavor: 'last-resort' } as const

process.on('SIGUSR2', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as (options: typeof EVERYTHING) => void
  // objects of the current turn of the event loop are not garbage yet, and finalizers of the first round make new garbage
  for (let round = 0; round < 3; round += 1) {
    await new Promise((turn) => setImmediate(turn))
    collect(EVERYTHING)
  }
  process.stderr.write('collected garbage\n')
})
