/**
 * The upstream with TLS: one port with STARTTLS, and one with TLS from the first byte for programs that cannot speak
 * STARTTLS. Accepts every message and stores nothing. Resumes TLS sessions. Prints both ports as a line of JSON.
 *
 *   node bench/compare/sinks/tls-sink-main.ts CERTIFICATE KEY
 */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import tls from 'node:tls'
import { SinkSession } from './session.ts'

const GREETING = '220 sink.example ESMTP\r\n'

const [certificate = '', key = ''] = process.argv.slice(2)
const identity = { cert: readFileSync(certificate), key: readFileSync(key) }

function serve(socket: net.Socket, startTls?: () => void): void {
  socket.setNoDelay().on('error', () => socket.destroy())
  const events = {
    reply: (text: string) => void socket.write(text),
    quit: () => void socket.end(),
    startTls: () => {
      socket.removeAllListeners('data')
      startTls?.()
    },
  }
  const session = new SinkSession(events, startTls !== undefined)
  socket.on('data', (chunk: Buffer) => session.push(chunk))
}

async function listen(server: net.Server): Promise<number> {
  // both address families, as `localhost` may have both
  server.listen({ port: 0, host: '::', backlog: 4096 })
  await once(server, 'listening').catch(() =>
    once(server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }), 'listening'),
  )
  return (server.address() as AddressInfo).port
}

const afterStartTls = tls.createServer(identity, (socket) => serve(socket))
const starttls = net.createServer((socket) => {
  serve(socket, () => afterStartTls.emit('connection', socket))
  socket.write(GREETING)
})
const implicit = tls.createServer(identity, (socket) => {
  serve(socket)
  socket.write(GREETING)
})
for (const server of [afterStartTls, implicit]) server.on('tlsClientError', (_, socket) => socket.destroy())
console.log(JSON.stringify({ starttls: await listen(starttls), implicit: await listen(implicit) }))
