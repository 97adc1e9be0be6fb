/** Parts of the small Node proxies that the product is compared with. */
import net, { type AddressInfo } from 'node:net'

/** Copies bytes as they arrive. Stops reading while the other side takes no more. `see` gets a look at each chunk first. */
export function copy(from: net.Socket, to: net.Socket, see?: (chunk: Buffer) => void): void {
  from.on('data', (chunk: Buffer) => {
    see?.(chunk)
    if (!to.write(chunk)) from.pause()
  })
  to.on('drain', () => from.resume())
  from.on('end', () => to.end())
  from.on('error', () => to.destroy())
  from.on('close', () => to.destroySoon())
}

/** Listens on a free port and prints it as a line of JSON. */
export function serve(accepted: (client: net.Socket) => void): void {
  const server = net.createServer({ noDelay: true }, accepted)
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 })
  server.on('listening', () => console.log(JSON.stringify({ port: (server.address() as AddressInfo).port })))
}
