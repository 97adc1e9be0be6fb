/**
 * `wire-silence-<bytes>`: stops sending in the middle of the byte stream.
 *
 * Breaks: the connection, like a network that drops packets: it stays open, and the client's bytes still arrive. The
 * ledger counts what the simulator has sent, even if the client does not receive it.
 * Applies: to the bytes of a new connection from simulator to client, below TLS.
 * Parameters: `<bytes>`, the number of bytes that the client receives first, 0 or more.
 */
import type { FaultType, Transform } from '../fault.ts'
import { firstBytes } from './wire-cut.ts'

export const wireSilence: FaultType<'bytes'> = {
  meaning: 'The client receives this many bytes and no more, and the connection stays open.',
  pattern: /^wire-silence-(?<bytes>[0-9]+)$/,
  create: ({ bytes }) => ({ toClient: silenceAfter(bytes) }),
}

function silenceAfter(limit: number): Transform {
  return async function* (chunks, link) {
    yield* firstBytes(limit)(chunks, link)
    await new Promise((resolve) => link.closed.addEventListener('abort', resolve))
  }
}
