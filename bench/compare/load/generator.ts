/** The load generator as the measurement sees it: orders in, reports out. */
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type Started, start } from '../processes/process.ts'
import type { Answer, Order, Report } from './orders.ts'

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url))
/** How much longer than its own duration an order may take. */
const LIMIT_MS = 60_000

export class Generator {
  readonly #limitMs: number
  #program = launch()

  constructor(limitMs = LIMIT_MS) {
    this.#limitMs = limitMs
  }

  get pid(): number {
    return this.#program.pid
  }

  /** Performs an order. Rejects when a message was refused or lost, when it takes too long, and when `signal` aborts. */
  async perform(order: Order, signal: AbortSignal): Promise<Report> {
    const limit = AbortSignal.timeout(this.#limitMs + ('seconds' in order ? order.seconds * 1000 : 0))
    this.#program.child.send(order)
    const answer = await this.#answer(AbortSignal.any([signal, limit]))
    if ('error' in answer) throw new Error(answer.error)
    return answer.report
  }

  async #answer(signal: AbortSignal): Promise<Answer> {
    try {
      const [answer] = (await once(this.#program.child, 'message', { signal })) as [Answer]
      return answer
    } catch (error) {
      // a late answer must not be taken for that of the next order
      await this.#program.stop()
      this.#program = launch()
      throw new Error('the load generator did not answer in time', { cause: error })
    }
  }

  stop(): Promise<void> {
    return this.#program.stop()
  }
}

function launch(): Started {
  return start(process.execPath, [MAIN], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
}
