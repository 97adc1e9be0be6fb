/**
 * `wire-cut-<bytes>`: closes the connection (FIN) in the middle of the byte stream.
 *
 * Breaks: the connection, at any byte: inside a reply, the TLS handshake or a TLS record. The ledger counts what the
 * simulator has sent, even if the client does not receive it.
 * Applies: to the bytes of a new connection from simulator to client, below TLS.
 * Parameters: `<bytes>`, the number of bytes that the client receives first, 0 or more.
 */
import type { FaultType, Transform } from '../fault.ts'

export const wireCut: FaultType<'bytes'> = {
  meaning: 'The connection closes (FIN) after this many bytes to the client.',
  pattern: /^wire-cut-(?<bytes>[0-9]+)$/,
  create: ({ bytes }) => ({ toClient: firstBytes(bytes) }),
}

/** Passes the first bytes on and drops all others. */
export function firstBytes(limit: number): Transform {
  return async function* (chunks) {
    let left = limit
    if (left === 0) return
    for await (const chunk of chunks) {
      yield chunk.subarray(0, left)
      left -= Math.min(left, chunk.length)
      if (left === 0) return
    }
  }
}
