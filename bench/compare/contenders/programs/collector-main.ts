/** An OTLP receiver that accepts everything and stores nothing. Prints its port as a line of JSON. */
import { createServer } from 'node:http'
import { listenOnLoopback } from '../../../../test/support/sockets/listen.ts'

const server = createServer((request, response) => {
  request.resume().on('end', () => response.end())
})
console.log(JSON.stringify({ port: await listenOnLoopback(server) }))
