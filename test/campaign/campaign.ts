/**
 * A campaign: random sessions, each played directly and through the proxy. The two results must agree, the laws must
 * hold, and the books must balance. Each batch of sessions has its own stage, which bounds memory and checks the books
 * often.
 */

import { setImmediate as endOfTurn } from 'node:timers/promises'
import { metrics } from '../../otel/names/names.ts'
import { parseMetrics, sum } from '../demo/metrics.ts'
import { type Book, bookOfPage, newBook } from '../support/books/book.ts'
import { until } from '../support/waiting/until.ts'
import { addTo, bookOfEvents, disagreements, wrongBooks } from './books.ts'
import { differences } from './compare.ts'
import { planOf } from './generator.ts'
import { brokenLaws } from './laws.ts'
import type { Plan } from './plan.ts'
import { textOf } from './plan-text.ts'
import { play, type Run } from './play.ts'
import { Refusals } from './refusals.ts'
import { LIMIT_MS, Stage } from './stage.ts'

/** Sessions that share a stage. Arbitrary: its start takes as long as about twenty of them. */
const BATCH = 500
/** The number of failures to report individually. A broken proxy would cause thousands. */
const MAX_FAILURES = 20

export interface CampaignOptions {
  /** The seed of the run, which determines every session. */
  readonly seed: number
  /** Sessions to play, and the number of the first one. */
  readonly sessions: number
  readonly first?: number
  /** Concurrent sessions. Default: 16. */
  readonly atOnce?: number
  /** Called after each session. */
  readonly progress?: (done: number) => void
  /** Called with each failure, ready to be printed. */
  readonly failed?: (what: string) => void
  /** Stops the campaign after the current sessions. */
  readonly signal?: AbortSignal
}

export interface Result {
  readonly done: number
  /**
   * Sessions with a fault, sessions that were compared exactly, and bytes that the upstreams received from the proxy.
   */
  readonly faulty: number
  readonly exact: number
  readonly bytes: number
  /** The failures, ready to be printed. */
  readonly failures: readonly string[]
  readonly refusals: Refusals
}

/** Plays a campaign. Rejects only when the stage cannot start or stop. */
export async function runCampaign(options: CampaignOptions): Promise<Result> {
  const campaign = new Campaign(options)
  const warned = (warning: Error) => campaign.fail(`Node warning: ${warning.stack}`)
  process.on('warning', warned)
  try {
    return await campaign.run()
  } finally {
    process.off('warning', warned)
  }
}

class Campaign {
  readonly #options: CampaignOptions
  readonly #failures: string[] = []
  readonly #refusals = new Refusals()
  #next: number
  #done = 0
  #faulty = 0
  #exact = 0
  #bytes = 0

  constructor(options: CampaignOptions) {
    this.#options = options
    this.#next = options.first ?? 0
  }

  fail(what: string): void {
    if (this.#failures.length >= MAX_FAILURES) return
    this.#failures.push(what)
    this.#options.failed?.(what)
  }

  async run(): Promise<Result> {
    const { first = 0, sessions, signal } = this.#options
    while (this.#next < first + sessions && !signal?.aborted)
      await this.#batch(Math.min(this.#next + BATCH, first + sessions))
    for (const what of this.#refusals.lost()) this.fail(what)
    const figures = { done: this.#done, faulty: this.#faulty, exact: this.#exact, bytes: this.#bytes }
    return { ...figures, failures: this.#failures, refusals: this.#refusals }
  }

  async #batch(end: number): Promise<void> {
    const from = this.#next
    const stage = await Stage.open()
    const book = newBook()
    const work = async () => {
      while (this.#next < end && !this.#options.signal?.aborted) {
        const number = this.#next
        this.#next += 1
        await this.#session(stage, planOf(this.#options.seed, number), book)
      }
    }
    await Promise.all(Array.from({ length: this.#options.atOnce ?? 16 }, work))
    const what = `sessions ${from} to ${this.#next - 1} of seed ${this.#options.seed}`
    for (const wrong of await wrongPage(stage, book)) this.fail(`${what}: ${wrong}`)
    await stage.close().catch((error: Error) => this.fail(`${what}: ${error.message}`))
  }

  async #session(stage: Stage, plan: Plan, book: Book): Promise<void> {
    const direct = await play(plan, 'direct', await stage.connect(plan, 'direct'))
    const proxied = await play(plan, 'proxied', await stage.connect(plan, 'proxied'))
    addTo(book, bookOfEvents(proxied.events))
    this.#refusals.note(plan, direct, proxied)
    this.#count(plan, proxied)
    const wrong = wrongIn(plan, direct, proxied)
    if (wrong.length > 0) this.fail(report(this.#options.seed, plan, wrong))
    this.#options.progress?.(this.#done)
  }

  #count(plan: Plan, { up }: Run): void {
    this.#done += 1
    this.#bytes += up.length
    if (plan.fault) this.#faulty += 1
    if (!plan.fault || plan.fault.settled) this.#exact += 1
  }
}

/** The failures of one session, one line each; empty when there is none. */
export function wrongIn(plan: Plan, direct: Run, proxied: Run): string[] {
  const different = differences(plan, direct, proxied)
  // laws and books cannot be checked for a session that a failed wait has cut short
  if (direct.stuck.length + proxied.stuck.length > 0) return different
  return [...different, ...brokenLaws(plan, proxied), ...wrongBooks(plan, proxied)]
}

/** A failure, with everything that is needed to reproduce it. */
function report(seed: number, plan: Plan, wrong: readonly string[]): string {
  return [
    `session ${plan.number} of seed ${seed} (session seed ${plan.seed}):`,
    ...wrong,
    'plan:',
    textOf(plan),
    `replay: npm run campaign -- --seed ${seed} --only ${plan.number}`,
  ].join('\n')
}

/** The differences between the scrape page and the sessions' events, once no session is active. */
async function wrongPage(stage: Stage, book: Book): Promise<string[]> {
  // the page reports sessions that are still active
  await until('no session is active', () => stage.activeSessions === 0, { limitMs: LIMIT_MS }).catch(() => {})
  // events are delivered at the end of their turn
  await endOfTurn()
  const page = await stage.page()
  const samples = parseMetrics(page)
  const active = sum(samples, metrics.sessionActive.prometheus)
  const opaque = sum(samples, metrics.sessionOpaque.prometheus)
  const failed = sum(samples, metrics.observerFailures.prometheus)
  const silent = stage.recorder.sessions.filter(({ events }) =>
    events.some(({ type }) => type === 'session-opaque'),
  ).length
  return [
    ...disagreements('page and sessions', bookOfPage(page), book),
    ...(active === 0 ? [] : [`the page shows ${active} active sessions, there are none`]),
    ...(opaque === silent ? [] : [`the page shows ${opaque} opaque sessions, there were ${silent}`]),
    ...(failed === 0 ? [] : [`the page shows ${failed} observer failures`]),
  ]
}
