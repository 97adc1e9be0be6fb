/**
 * W5: latency of messages of 2 KB on persistent connections, in an open loop: messages are due at random times with a fixed
 * mean rate, and the time of a message begins when it is due. So the time in queues counts, also the one before the proxy. All
 * contenders get the same messages at the same times.
 */
import { type Variant, type Workload, withCpu } from './workload.ts'

const CONNECTIONS = 50

const VARIANTS: readonly Variant[] = [
  { name: '10% load', load: 0.1, short: false },
  { name: '30% load', load: 0.3, short: true },
  { name: '60% load', load: 0.6, short: false },
]

export const w5: Workload = {
  id: 'W5',
  title: 'latency of single 2 KB messages, open loop',
  variants: VARIANTS,
  measure: async (target, { load = 0 }) => {
    const { perform, place, seconds } = target
    const rate = Math.max(10, Math.round((await target.capacity()) * load))
    const order = {
      kind: 'open',
      place,
      bytes: 2048,
      rate,
      seconds,
      leadSeconds: 0.2,
      connections: CONNECTIONS,
    } as const
    return { ...(await withCpu(target, () => perform(order))), rate }
  },
}
