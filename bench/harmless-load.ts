/**
 * A mail client in its own process, controlled over IPC: it sends messages of 2 KB over persistent connections, one
 * command at a time, and reports the time of each message, from MAIL to its final reply.
 */
import { once } from 'node:events'
import net from 'node:net'

export interface Order {
  /** The proxies to send to in turn, so that other load of the machine affects them equally. */
  readonly ports: readonly number[]
  /** Messages to each proxy. */
  readonly mails: number
  /** Messages per second to each proxy; 0 = as fast as possible. */
  readonly rate: number
}

export interface Report {
  /** The milliseconds of each message, by proxy. */
  readonly latencies: readonly (readonly number[])[]
  readonly seconds: number
}

const CONNECTIONS = 50
const LINE = 'The quick brown fox jumps over the lazy dog, and nobody minds it.\r\n'
const BODY = `From: <a@example.com>\r\nTo: <b@example.net>\r\nSubject: load\r\n\r\n${LINE.repeat(30)}.\r\n`
const COMMANDS = ['MAIL FROM:<a@example.com>\r\n', 'RCPT TO:<b@example.net>\r\n', 'DATA\r\n', BODY]

type Ask = (command: string) => Promise<void>

const pools = new Map<number, Promise<Ask[]>>()

/** Connections to a proxy, which stay open between orders. */
function connectionsTo(port: number): Promise<Ask[]> {
  const pool = pools.get(port) ?? Promise.all(Array.from({ length: CONNECTIONS }, () => connect(port)))
  pools.set(port, pool)
  return pool
}

async function connect(port: number): Promise<Ask> {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true }).setEncoding('latin1')
  let answered: (reply: string) => void = () => {}
  let reply = ''
  socket.on('data', (text: string) => {
    reply += text
    if (!/^\d{3} .*\r\n$/m.test(reply)) return
    const whole = reply
    reply = ''
    answered(whole)
  })
  socket.on('close', () => answered('the connection is closed'))
  const next = () =>
    new Promise<void>((done, failed) => {
      answered = (text) => (/^[23]/.test(text) ? done() : failed(new Error(text)))
    })
  const greeting = next()
  await once(socket, 'connect')
  await greeting
  const ask = (command: string) => {
    const answer = next()
    socket.write(command)
    return answer
  }
  await ask('EHLO app.example\r\n')
  return ask
}

async function perform({ ports, mails, rate }: Order): Promise<Report> {
  const pools = await Promise.all(ports.map(connectionsTo))
  const began = performance.now()
  const latencies = await Promise.all(
    pools.map((pool, index) => sendAll(pool, mails, began + (rate && (index * 1000) / rate / ports.length), rate)),
  )
  return { latencies, seconds: (performance.now() - began) / 1000 }
}

/** The milliseconds of each message. The first is due at `began`. Without a rate, all are due immediately. */
async function sendAll(pool: readonly Ask[], mails: number, began: number, rate: number): Promise<number[]> {
  const latencies: number[] = []
  let taken = 0
  const work = async (ask: Ask) => {
    while (taken < mails) {
      const due = rate > 0 ? began + (taken * 1000) / rate : 0
      taken += 1
      const wait = due - performance.now()
      if (wait > 0) await new Promise((resume) => setTimeout(resume, wait))
      const start = performance.now()
      for (const command of COMMANDS) await ask(command)
      latencies.push(performance.now() - start)
    }
  }
  await Promise.all(pool.map(work))
  return latencies
}

process.on('message', async (order: Order) => process.send?.(await perform(order)))
process.on('disconnect', () => process.exit())
