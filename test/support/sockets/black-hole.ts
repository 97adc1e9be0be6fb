import { once } from 'node:events'
import net from 'node:net'
import { Worker } from 'node:worker_threads'

/** Octets of flags shared with the worker: 0 while it is to sleep. */
const FLAG_BYTES = 4

/** How long a connection attempt must stay unanswered until the queue counts as full, in milliseconds. */
const UNANSWERED_MS = 100

/** Listens, and then sleeps in front of its queue: the kernel fills it, and drops what comes then. */
const SLEEPER = `
const { createServer } = require('node:net')
const { workerData, parentPort } = require('node:worker_threads')
const { host, flag } = workerData
const server = createServer().listen({ host, port: 0, backlog: 1 }, () => {
  parentPort.postMessage(server.address().port)
  Atomics.wait(flag, 0, 0)
  process.exit()
})`

/** A port that takes no connection and refuses none, as behind a firewall that drops: its queue is full. */
export interface BlackHole {
  readonly port: number
  [Symbol.asyncDispose](): Promise<void>
}

/** Opens one at `host`, which must be an address of the loopback interface. */
export async function openBlackHole(host: string): Promise<BlackHole> {
  const flag = new Int32Array(new SharedArrayBuffer(FLAG_BYTES))
  const worker = new Worker(SLEEPER, { eval: true, workerData: { host, flag } })
  const [port] = (await once(worker, 'message')) as [number]
  const fillers: net.Socket[] = []
  do fillers.push(net.connect({ host, port }).on('error', () => {}))
  while (await connects(fillers.at(-1)!))
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      for (const filler of fillers) filler.destroy()
      Atomics.store(flag, 0, 1)
      Atomics.notify(flag, 0)
      await once(worker, 'exit')
    },
  }
}

function connects(socket: net.Socket): Promise<boolean> {
  return new Promise((answered) => {
    // behind a stall of this process the timer comes before an answer that is there: it is heard first
    const timer = setTimeout(() => setImmediate(() => answered(false)), UNANSWERED_MS)
    socket.once('connect', () => {
      clearTimeout(timer)
      answered(true)
    })
  })
}
