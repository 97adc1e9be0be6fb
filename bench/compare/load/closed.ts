/** The closed loop: messages as fast as possible. */
import { Connection } from './connection.ts'
import { type Message, messageOf } from './message.ts'
import type { ClosedOrder, Report } from './orders.ts'

/** Performs the order. All connections take their messages from one count. After a failure, they send no further messages. */
export async function sendAll({ place, bytes, connections, messages, style }: ClosedOrder): Promise<Report> {
  let left = messages
  const take = () => {
    left -= 1
    return left >= 0
  }
  const work: Work = { open: () => Connection.open(place), message: messageOf(bytes), take }
  const began = performance.now()
  const one = () =>
    STYLES[style](work).catch((error) => {
      left = 0
      throw error
    })
  const ends = await Promise.allSettled(Array.from({ length: Math.min(connections, messages) }, one))
  for (const end of ends) if (end.status === 'rejected') throw end.reason
  return { messages, seconds: (performance.now() - began) / 1000, latencies: [], lateness: [] }
}

interface Work {
  readonly open: () => Promise<Connection>
  readonly message: Message
  /** True if one more message is to be sent. */
  readonly take: () => boolean
}

const STYLES: Readonly<Record<ClosedOrder['style'], (work: Work) => Promise<void>>> = { each, keep, pipeline }

async function each({ open, message, take }: Work): Promise<void> {
  while (take()) {
    const connection = await open()
    await sendMessage(connection, message)
    await connection.quit()
  }
}

async function keep({ open, message, take }: Work): Promise<void> {
  const connection = await open()
  while (take()) await sendMessage(connection, message)
  await connection.quit()
}

/** One write and one wait for each message: its body together with MAIL, RCPT and DATA of the next one. */
async function pipeline({ open, message, take }: Work): Promise<void> {
  const connection = await open()
  if (take()) {
    await connection.ask(message.pipelined, 3)
    while (take()) await connection.ask(message.bodyAndNext, 4)
    await connection.ask(message.body)
  }
  await connection.quit()
}

/** Sends one message, one command at a time. */
export async function sendMessage(connection: Connection, message: Message): Promise<void> {
  for (const command of message.commands) await connection.ask(command)
  await connection.ask(message.body)
}
