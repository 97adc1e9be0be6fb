/** Collects the garbage of a Node program before its memory is measured. */
import type { Started } from './process.ts'

/** Node options of a program whose garbage can be collected. */
export const COLLECTABLE: readonly string[] = ['--import', new URL('garbage-preload.ts', import.meta.url).href]

/** How long a collection may take. With 10,000 idle sessions it takes about a second. */
const LIMIT_MS = 20_000

/** Collects the garbage of a program that was started with COLLECTABLE. Rejects when it does not answer within 20 s. */
export async function collectGarbage({ pid, child, failure }: Started): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let output = ''
  const read = (text: string | Buffer) => {
    output += text
    if (output.includes('collected garbage\n')) resolve()
  }
  process.kill(pid, 'SIGUSR2')
  const timer = setTimeout(() => reject(new Error(failure() ?? `process ${pid} collected no garbage`)), LIMIT_MS)
  child.stderr?.on('data', read)
  await promise.finally(() => {
    clearTimeout(timer)
    child.stderr?.off('data', read)
  })
}
