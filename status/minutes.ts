/** What happened in each of the last 60 minutes, by app. The size does not depend on the traffic. */
import type { AppTlsError, ReplyCause, TransactionOutcome } from '../proxy/events/closed-sets.ts'
import type { ReplyFacts } from '../proxy/events/reply.ts'
import { Durations } from './durations.ts'

export const MINUTES = 60
const MINUTE_MS = 60_000

/** Pairs of code and cause that one app has in one minute. A peer chooses the codes, so there is a limit. */
const MAX_REPLIES = 64

/** Replies with the same code and cause. `code` 0 stands for those beyond the limit. */
export interface ReplyCount {
  readonly code: number
  readonly cause: ReplyCause
  count: number
}

export type Outcomes = Record<TransactionOutcome, number>

/** The counters of one app, in one minute or in several. */
export class Counts {
  readonly outcomes: Outcomes = {
    accepted: 0,
    tempfail: 0,
    permfail: 0,
    aborted: 0,
    in_doubt: 0,
  }
  /** Sessions that were opened. */
  sessions = 0
  /** Sessions that were refused before a message began: at the greeting, EHLO, STARTTLS or AUTH. */
  refusedSessions = 0
  /** Those of them whose client is not in PROXY_ALLOW: no app of ours, as far as the proxy knows. */
  notAllowed = 0
  readonly replies = new Map<string, ReplyCount>()
  readonly tlsFailures = new Map<AppTlsError, number>()
  /** From the final dot to its reply. */
  readonly finalReplies = new Durations()

  replied({ code, cause }: Pick<ReplyFacts, 'code' | 'cause'>, count = 1): void {
    const key = `${code} ${cause}`
    const known = this.replies.get(key)
    if (known) known.count += count
    else if (this.replies.size < MAX_REPLIES || code === 0) this.replies.set(key, { code, cause, count })
    else this.replied({ code: 0, cause: 'none' }, count)
  }

  tlsFailed(error: AppTlsError, count = 1): void {
    this.tlsFailures.set(error, (this.tlsFailures.get(error) ?? 0) + count)
  }

  /** Adds what another set of counters holds. */
  add(other: Counts): void {
    addOutcomes(this.outcomes, other.outcomes)
    this.sessions += other.sessions
    this.refusedSessions += other.refusedSessions
    this.notAllowed += other.notAllowed
    for (const [key, reply] of other.replies) {
      const known = this.replies.get(key)
      if (known) known.count += reply.count
      else this.replied(reply, reply.count)
    }
    for (const [error, count] of other.tlsFailures) this.tlsFailed(error, count)
    this.finalReplies.merge(other.finalReplies)
  }
}

/** Adds the counts of `other` to those of `sum`. */
export function addOutcomes(sum: Outcomes, other: Readonly<Outcomes>): void {
  sum.accepted += other.accepted
  sum.tempfail += other.tempfail
  sum.permfail += other.permfail
  sum.aborted += other.aborted
  sum.in_doubt += other.in_doubt
}

/** One minute. `at` is its beginning, in milliseconds since the Unix epoch. */
export interface Minute {
  readonly at: number
  readonly apps: ReadonlyMap<string, Counts>
}

/** A ring of 60 minutes. Times are in milliseconds since the Unix epoch. */
export class Minutes {
  readonly #ring: { at: number; readonly apps: Map<string, Counts> }[] = []

  /** The counters of an app in the minute that holds `at`. An event older than the ring counts in no minute. */
  of(app: string, at: number): Counts {
    const begin = at - (at % MINUTE_MS)
    const slot = this.#slot(begin)
    const known = slot?.apps.get(app)
    if (known) return known
    const counts = new Counts()
    slot?.apps.set(app, counts)
    return counts
  }

  /** The 60 minutes that end with the one that holds `now`, oldest first; those without events are empty. */
  last(now: number): Minute[] {
    const end = now - (now % MINUTE_MS)
    return Array.from({ length: MINUTES }, (_, index) => {
      const at = end - (MINUTES - 1 - index) * MINUTE_MS
      const slot = this.#ring[indexOf(at)]
      return { at, apps: slot?.at === at ? slot.apps : new Map() }
    })
  }

  #slot(begin: number): { readonly apps: Map<string, Counts> } | undefined {
    const index = indexOf(begin)
    const slot = this.#ring[index]
    if (slot?.at === begin) return slot
    if (slot && slot.at > begin) return undefined
    const fresh = { at: begin, apps: new Map<string, Counts>() }
    this.#ring[index] = fresh
    return fresh
  }
}

function indexOf(begin: number): number {
  return Math.floor(begin / MINUTE_MS) % MINUTES
}

/** The sum of some minutes, by app. */
export function sumByApp(minutes: readonly Minute[]): Map<string, Counts> {
  const sums = new Map<string, Counts>()
  for (const { apps } of minutes)
    for (const [app, counts] of apps) {
      const sum = sums.get(app) ?? new Counts()
      sum.add(counts)
      sums.set(app, sum)
    }
  return sums
}

/** The sum of some counters. */
export function sumOf(all: Iterable<Counts>): Counts {
  const sum = new Counts()
  for (const counts of all) sum.add(counts)
  return sum
}
