/** Runs code of a test in the worker threads of the proxy (PROXY_WORKERS), at a moment that the test chooses. */
import { writeFileSync } from 'node:fs'
import { writeTemporaryFiles } from '../files/temporary-files.ts'
import type { ProxyOptions } from './proxy-process.ts'

export interface InThreads {
  /** The options to start the proxy with. */
  readonly options: ProxyOptions
  /** Makes `triggered()` true in the threads. */
  trigger(): void
  remove(): void
}

/** Runs `program` (JavaScript) in each worker thread before the proxy's code. The program can call `triggered()`. */
export function inThreads(program: string): InThreads {
  const files = writeTemporaryFiles({ 'program.mjs': '' })
  const main = files.paths['program.mjs']
  const trigger = `${main}.triggered`
  const source = `
    import { existsSync } from 'node:fs'
    import { isMainThread } from 'node:worker_threads'
    const triggered = () => existsSync(${JSON.stringify(trigger)})
    if (!isMainThread) { ${program} }`
  writeFileSync(main, source)
  return {
    options: { nodeOptions: ['--import', main] },
    trigger: () => writeFileSync(trigger, ''),
    remove: () => files.remove(),
  }
}
