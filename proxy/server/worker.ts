/** One of several event loops: a thread that relays mail and sends its events to the main thread, in batches. */
import { parentPort, workerData } from 'node:worker_threads'
import { limitsFor, NO_CUTS, type RefusedCuts } from '../connection/refused.ts'
import type { LoopFigures } from '../events/loop-figures.ts'
import { loadCertificate } from '../net/listener-certificate.ts'
import type { Config, ListenAddress } from '../settings/config.ts'
import { parseConfig } from '../settings/settings.ts'
import { LastSession } from '../upstream/last-session.ts'
import { shareOf } from '../upstream/preconnect.ts'
import { SharedAdmission } from './admission.ts'
import { Batch, BETWEEN_THREADS, ProcessedCount } from './event-batch.ts'
import { type Encoded, encode } from './event-code.ts'
import { reportLoop } from './event-loop.ts'
import { fitDefault, ownOpenFilesLimit } from './fd-limit.ts'
import { type Bound, ProxyServer } from './server.ts'

/** The data that a worker gets at its start. */
export interface WorkerStart {
  /** The number of this worker, from 0. */
  readonly index: number
  /** The listeners, with the ports that the first worker got. */
  readonly listeners: readonly ListenAddress[]
  /** The session counts that all workers share: see SharedAdmission. */
  readonly counts: SharedArrayBuffer
  /** When the last session of any worker began: see LastSession. */
  readonly lastSession: SharedArrayBuffer
  /** The number of this worker's events that the main thread has processed: see ProcessedCount. */
  readonly processed: SharedArrayBuffer
  /** Shared by all workers, so that a client may resume its TLS session at any of them. */
  readonly ticketKeys: Buffer
}

/** Commands of the main thread. */
export type ToWorker = 'drain' | 'close' | 'refresh'

/** Messages to the main thread. */
export type FromWorker =
  | { readonly type: 'listening'; readonly bound: readonly Bound[] }
  | { readonly type: 'start-failed'; readonly message: string }
  | { readonly type: 'batch'; readonly entries: Encoded; readonly live: Live }
  | { readonly type: 'loop'; readonly figures: LoopFigures }
  | {
      readonly type: 'listener-failed'
      readonly listener: ListenAddress
      readonly message: string
      readonly lost: boolean
    }
  | { readonly type: 'drained'; readonly cut: number }
  | { readonly type: 'closed' }

/** The figures of the open sessions, for a scrape, as of the batch that contains them. */
export interface Live {
  readonly sessions: number
  readonly transmit: number
  readonly receive: number
  readonly refusedCuts: RefusedCuts
}

/** How often the live figures are sent if there is nothing else to send. */
const LIVE_MS = 1000

const port = parentPort!

function send(message: FromWorker): void {
  port.postMessage(message)
}

async function work(start: WorkerStart): Promise<void> {
  const own = readConfig()
  const warmConnections = shareOf(own.warmConnections, start.index, own.workers)
  const config = { ...own, listeners: start.listeners, warmConnections }
  const certificate = config.tls && loadCertificate(config.tls, Buffer.from(start.ticketKeys))
  if (certificate && 'error' in certificate) return send({ type: 'start-failed', message: certificate.error })
  let live = (): Live => ({ sessions: 0, transmit: 0, receive: 0, refusedCuts: NO_CUTS })
  const batch = new Batch(
    (entries) => send({ type: 'batch', entries: encode(entries), live: live() }),
    new ProcessedCount(start.processed),
    BETWEEN_THREADS,
  )
  // an exception ends this thread, but what its sessions did before still counts
  process.on('uncaughtExceptionMonitor', batch.flush)
  const server = new ProxyServer({
    config,
    telemetry: batch,
    admission: new SharedAdmission(
      { sessions: config.maxSessions, perClient: config.maxSessionsPerClient },
      start.counts,
    ),
    lastSession: new LastSession(start.lastSession),
    limits: { refused: limitsFor(config.workers) },
    reusePort: true,
    ...(certificate && { certificate }),
    lost: (listener, { message }) => send({ type: 'listener-failed', listener, message, lost: true }),
    acceptFailed: (listener, { message }) => send({ type: 'listener-failed', listener, message, lost: false }),
  })
  live = () => ({ sessions: server.activeSessions, ...server.liveBytes(), refusedCuts: server.refusedCuts() })
  setInterval(batch.flush, LIVE_MS).unref()
  reportLoop((figures) => send({ type: 'loop', figures }))
  handleCommands(server, batch, () => certificate?.refresh())
  await listen(server, config)
}

async function listen(server: ProxyServer, config: Config): Promise<void> {
  try {
    for (const listener of config.listeners) await server.listen(listener)
    send({ type: 'listening', bound: server.bound })
  } catch (error) {
    send({ type: 'start-failed', message: (error as Error).message })
  }
}

function handleCommands(server: ProxyServer, batch: Batch, refresh: () => unknown): void {
  port.on('message', async (command: ToWorker) => {
    if (command === 'refresh') return void refresh()
    const cut = command === 'drain' ? await server.drain() : 0
    await server.close()
    batch.flush()
    send(command === 'drain' ? { type: 'drained', cut } : { type: 'closed' })
  })
}

/** The main thread has already checked the same environment. */
function readConfig(): Config {
  const parsed = parseConfig(process.env)
  if ('config' in parsed) return fitDefault(parsed.config, process.env, ownOpenFilesLimit())
  throw new Error(parsed.mistakes.join('\n'))
}

// a failure ends the thread, as Workers expects
void work(workerData as WorkerStart)
