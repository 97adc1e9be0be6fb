/**
 * The floor for Node: copies bytes between a client and the upstream, and knows nothing about SMTP. Prints its port as a line
 * of JSON.
 *
 *   node bench/compare/contenders/programs/pipe-main.ts UPSTREAM_PORT
 */
import net from 'node:net'
import { copy, serve } from './copy.ts'

const upstreamPort = Number(process.argv[2])

serve((client) => {
  const upstream = net.connect({ port: upstreamPort, host: '127.0.0.1', noDelay: true })
  copy(client, upstream)
  copy(upstream, client)
})
