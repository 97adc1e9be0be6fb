import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { addCuts, NO_CUTS, type RefusedCuts } from '../connection/refused.ts'
import type { LoopFigures } from '../events/loop-figures.ts'
import type { Telemetry } from '../events/observer.ts'
import { ListenError } from '../net/listen-error.ts'
import type { Config, ListenAddress } from '../settings/config.ts'
import { LastSession } from '../upstream/last-session.ts'
import { SharedAdmission } from './admission.ts'
import { type BatchEntry, Delivery, ProcessedCount } from './event-batch.ts'
import { decode } from './event-code.ts'
import type { Bound, MailServer } from './server.ts'
import type { FromWorker, Live, ToWorker, WorkerStart } from './worker.ts'
import { WORKER_FILE } from './worker-file.ts'

/** Bytes of the keys that encrypt TLS session tickets; Node requires this length. */
const TICKET_KEY_BYTES = 48

/**
 * How long the end of a thread is waited for, in milliseconds. A DNS lookup in it cannot be cancelled: with a resolver that does
 * not answer, it takes ten seconds or more, and the last log lines, spans and metrics are not sent until then.
 */
const EXIT_MS = 1000

interface WorkersOptions {
  readonly config: Config
  readonly telemetry: Telemetry
  /** A listener closed unexpectedly. */
  readonly lost: (listener: ListenAddress, error: Error) => void
  /** A thread threw or exited unexpectedly: a bug. */
  readonly crashed: (error: unknown) => void
  /** A connection could not be accepted; the listener continues. */
  readonly acceptFailed: (listener: ListenAddress, error: Error) => void
  /** Gets the figures of each thread's event loop, about once a second. Threads count from 0. */
  readonly observeLoop?: (loop: number, figures: LoopFigures) => void
}

/** Opens the listeners in `config.workers` threads. If one fails, ends all threads and rejects with ListenError. */
export async function startWorkers(options: WorkersOptions): Promise<Workers> {
  const workers = new Workers(options)
  try {
    await workers.start()
    return workers
  } catch (error) {
    await workers.close()
    throw error
  }
}

/**
 * Several event loops that share the listeners (SO_REUSEPORT: the kernel distributes the connections). Mail stays in its
 * thread. Events are sent to this thread, so that there is one telemetry and one scrape page.
 */
export class Workers implements MailServer {
  readonly #options: WorkersOptions
  readonly #counts = SharedAdmission.memory()
  readonly #lastSession = new LastSession()
  readonly #ticketKeys = randomBytes(TICKET_KEY_BYTES)
  readonly #loops: Loop[] = []
  #draining = false

  constructor(options: WorkersOptions) {
    this.#options = options
  }

  /** Starts the first thread, and then the others on the ports that it got: a configured port may be 0. */
  async start(): Promise<void> {
    const { config } = this.#options
    const first = await this.#startLoop(config.listeners)
    const listeners = first.bound.map(({ listener, port }) => ({ ...listener, port }))
    const others = Array.from({ length: config.workers - 1 }, () => this.#startLoop(listeners))
    await Promise.all(others)
  }

  get bound(): readonly Bound[] {
    return this.#loops[0]?.bound ?? []
  }

  get draining(): boolean {
    return this.#draining
  }

  get activeSessions(): number {
    return this.#loops.reduce((sum, { live }) => sum + live.sessions, 0)
  }

  liveBytes(): { transmit: number; receive: number } {
    return this.#loops.reduce(
      (sum, { live }) => ({ transmit: sum.transmit + live.transmit, receive: sum.receive + live.receive }),
      { transmit: 0, receive: 0 },
    )
  }

  refusedCuts(): RefusedCuts {
    return this.#loops.map(({ live }) => live.refusedCuts).reduce(addCuts, NO_CUTS)
  }

  /** Makes the threads load their certificate again. */
  refresh(): void {
    for (const loop of this.#loops) loop.send('refresh')
  }

  async drain(): Promise<number> {
    this.#draining = true
    const cut = await Promise.all(this.#loops.map((loop) => loop.end('drain')))
    return cut.reduce((sum, one) => sum + one, 0)
  }

  async close(): Promise<void> {
    this.#draining = true
    await Promise.all(this.#loops.map((loop) => loop.end('close')))
  }

  async #startLoop(listeners: readonly ListenAddress[]): Promise<Loop> {
    const index = this.#loops.length
    const shared = { counts: this.#counts, lastSession: this.#lastSession.memory, ticketKeys: this.#ticketKeys }
    const loop = new Loop({ index, listeners, ...shared }, this.#options)
    this.#loops.push(loop)
    await loop.listening
    return loop
  }
}

/** The main thread's side of one thread. */
class Loop {
  readonly #worker: Worker
  readonly #options: WorkersOptions
  readonly #index: number
  readonly #processed = new ProcessedCount()
  readonly #delivery: Delivery
  readonly listening: Promise<void>
  #ended: Promise<number> | undefined
  #settle: (cut: number) => void = () => {}
  #started: { settle: () => void; fail: (error: Error) => void } | undefined
  bound: readonly Bound[] = []
  live: Live = { sessions: 0, transmit: 0, receive: 0, refusedCuts: NO_CUTS }

  constructor(start: Omit<WorkerStart, 'processed'>, options: WorkersOptions) {
    this.#options = options
    this.#index = start.index
    this.#delivery = new Delivery(options.telemetry, this.#processed)
    this.listening = new Promise((settle, fail) => {
      this.#started = { settle, fail }
    })
    this.#worker = new Worker(WORKER_FILE, {
      workerData: { ...start, processed: this.#processed.memory } satisfies WorkerStart,
    })
    this.#worker.on('message', (message: FromWorker) => this.#receive(message))
    this.#worker.on('error', (error) => this.#exited(error))
    this.#worker.on('exit', () => this.#exited(new Error('the thread exited')))
  }

  send(message: ToWorker): void {
    this.#worker.postMessage(message)
  }

  /** Resolves with the number of sessions that were cut, once the thread has exited or is late to exit. */
  end(how: 'drain' | 'close'): Promise<number> {
    this.#ended ??= new Promise<number>((settle) => {
      this.#settle = settle
    }).finally(() => Promise.race([this.#worker.terminate(), sleep(EXIT_MS, undefined, { ref: false })]))
    this.send(how)
    return this.#ended
  }

  #receive(message: FromWorker): void {
    switch (message.type) {
      case 'listening':
        this.bound = message.bound
        return this.#started?.settle()
      case 'start-failed':
        return this.#started?.fail(new ListenError(message.message))
      case 'batch':
        this.#delivery.deliver(decode<BatchEntry>(message.entries))
        this.live = message.live
        return
      case 'loop':
        return this.#options.observeLoop?.(this.#index, message.figures)
      case 'listener-failed':
        return this.#options[message.lost ? 'lost' : 'acceptFailed'](message.listener, new Error(message.message))
      case 'drained':
        return this.#settle(message.cut)
      case 'closed':
        return this.#settle(0)
    }
  }

  /** Any exit without a command is a bug, and the process must not continue with some of its loops missing. */
  #exited(error: Error): void {
    this.#settle(0)
    if (this.#ended) return
    this.#ended = Promise.resolve(0)
    this.#started?.fail(new ListenError('a worker exited before it could listen'))
    this.#options.crashed(error)
  }
}
