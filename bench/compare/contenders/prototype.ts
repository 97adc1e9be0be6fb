/** The observing prototype: a bare Node pipe that counts replies, with STARTTLS and resumed TLS sessions. */
import { fileURLToPath } from 'node:url'
import { startNode } from '../processes/node-program.ts'
import type { Contender } from './contender.ts'

export const prototype: Contender = {
  id: 'prototype',
  title: 'observing prototype',
  role: 'peer',
  missing: () => undefined,
  start: async ({ upstream, nodeOptions }) => {
    const main = fileURLToPath(new URL('programs/prototype-main.ts', import.meta.url))
    const authority = upstream.security === 'tls' ? [upstream.caFile] : []
    const args = [`${upstream.port}`, ...authority]
    const { program, ready } = await startNode<{ port: number }>(main, args, nodeOptions)
    return { port: ready.port, program, isNode: true }
  },
}
