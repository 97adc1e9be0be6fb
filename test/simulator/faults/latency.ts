/**
 * `latency-<ms>[-<ms>]`: delays all bytes.
 *
 * Breaks: the round-trip time. Each chunk waits, in both directions. Chunks keep their order.
 * Applies: to the bytes of a new connection, below TLS.
 * Parameters: `<ms>`, the delay in milliseconds, 0 or more; with a second number, a random delay between the two.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { FaultType, Transform } from '../fault.ts'

export const latency: FaultType<'ms' | 'maxMs'> = {
  meaning: 'Each chunk waits this many milliseconds (or a random time between two numbers), in both directions.',
  pattern: /^latency-(?<ms>[0-9]+)(?:-(?<maxMs>[0-9]+))?$/,
  create: ({ ms, maxMs = ms }) => ({ toClient: delay(ms, maxMs), toServer: delay(ms, maxMs) }),
}

function delay(minMs: number, maxMs: number): Transform {
  return async function* (chunks, { closed, random }) {
    for await (const chunk of chunks) {
      await sleep(minMs + random() * (maxMs - minMs), undefined, { signal: closed })
      yield chunk
    }
  }
}
