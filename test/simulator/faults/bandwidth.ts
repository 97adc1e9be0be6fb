/**
 * `bandwidth-<bytes>`: limits the speed of the connection.
 *
 * Breaks: throughput. Bytes pass at this rate, in both directions.
 * Applies: to the bytes of a new connection, below TLS.
 * Parameters: `<bytes>`, bytes per second, 1 or more.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { FaultType, Transform } from '../fault.ts'

/** A steady flow instead of one burst a second. The number is arbitrary. */
const PIECES_PER_SECOND = 50

export const bandwidth: FaultType<'bytes'> = {
  meaning: 'At most this many bytes per second pass, in both directions.',
  pattern: /^bandwidth-(?<bytes>[1-9][0-9]*)$/,
  create: ({ bytes }) => ({ toClient: limitRate(bytes), toServer: limitRate(bytes) }),
}

function limitRate(bytesPerSecond: number): Transform {
  const size = Math.ceil(bytesPerSecond / PIECES_PER_SECOND)
  return async function* (chunks, { closed }) {
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.length; at += size) {
        const piece = chunk.subarray(at, at + size)
        await sleep((piece.length / bytesPerSecond) * 1000, undefined, { signal: closed })
        yield piece
      }
    }
  }
}
