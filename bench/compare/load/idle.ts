/** Sessions that do nothing after EHLO. */
import { Connection } from './connection.ts'
import type { IdleOrder, Report } from './orders.ts'

/** How many sessions are opened at a time: fewer than the backlog of the programs that are compared. */
const AT_A_TIME = 50

let held: Connection[] = []

/** Closes the idle sessions of the last order, and opens new ones. */
export async function holdIdle({ place, sessions }: IdleOrder): Promise<Report> {
  for (const connection of held) connection.destroy()
  held = []
  const began = performance.now()
  while (held.length < sessions) {
    const count = Math.min(AT_A_TIME, sessions - held.length)
    held.push(...(await Promise.all(Array.from({ length: count }, () => Connection.open(place)))))
  }
  return { messages: 0, seconds: (performance.now() - began) / 1000, latencies: [], lateness: [] }
}
