/** The load generator: a process of its own that performs one order at a time, received over IPC. */
import { sendAll } from './closed.ts'
import { holdIdle } from './idle.ts'
import { sendAtRate } from './open.ts'
import type { Answer, Order, Report } from './orders.ts'

function perform(order: Order): Promise<Report> {
  if (order.kind === 'closed') return sendAll(order)
  return order.kind === 'open' ? sendAtRate(order) : holdIdle(order)
}

async function answer(order: Order): Promise<Answer> {
  try {
    return { report: await perform(order) }
  } catch (error) {
    return { error: (error as Error).message }
  }
}

process.on('message', async (order: Order) => process.send?.(await answer(order)))
process.on('disconnect', () => process.exit())
