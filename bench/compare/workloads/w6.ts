/**
 * W6: one connection per message over a path with a round-trip time. The relay is between the contender and the upstream,
 * because apps are near their proxy and the upstream is far away. The time of a message includes its connection.
 */
import { type Variant, type Workload, withCpu } from './workload.ts'

/** Messages per second. From five sessions in ten seconds on, our proxy connects before it needs the connection. */
const RATE = 8
/** Seconds of messages before the measured ones: until then, the rate of sessions is not known. */
const LEAD = 1

const VARIANTS: readonly Variant[] = [
  { name: '0 ms', roundTripMs: 0, short: false },
  { name: '40 ms', roundTripMs: 40, short: true },
  { name: '150 ms', roundTripMs: 150, short: false },
]

export const w6: Workload = {
  id: 'W6',
  title: 'one connection per message at a round-trip time',
  variants: VARIANTS,
  minSeconds: [4, 1.5],
  extraSeconds: LEAD,
  measure: async (target) => {
    const { perform, place, seconds } = target
    const order = { kind: 'open', place, bytes: 2048, rate: RATE, seconds, leadSeconds: LEAD, connections: 0 } as const
    return { ...(await withCpu(target, () => perform(order))), rate: RATE }
  },
}
