/**
 * `wire-reset-<bytes>`: resets the connection (RST) in the middle of the byte stream.
 *
 * Breaks: the connection, at any byte: inside a reply, the TLS handshake or a TLS record. The ledger counts what the
 * simulator has sent, even if the client does not receive it.
 * Applies: to the bytes of a new connection from simulator to client, below TLS.
 * Parameters: `<bytes>`, the number of bytes that the client receives first; 0 resets before the greeting.
 */
import type { FaultType, Transform } from '../fault.ts'
import { firstBytes } from './wire-cut.ts'

export const wireReset: FaultType<'bytes'> = {
  meaning: 'The connection resets (RST) after this many bytes to the client.',
  pattern: /^wire-reset-(?<bytes>[0-9]+)$/,
  create: ({ bytes }) => ({ toClient: resetAfter(bytes) }),
}

function resetAfter(limit: number): Transform {
  return async function* (chunks, link) {
    yield* firstBytes(limit)(chunks, link)
    link.client.resetAndDestroy()
    throw new Error('reset')
  }
}
