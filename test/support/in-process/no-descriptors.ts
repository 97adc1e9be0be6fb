import fs from 'node:fs'
import type { TestContext } from 'node:test'

/** Makes this process look as if it had no descriptor left (EMFILE), until the test ends. Other files still open. */
export function withoutDescriptors({ mock }: TestContext): void {
  const { openSync } = fs
  mock.method(fs, 'openSync', (path: string, flags?: fs.OpenMode, mode?: fs.Mode) => {
    // the file with which the proxy tries whether it gets a descriptor
    if (path === '/dev/null') throw Object.assign(new Error('EMFILE'), { code: 'EMFILE' })
    return openSync(path, flags ?? 'r', mode)
  })
}
