import { once } from 'node:events'
import net from 'node:net'
import { Worker } from 'node:worker_threads'

/** The size of the flag that is shared with the worker. The worker sleeps while the flag is 0. */
const FLAG_BYTES = 4

/** How long a connection attempt must stay unanswered until the queue counts as full, in milliseconds. */
const UNANSWERED_MS = 100

/** Listens and then sleeps. The kernel fills the accept queue, and drops further connection attempts. */
const SLEEPER = `
const { createServer } = require('node:net')
const { workerData, parentPort } = require('node:worker_threads')
const { host, flag } = workerData
const server = createServer().listen({ host, port: 0, backlog: 1 }, () => {
  parentPort.postMessage(server.address().port)
  Atomics.wait(flag, 0, 0)
  process.exit()
})`

/** A port that neither accepts nor refuses connections, like a port behind a firewall that drops packets. */
export interface BlackHole {
  readonly port: number
  [Symbol.asyncDispose](): Promise<void>
}

/** Opens such a port at `host`, an address of the loopback interface. */
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
    // after a stall of this process the timer fires before a `connect` event that is already due: handle that event
    // first
    const timer = setTimeout(() => setImmediate(() => answered(false)), UNANSWERED_MS)
    socket.once('connect', () => {
      clearTimeout(timer)
      answered(true)
    })
  })
}
