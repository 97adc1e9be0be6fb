/**
 * The observing prototype: a bare Node pipe that counts commands, messages and replies. With an authority, its upstream
 * speaks STARTTLS, and TLS sessions are resumed. It is what the goals are ratios of: the least that a proxy in Node with this
 * task can cost. It has no limits, timeouts, failover or telemetry. Prints its port as a line of JSON.
 *
 *   node bench/compare/contenders/programs/prototype-main.ts UPSTREAM_PORT [CA_FILE]
 */
import { readFileSync } from 'node:fs'
import net from 'node:net'
import tls from 'node:tls'
import { ReplyCounter } from '../../load/replies.ts'
import { CommandCounter } from './command-counter.ts'
import { copy, serve } from './copy.ts'

const upstreamPort = Number(process.argv[2])
const caFile = process.argv[3]
const EHLO = 'EHLO proxy.example\r\n'

const totals = { commands: 0, messages: 0, replies: 0 }

function relay(client: net.Socket, upstream: net.Socket): void {
  const commands = new CommandCounter(totals)
  const replies = new ReplyCounter()
  copy(client, upstream, (chunk) => commands.push(chunk))
  copy(upstream, client, (chunk) => {
    totals.replies += replies.push(chunk)
  })
}

function connect(): net.Socket {
  return net.connect({ port: upstreamPort, host: '127.0.0.1', noDelay: true })
}

let session: Buffer | undefined

/** Greets the client with the upstream's greeting once TLS is up. */
function secured(client: net.Socket, context: tls.SecureContext): void {
  const tcp = connect()
  client.on('error', () => tcp.destroy()).on('close', () => tcp.destroySoon())
  tcp.on('error', () => client.destroy())
  let greeting: Buffer
  whenReplied(tcp, (bytes) => {
    greeting = bytes
    tcp.write(EHLO)
    whenReplied(tcp, () => {
      tcp.write('STARTTLS\r\n')
      whenReplied(tcp, () =>
        handshake(tcp, context, (upstream) => {
          client.write(greeting)
          relay(client, upstream)
        }),
      )
    })
  })
}

function handshake(tcp: net.Socket, context: tls.SecureContext, done: (upstream: tls.TLSSocket) => void): void {
  const upstream = tls.connect({
    socket: tcp,
    secureContext: context,
    servername: 'localhost',
    ...(session && { session }),
  })
  upstream.on('session', (ticket: Buffer) => {
    session = ticket
  })
  upstream.once('secureConnect', () => done(upstream))
  upstream.on('error', () => tcp.destroy())
}

/** Calls `done` with the bytes of the next reply. The upstream says nothing more until the next command. */
function whenReplied(socket: net.Socket, done: (bytes: Buffer) => void): void {
  const counter = new ReplyCounter()
  let bytes = Buffer.alloc(0)
  const read = (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk])
    if (counter.push(chunk) === 0) return
    socket.off('data', read)
    done(bytes)
  }
  socket.on('data', read)
}

if (caFile === undefined) serve((client) => relay(client, connect()))
else {
  const context = tls.createSecureContext({ ca: readFileSync(caFile) })
  serve((client) => secured(client, context))
}
