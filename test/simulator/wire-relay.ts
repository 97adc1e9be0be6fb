/**
 * Faults below SMTP and TLS, after the model of toxiproxy: connections with such a fault go through a relay that harms
 * bytes on their way; all others are handed over as they are. One function a fault. The ledger is kept above: it counts
 * a reply as sent whose bytes are lost here.
 */
import { connect, type Server, type Socket } from 'node:net'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import type { WireFault } from './faults.ts'

/** The connection that is being harmed. */
interface Link {
  readonly client: Socket
  /** Aborted when the connection is gone. */
  readonly gone: AbortSignal
  readonly random: () => number
}

type Bytes = AsyncIterable<Buffer>

/** Harms a stream of bytes: reads chunks, yields what shall travel on. Returning closes (FIN) behind it. */
type Harm = (bytes: Bytes, link: Link) => Bytes

/** Joins a client with the server at a port of this machine's loopback, with faults between. */
export function relay(client: Socket, port: number, faults: readonly WireFault[], random: () => number): Socket {
  const server = connect({ host: '127.0.0.1', port, allowHalfOpen: true, noDelay: true })
  const controller = new AbortController()
  const link = { client, gone: controller.signal, random }
  client.setNoDelay(true)
  client.on('close', () => controller.abort())
  // a write that fails is told to `carry`, which ends both
  for (const socket of [client, server]) socket.on('error', () => {})
  const down = faults.map((fault) => harmOf(fault, true))
  const up = faults.map((fault) => harmOf(fault, false))
  void carry(server, client, (bytes) => down.reduce((sum, harm) => harm(sum, link), bytes))
  void carry(client, server, (bytes) => up.reduce((sum, harm) => harm(sum, link), bytes))
  return server
}

/** The port of a listening server. */
export function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not listening on a port')
  return address.port
}

async function carry(from: Socket, to: Socket, harm: (bytes: Bytes) => Bytes): Promise<void> {
  try {
    for await (const chunk of harm(from.iterator({ destroyOnReturn: false }))) await write(to, chunk)
    to.end()
  } catch {
    // A reset on one side is a reset on the other; after that every sleep and read ends here too.
    from.destroy()
    to.resetAndDestroy()
  }
}

function write(to: Socket, chunk: Buffer): Promise<void> {
  return new Promise((resolve, reject) => to.write(chunk, (error) => (error ? reject(error) : resolve())))
}

function harmOf(fault: WireFault, towardsClient: boolean): Harm {
  switch (fault.kind) {
    case 'latency':
      return latency(fault.fromMs, fault.toMs)
    case 'bandwidth':
      return bandwidth(fault.bytes)
    case 'slices':
      return slices(fault.bytes)
    case 'wire-reset':
      return towardsClient ? reset(fault.bytes) : untouched
    case 'wire-silence':
      return towardsClient ? silence(fault.bytes) : untouched
    case 'wire-cut':
      return towardsClient ? first(fault.bytes) : untouched
  }
}

const untouched: Harm = (bytes) => bytes

function latency(fromMs: number, toMs: number): Harm {
  return async function* (bytes, { gone, random }) {
    for await (const chunk of bytes) {
      await sleep(fromMs + random() * (toMs - fromMs), undefined, { signal: gone })
      yield chunk
    }
  }
}

function bandwidth(bytesPerSecond: number): Harm {
  return async function* (bytes, { gone }) {
    for await (const chunk of bytes) {
      // Fifty pieces a second, so that the flow is slow rather than jerky.
      const piece = Math.max(1, Math.ceil(bytesPerSecond / 50))
      for (let at = 0; at < chunk.length; at += piece) {
        const part = chunk.subarray(at, at + piece)
        await sleep((part.length / bytesPerSecond) * 1000, undefined, { signal: gone })
        yield part
      }
    }
  }
}

function slices(size: number): Harm {
  return async function* (bytes) {
    for await (const chunk of bytes) {
      for (let at = 0; at < chunk.length; at += size) {
        yield chunk.subarray(at, at + size)
        // Gives the reader a turn, or the kernel hands it all pieces at once.
        await turn()
      }
    }
  }
}

function reset(limit: number): Harm {
  return async function* (bytes, link) {
    yield* first(limit)(bytes, link)
    link.client.resetAndDestroy()
    throw new Error('reset')
  }
}

function silence(limit: number): Harm {
  return async function* (bytes, link) {
    yield* first(limit)(bytes, link)
    await new Promise((resolve) => link.gone.addEventListener('abort', resolve))
  }
}

/** Lets so many bytes through and no more. */
function first(limit: number): Harm {
  return async function* (bytes) {
    let left = limit
    if (left === 0) return
    for await (const chunk of bytes) {
      yield chunk.subarray(0, left)
      left -= Math.min(left, chunk.length)
      if (left === 0) return
    }
  }
}
