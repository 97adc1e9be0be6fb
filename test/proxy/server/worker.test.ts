/** The messages between a worker and the main thread. */
import assert from 'node:assert/strict'
import { on, once } from 'node:events'
import net from 'node:net'
import { type TestContext, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { SharedAdmission } from '../../../proxy/server/admission.ts'
import { type BatchEntry, ProcessedCount } from '../../../proxy/server/event-batch.ts'
import { decode } from '../../../proxy/server/event-code.ts'
import type { FromWorker, ToWorker, WorkerStart } from '../../../proxy/server/worker.ts'
import type { ListenAddress } from '../../../proxy/settings/config.ts'
import { LastSession } from '../../../proxy/upstream/last-session.ts'

const WORKER = new URL('../../../proxy/server/worker.ts', import.meta.url)

type MessageOf<Type extends FromWorker['type']> = Extract<FromWorker, { type: Type }>

/** A worker that listens on this port of 127.0.0.1. */
function start(context: TestContext, port = 0) {
  const listener: ListenAddress = {
    url: `smtp://127.0.0.1:${port}`,
    scheme: 'smtp',
    host: '127.0.0.1',
    port,
    starttlsRequired: false,
  }
  const workerData: WorkerStart = {
    index: 0,
    listeners: [listener],
    counts: SharedAdmission.memory(),
    lastSession: new LastSession().memory,
    processed: new ProcessedCount().memory,
    ticketKeys: Buffer.alloc(48),
  }
  const worker = new Worker(WORKER, {
    workerData,
    env: { PROXY_UPSTREAM: 'smtp://127.0.0.1:9?tls=off', PROXY_WARM_CONNECTIONS: '0' },
  })
  context.after(() => worker.terminate())
  const messages = on(worker, 'message')
  /** The next message of this type. Others, such as figures of the event loop, are skipped. */
  async function next<Type extends FromWorker['type']>(type: Type): Promise<MessageOf<Type>> {
    for (;;) {
      const { value: [message] = [] } = await messages.next()
      if (message.type === type) return message
    }
  }
  return { next, send: (message: ToWorker) => worker.postMessage(message) }
}

test('a worker reports its actual port, the events of its sessions and the end of a drain', async (context) => {
  const { next, send } = start(context)
  const { bound } = await next('listening')
  const client = net.connect(bound[0]!.port, '127.0.0.1').resume()
  await once(client, 'close')
  const sessions = new Set<number | undefined>()
  for (let closed = false; !closed; ) {
    const entries = decode<BatchEntry>((await next('batch')).entries)
    for (const { session } of entries) sessions.add(session)
    closed = entries.some(({ event }) => event?.type === 'session-close')
  }
  assert.deepEqual([...sessions], [1])
  send('drain')
  assert.equal((await next('drained')).cut, 0)
})

test('a worker without a certificate ignores a refresh, and reports that it has closed', async (context) => {
  const { next, send } = start(context)
  await next('listening')
  send('refresh')
  send('close')
  await next('closed')
})

test('a worker that cannot listen reports the reason', async (context) => {
  const taken = net.createServer().listen(0, '127.0.0.1')
  context.after(() => taken.close())
  await once(taken, 'listening')
  const { next } = start(context, (taken.address() as net.AddressInfo).port)
  assert.match((await next('start-failed')).message, /^PROXY_LISTEN: .* the port is taken/)
})
