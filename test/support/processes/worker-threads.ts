/** What a test lets happen in the threads that relay (PROXY_WORKERS), at the moment that it chooses. */
import { writeFileSync } from 'node:fs'
import { writeTemporaryFiles } from '../tls/certificates.ts'
import type { ProxyOptions } from './proxy-process.ts'

export interface InThreads {
  /** To start the proxy with. */
  readonly options: ProxyOptions
  /** From now on `triggered()` is true in the threads. */
  trigger(): void
  remove(): void
}

/** Runs `program` (JavaScript) in each thread before the proxy's own code there; it may ask whether it is `triggered()`. */
export function inThreads(program: string): InThreads {
  const files = writeTemporaryFiles({ 'program.mjs': '' })
  const main = files.paths['program.mjs']
  const mark = `${main}.triggered`
  const source = `
    import { existsSync } from 'node:fs'
    import { isMainThread } from 'node:worker_threads'
    const triggered = () => existsSync(${JSON.stringify(mark)})
    if (!isMainThread) { ${program} }`
  writeFileSync(main, source)
  return {
    options: { nodeOptions: ['--import', main] },
    trigger: () => writeFileSync(mark, ''),
    remove: () => files.remove(),
  }
}
