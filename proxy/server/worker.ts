/** One event loop of several: a thread that relays. What happens in it is told to the main thread, in batches. */
import { parentPort, workerData } from 'node:worker_threads'
import { limitsFor, NO_CUTS, type RefusedCuts } from '../connection/refused.ts'
import type { LoopFigures } from '../events/loop-figures.ts'
import { loadCertificate } from '../net/listener-certificate.ts'
import type { Config, ListenAddress } from '../settings/config.ts'
import { parseConfig } from '../settings/settings.ts'
import { shareOf } from '../upstream/preconnect.ts'
import { SharedAdmission } from './admission.ts'
import { Batch, Heard, type News } from './event-batch.ts'
import { watchLoop } from './event-loop.ts'
import { fitDefault, ownOpenFilesLimit } from './fd-limit.ts'
import { type Bound, ProxyServer } from './server.ts'

/** What the main thread gives a worker at its start. */
export interface WorkerStart {
  /** The number of this worker, from 0. */
  readonly index: number
  /** Where to listen: the ports are those that the first worker got. */
  readonly listeners: readonly ListenAddress[]
  readonly counts: SharedArrayBuffer
  /** Where the main thread counts the events that it heard of this worker. */
  readonly heard: SharedArrayBuffer
  /** So that a TLS session may be resumed at any worker. */
  readonly ticketKeys: Buffer
}

/** What the main thread tells a worker. */
export type ToWorker = 'drain' | 'close' | 'refresh'

/** What a worker tells the main thread. */
export type FromWorker =
  | { readonly type: 'listening'; readonly bound: readonly Bound[] }
  | { readonly type: 'refused'; readonly message: string }
  | { readonly type: 'batch'; readonly news: readonly News[]; readonly live: Live }
  | { readonly type: 'loop'; readonly figures: LoopFigures }
  | {
      readonly type: 'listener-failed'
      readonly listener: ListenAddress
      readonly message: string
      readonly lost: boolean
    }
  | { readonly type: 'drained'; readonly cut: number }
  | { readonly type: 'closed' }

/** What a scrape wants to know of sessions that are open; true at the moment of the batch it comes with. */
export interface Live {
  readonly sessions: number
  readonly transmit: number
  readonly receive: number
  readonly refusedCuts: RefusedCuts
}

/** How often the live figures are told when nothing else is. */
const LIVE_MS = 1000

const port = parentPort!

function tell(message: FromWorker): void {
  port.postMessage(message)
}

async function work(start: WorkerStart): Promise<void> {
  const own = configured()
  const warmConnections = shareOf(own.warmConnections, start.index, own.workers)
  const config = { ...own, listeners: start.listeners, warmConnections }
  const certificate = config.tls && loadCertificate(config.tls, Buffer.from(start.ticketKeys))
  if (certificate && 'error' in certificate) return tell({ type: 'refused', message: certificate.error })
  let live = (): Live => ({ sessions: 0, transmit: 0, receive: 0, refusedCuts: NO_CUTS })
  const batch = new Batch((news) => tell({ type: 'batch', news, live: live() }), new Heard(start.heard))
  const server = new ProxyServer({
    config,
    telemetry: batch,
    admission: new SharedAdmission(
      { sessions: config.maxSessions, perClient: config.maxSessionsPerClient },
      start.counts,
    ),
    limits: { refused: limitsFor(config.workers) },
    reusePort: true,
    ...(certificate && { certificate }),
    lost: (listener, { message }) => tell({ type: 'listener-failed', listener, message, lost: true }),
    acceptFailed: (listener, { message }) => tell({ type: 'listener-failed', listener, message, lost: false }),
  })
  live = () => ({ sessions: server.activeSessions, ...server.liveBytes(), refusedCuts: server.refusedCuts() })
  setInterval(batch.flush, LIVE_MS).unref()
  watchLoop((figures) => tell({ type: 'loop', figures }))
  obey(server, batch, () => certificate?.refresh())
  await listen(server, config)
}

async function listen(server: ProxyServer, config: Config): Promise<void> {
  try {
    for (const listener of config.listeners) await server.listen(listener)
    tell({ type: 'listening', bound: server.bound })
  } catch (error) {
    tell({ type: 'refused', message: (error as Error).message })
  }
}

function obey(server: ProxyServer, batch: Batch, refresh: () => unknown): void {
  port.on('message', async (command: ToWorker) => {
    if (command === 'refresh') return void refresh()
    const cut = command === 'drain' ? await server.drain() : 0
    await server.close()
    batch.flush()
    tell(command === 'drain' ? { type: 'drained', cut } : { type: 'closed' })
  })
}

/** The main thread has found no mistake in it. */
function configured(): Config {
  const parsed = parseConfig(process.env)
  if ('config' in parsed) return fitDefault(parsed.config, process.env, ownOpenFilesLimit())
  throw new Error(parsed.mistakes.join('\n'))
}

await work(workerData as WorkerStart)
