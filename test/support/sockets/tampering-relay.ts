/**
 * A relay between one client and the proxy that changes the client's bytes as networks and attackers can: it splits
 * them, ends the connection in the middle, and inserts other bytes.
 */
import { once } from 'node:events'
import * as net from 'node:net'

/** What the relay does with the client's bytes. */
export type Tampering =
  | { readonly kind: 'none' }
  /** Sends each byte as its own segment. */
  | { readonly kind: 'trickle' }
  /** Ends the connection to the proxy after this number of further bytes. */
  | { readonly kind: 'cut'; readonly after: number; readonly how: 'fin' | 'reset' }
  /** Sends these bytes before the next bytes, in the same segment. */
  | { readonly kind: 'in-front'; readonly bytes: Buffer }
  /** Sends these bytes before the client's FIN. */
  | { readonly kind: 'at-end'; readonly bytes: Buffer }

/** A relay for one connection. */
export class TamperingRelay {
  readonly #server: net.Server
  #client: net.Socket | undefined
  #proxy: net.Socket | undefined
  #tampering: Tampering = { kind: 'none' }
  #passed = 0
  #last: Promise<void> = Promise.resolve()

  private constructor(server: net.Server) {
    this.#server = server
  }

  /** Listens on a free port for one client of the proxy on `proxyPort`. */
  static async open(proxyPort: number): Promise<TamperingRelay> {
    const server = net.createServer({ allowHalfOpen: true, noDelay: true })
    const relay = new TamperingRelay(server)
    server.once('connection', (client) => relay.#connect(client, proxyPort))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return relay
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port
  }

  /** The number of bytes sent to the proxy since the last call of `tamper`. */
  get passed(): number {
    return this.#passed
  }

  tamper(tampering: Tampering): void {
    this.#passed = 0
    this.#tampering = tampering
    if (tampering.kind === 'cut' && tampering.after === 0) this.#leave(tampering.how)
  }

  async close(): Promise<void> {
    this.#client?.destroy()
    this.#proxy?.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #connect(client: net.Socket, proxyPort: number): void {
    const proxy = net.connect({ host: '127.0.0.1', port: proxyPort, allowHalfOpen: true, noDelay: true })
    this.#client = client
    this.#proxy = proxy
    client.on('data', (chunk) => this.#inOrder(() => this.#up(chunk)))
    client.on('end', () => this.#inOrder(async () => this.#end()))
    client.on('error', () => proxy.destroy())
    proxy.on('error', () => client.destroy())
    proxy.pipe(client)
  }

  #inOrder(step: () => Promise<void>): void {
    this.#last = this.#last.then(step)
  }

  async #up(chunk: Buffer): Promise<void> {
    const tampering = this.#tampering
    if (tampering.kind === 'trickle') return await this.#trickle(chunk)
    if (tampering.kind === 'in-front') {
      this.#tampering = { kind: 'none' }
      return await this.#write(Buffer.concat([tampering.bytes, chunk]))
    }
    const room = tampering.kind === 'cut' ? tampering.after - this.#passed : chunk.length
    await this.#write(chunk.subarray(0, room))
    if (tampering.kind === 'cut' && this.#passed === tampering.after) this.#leave(tampering.how)
  }

  async #trickle(chunk: Buffer): Promise<void> {
    for (const byte of chunk) await this.#write(Buffer.of(byte))
  }

  async #write(bytes: Buffer): Promise<void> {
    if (bytes.length === 0 || !this.#proxy?.writable) return
    this.#passed += bytes.length
    await new Promise<void>((written) => this.#proxy?.write(bytes, () => written()))
  }

  #end(): void {
    if (this.#tampering.kind === 'at-end') this.#proxy?.write(this.#tampering.bytes)
    this.#proxy?.end()
  }

  #leave(how: 'fin' | 'reset'): void {
    if (how === 'reset') this.#proxy?.resetAndDestroy()
    else this.#proxy?.end()
  }
}
