/**
 * `slices-<bytes>`: splits the byte stream into small segments.
 *
 * Breaks: parsers that expect a whole line or a whole reply in one read. No byte is lost or delayed.
 * Applies: to the bytes of a new connection, below TLS.
 * Parameters: `<bytes>`, the largest segment in bytes, 1 or more.
 */
import { setImmediate as turn } from 'node:timers/promises'
import type { FaultType, Transform } from '../fault.ts'

export const slices: FaultType<'bytes'> = {
  meaning: 'Bytes arrive in segments of at most this many bytes, in both directions.',
  pattern: /^slices-(?<bytes>[1-9][0-9]*)$/,
  create: ({ bytes }) => ({ toClient: slice(bytes), toServer: slice(bytes) }),
}

function slice(size: number): Transform {
  return async function* (chunks) {
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.length; at += size) {
        yield chunk.subarray(at, at + size)
        // Lets the reader run. Otherwise the kernel delivers all segments at once.
        await turn()
      }
    }
  }
}
