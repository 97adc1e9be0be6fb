/** Messages as fast as possible: what W1, W2, W2p and W3 have in common. */
import type { ClosedOrder, Report } from '../load/orders.ts'
import { type Measured, type Target, withCpu } from './workload.ts'

/** Most messages of one measurement. */
const MAX_MESSAGES = 1_000_000

type Shape = Omit<ClosedOrder, 'kind' | 'place' | 'messages'>

/** Sends for about as long as the target asks. The first time, `first` messages find out how many these are. */
export async function sendAsFastAsPossible(target: Target, id: string, shape: Shape, first: number): Promise<Measured> {
  if (!target.paces.has(id)) await sendCount(target, id, shape, first)
  const count = Math.max(shape.connections, Math.round(target.paces.get(id)! * target.seconds))
  return withCpu(target, () => sendCount(target, id, shape, Math.min(count, MAX_MESSAGES)))
}

/** Sends this number of messages, and notes how fast they were. */
async function sendCount(target: Target, id: string, shape: Shape, messages: number): Promise<Report> {
  const report = await target.send({ ...shape, kind: 'closed', place: target.place, messages })
  target.paces.set(id, report.messages / report.seconds)
  return report
}
