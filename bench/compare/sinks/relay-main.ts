/**
 * A network path with a round-trip time: relays connections of its port to another one and delays every byte by half of the
 * round trip. Connection setup takes as long as on a real path: the client's first bytes and the server's accept take place
 * after one and a half round trips, so a greeting arrives after two. Prints its port as a line of JSON.
 *
 *   node bench/compare/sinks/relay-main.ts PORT ROUND_TRIP_MS
 */
import net from 'node:net'

const [target, roundTripMs] = process.argv.slice(2).map(Number) as [number, number]

/** Timers with the same delay run in the order of their start, so bytes stay in order. */
function later(roundTrips: number, act: () => void): void {
  if (roundTripMs === 0) act()
  else setTimeout(act, roundTrips * roundTripMs)
}

function carry(from: net.Socket, to: net.Socket): void {
  from.on('data', (chunk: Buffer) => later(0.5, () => void (to.writable && to.write(chunk))))
  from.on('end', () => later(0.5, () => void to.end()))
  from.on('error', () => later(0.5, () => void to.destroy()))
}

const options = { noDelay: true, allowHalfOpen: true }
const server = net.createServer({ ...options, pauseOnConnect: true }, (client) => {
  const upstream = new net.Socket({ allowHalfOpen: true }).setNoDelay()
  later(1, () => {
    later(0.5, () => void upstream.connect(target, '127.0.0.1'))
    carry(upstream, client)
    carry(client, upstream)
    client.resume()
  })
})
server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 })
server.on('listening', () => console.log(JSON.stringify({ port: (server.address() as net.AddressInfo).port })))
