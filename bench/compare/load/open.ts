/** The open loop: messages at times that do not depend on replies, so a slow server cannot slow down its own measurement. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { seededRandom } from '../../../test/simulator/random.ts'
import { sendMessage } from './closed.ts'
import { Connection } from './connection.ts'
import { type Message, messageOf } from './message.ts'
import type { OpenOrder, Report } from './orders.ts'

/** The time before the first message, while the thread that keeps the time starts. */
const SETTLE_MS = 100

/** Where messages go: on a connection of their own, or on one that is free. */
interface Way {
  send(message: Message): Promise<void>
  close(): Promise<void>
}

export async function sendAtRate(order: OpenOrder): Promise<Report> {
  const way = await wayOf(order)
  const message = messageOf(order.bytes)
  const began = performance.now() + SETTLE_MS
  const counted = began + order.leadSeconds * 1000
  const times = arrivals(order.rate, order.leadSeconds + order.seconds, began)
  const [latencies, lateness]: [number[], number[]] = [[], []]
  const sending: Promise<void>[] = []
  let failure: unknown
  await atTimes(times, (due) => {
    if (due >= counted) lateness.push(performance.now() - due)
    const sent = () => void (due >= counted && latencies.push(performance.now() - due))
    const failed = (error: unknown) => {
      failure ??= error
    }
    sending.push(way.send(message).then(sent, failed))
  })
  await Promise.all(sending)
  const seconds = (performance.now() - began) / 1000
  await way.close()
  if (failure !== undefined) throw failure
  return { messages: times.length, seconds, latencies, lateness }
}

function wayOf({ place, connections }: OpenOrder): Way | Promise<Way> {
  const open = () => Connection.open(place)
  return connections === 0 ? separate(open) : pooled(open, connections)
}

/** Random times with exponential distances (a Poisson process). The same seed gives all contenders the same times. */
function arrivals(rate: number, seconds: number, first: number): number[] {
  const random = seededRandom(1)
  const times: number[] = []
  for (let time = first; time < first + seconds * 1000; ) {
    times.push(time)
    time -= (Math.log(1 - random()) * 1000) / rate
  }
  return times
}

/** Calls `act` at each time. Rejects when the thread that keeps the time fails. */
async function atTimes(times: readonly number[], act: (due: number) => void): Promise<void> {
  const ticker = new Worker(new URL('ticker.ts', import.meta.url), {
    workerData: { times, origin: performance.timeOrigin },
  })
  ticker.on('message', (index: number) => act(times[index]!))
  await once(ticker, 'exit')
}

function separate(open: () => Promise<Connection>): Way {
  const quits: Promise<void>[] = []
  return {
    send: async (message) => {
      const connection = await open()
      await sendMessage(connection, message)
      quits.push(connection.quit().catch(() => {})) // the message was accepted
    },
    close: async () => void (await Promise.all(quits)),
  }
}

/** Persistent connections. A message without a free one waits, and its time runs. */
async function pooled(open: () => Promise<Connection>, count: number): Promise<Way> {
  const all = await Promise.all(Array.from({ length: count }, open))
  const free = [...all]
  const waiting: ((connection: Connection) => void)[] = []
  const take = () => {
    const connection = free.pop()
    return connection === undefined ? new Promise<Connection>((resolve) => waiting.push(resolve)) : connection
  }
  const give = (connection: Connection) => {
    const next = waiting.shift()
    if (next === undefined) free.push(connection)
    else next(connection)
  }
  return {
    send: async (message) => {
      const connection = await take()
      await sendMessage(connection, message)
      give(connection)
    },
    close: async () => void (await Promise.all(all.map((connection) => connection.quit()))),
  }
}
