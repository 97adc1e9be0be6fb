/** No proxy: the load generator connects to the upstream itself. */
import type { Contender } from './contender.ts'

export const direct: Contender = {
  id: 'direct',
  title: 'direct',
  role: 'direct',
  missing: () => undefined,
  start: async ({ upstream }) => ({ port: upstream.port, program: undefined }),
}
