/** The bare Node pipe. */
import { fileURLToPath } from 'node:url'
import { startNode } from '../processes/node-program.ts'
import type { Contender } from './contender.ts'

export const pipe: Contender = {
  id: 'pipe',
  title: 'bare Node pipe',
  role: 'peer',
  cannot: { tls: 'a bare pipe adds no TLS; the observing prototype takes its place' },
  missing: () => undefined,
  start: async ({ upstream, nodeOptions }) => {
    const main = fileURLToPath(new URL('programs/pipe-main.ts', import.meta.url))
    const { program, ready } = await startNode<{ port: number }>(main, [`${upstream.port}`], nodeOptions)
    return { port: ready.port, program, isNode: true }
  },
}
