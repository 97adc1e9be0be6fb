/** What a test lets happen in the threads that relay (PROXY_WORKERS), at the moment that it chooses. */
import { writeFileSync } from 'node:fs'
import { writeTemporaryFiles } from './certificates.ts'
import type { ProxyOptions } from './proxy-process.ts'

export interface InThreads {
  /** To start the proxy with. */
  readonly options: ProxyOptions
  /** From now on `signed()` is true in the threads. */
  sign(): void
  remove(): void
}

/** Runs `program` (JavaScript) in each thread before the proxy's own code there; it may ask whether it is `signed()`. */
export function inThreads(program: string): InThreads {
  const files = writeTemporaryFiles({ 'program.mjs': '' })
  const main = files.paths['program.mjs']
  const signature = `${main}.signed`
  const source = `
    import { existsSync } from 'node:fs'
    import { isMainThread } from 'node:worker_threads'
    const signed = () => existsSync(${JSON.stringify(signature)})
    if (!isMainThread) { ${program} }`
  writeFileSync(main, source)
  return {
    options: { nodeOptions: ['--import', main] },
    sign: () => writeFileSync(signature, ''),
    remove: () => files.remove(),
  }
}
