/** Everything that the status page shows, as plain data: `/status.json` is this. */

import { explanations } from '../otel/metrics/app-tls.ts'
import { actors, type Meaning, meanings } from '../otel/names/meanings.ts'
import type { AppTlsError, ReplyCause } from '../proxy/events/closed-sets.ts'
import type { FailureReport } from './failures.ts'
import type { Feed } from './feed.ts'
import { type Flow, flowOf } from './flow.ts'
import { addOutcomes, type Counts, type Minute, type Outcomes, sumByApp, sumOf } from './minutes.ts'
import type { RefusedClientsReport } from './refused-clients.ts'
import type { UpstreamReport } from './upstreams.ts'

/** What the page shows and the feed does not know. */
export interface Surroundings {
  readonly version: string
  readonly instance: Instance
  /** Milliseconds since the Unix epoch. */
  readonly startedAt: number
  readonly draining: boolean
  /** URLs with the ports that they got. */
  readonly listeners: readonly string[]
  readonly limits: Limits
  /** Settings that are allowed but probably a mistake. */
  readonly warnings: readonly string[]
  readonly refusedClients: RefusedClientsReport
  /** What the proxy changes in what passes, in sentences. */
  readonly changes: readonly string[]
}

/** Which proxy this is, if there are several. */
export interface Instance {
  readonly host: string
  /** The resource attribute `service.instance.id` of its telemetry; absent if OTEL_SDK_DISABLED is set. */
  readonly id?: string
}

/** How close the proxy is to its own limits. */
export interface Limits {
  readonly sessions: number
  readonly maxSessions: number
  /** Absent where the system does not report them. */
  readonly openFiles?: number
  readonly maxOpenFiles?: number
}

/** Counts of some minutes of one app or of all. Times are in milliseconds. */
export interface Summary {
  readonly outcomes: Readonly<Outcomes>
  readonly sessions: number
  readonly refusedSessions: number
  /** Time from the final dot to its reply; absent without any. */
  readonly p50?: number
  readonly p99?: number
}

export interface AppSummary extends Summary {
  readonly app: string
}

/** One minute of all apps; `at` is its beginning. */
export interface MinuteSummary {
  readonly at: number
  readonly outcomes: Readonly<Outcomes>
  /** By first digit of the reply code. Without 503, which follows another refusal. */
  readonly replies: Readonly<Record<'2' | '3' | '4' | '5', number>>
  /** Replies 421 except those to idle connections. */
  readonly turnedAway: number
}

export interface ReplySummary {
  readonly code: number
  readonly cause: ReplyCause
  readonly count: number
  readonly meaning: string
  readonly actor: string
}

/** A failure with what it means. */
export interface ExplainedFailure extends FailureReport {
  readonly meaning: string
  /** The meaning in a few words. */
  readonly brief: string
  readonly actor: string
  readonly action: string
  /** The name of a runbook in dashboards/runbooks. */
  readonly runbook?: string
}

export interface TlsFailureSummary {
  readonly app: string
  readonly error: AppTlsError
  readonly count: number
  readonly explanation: string
}

export interface StatusReport extends Surroundings {
  /** When this was true. */
  readonly now: number
  readonly flow: Flow
  /** The last 60 minutes. */
  readonly total: Summary
  readonly apps: readonly AppSummary[]
  readonly minutes: readonly MinuteSummary[]
  readonly replies: readonly ReplySummary[]
  readonly upstreams: readonly UpstreamReport[]
  /** Whether the last dial of at least one upstream succeeded. Null before the first dial. */
  readonly reachable: boolean | null
  /** The newest first. */
  readonly failures: readonly ExplainedFailure[]
  readonly tlsFailures: readonly TlsFailureSummary[]
  /** The share of the last second in which each event loop worked, and its worst delay in seconds. */
  readonly loops: readonly { readonly busy: number; readonly delay: number }[]
}

/** The report at `now`, in milliseconds since the Unix epoch. */
export function reportOf(
  feed: Feed,
  failures: readonly FailureReport[],
  surroundings: Surroundings,
  now: number,
): StatusReport {
  const minutes = feed.minutes.last(now)
  const apps = sumByApp(minutes)
  const total = sumOf(apps.values())
  const upstreams = feed.upstreams.reports()
  const { draining } = surroundings
  return {
    ...surroundings,
    now,
    flow: flowOf({ now, draining, minutes, moments: feed.moments, upstreams }),
    total: summaryOf(total),
    apps: [...apps].map(([app, counts]) => ({ app, ...summaryOf(counts) })).sort(byMessages),
    minutes: minutes.map(minuteOf),
    replies: repliesOf(total),
    upstreams,
    reachable: isReachable(upstreams),
    failures: failures.map(explained),
    tlsFailures: [...apps].flatMap(([app, counts]) => tlsFailuresOf(app, counts)),
    loops: [...feed.loops.values()].map(({ busy, delay }) => ({ busy, delay })),
  }
}

function isReachable(upstreams: readonly UpstreamReport[]): boolean | null {
  const dialled = upstreams.flatMap(({ last }) => (last ? [last] : []))
  return dialled.length === 0 ? null : dialled.some(({ ok }) => ok)
}

function summaryOf(counts: Counts): Summary {
  const { outcomes, sessions, refusedSessions, finalReplies } = counts
  const [p50, p99] = [finalReplies.quantile(0.5), finalReplies.quantile(0.99)]
  return { outcomes, sessions, refusedSessions, ...(p50 !== undefined && { p50 }), ...(p99 !== undefined && { p99 }) }
}

function byMessages(one: AppSummary, other: AppSummary): number {
  return messagesOf(other) - messagesOf(one) || one.app.localeCompare(other.app)
}

function messagesOf({ outcomes }: Summary): number {
  return Object.values(outcomes).reduce((sum, count) => sum + count, 0)
}

function minuteOf({ at, apps }: Minute): MinuteSummary {
  const outcomes: Outcomes = { accepted: 0, tempfail: 0, permfail: 0, aborted: 0, in_doubt: 0 }
  const replies = { 2: 0, 3: 0, 4: 0, 5: 0 }
  let turnedAway = 0
  for (const counts of apps.values()) {
    addOutcomes(outcomes, counts.outcomes)
    for (const { code, cause, count } of counts.replies.values()) {
      const first = Math.floor(code / 100)
      if (first >= 2 && first <= 5 && code !== 503) replies[first as 2 | 3 | 4 | 5] += count
      if (code === 421 && cause !== 'idle_timeout') turnedAway += count
    }
  }
  return { at, outcomes, replies, turnedAway }
}

function repliesOf({ replies }: Counts): ReplySummary[] {
  return [...replies.values()]
    .map(({ code, cause, count }) => ({ code, cause, count, ...meaningOf(code, cause) }))
    .toSorted((one, other) => other.count - one.count)
}

function meaningOf(code: number, cause: ReplyCause): { readonly meaning: string; readonly actor: string } {
  if (code < 400 && cause === 'none') return { meaning: code === 0 ? 'Other replies' : 'Accepted', actor: actors.noOne }
  const { meaning, actor } = meanings[cause]
  return { meaning, actor: actors[actor] }
}

/** What failures without a reply mean, and who must act. */
const WITHOUT_REPLY: Readonly<Record<string, Omit<Meaning, 'codes'>>> = {
  upstream_lost: {
    meaning: 'The connection to AhaSend broke',
    brief: 'The connection to AhaSend broke',
    actor: 'retry',
    action: 'Apps retry. A message in doubt may arrive twice.',
  },
  final_reply_timeout: {
    meaning: 'AhaSend did not confirm the message in time',
    brief: 'AhaSend did not confirm it in time',
    actor: 'retry',
    action: 'Apps retry. The message may arrive twice.',
  },
  drained: {
    meaning: 'The proxy was shutting down',
    brief: 'The proxy was shutting down',
    actor: 'noOne',
    action: 'None: apps connect to the next proxy.',
  },
}

function explained(failure: FailureReport): ExplainedFailure {
  const without = failure.code === undefined ? WITHOUT_REPLY[failure.error] : undefined
  const { meaning, brief, actor, action, runbook }: Omit<Meaning, 'codes'> = without ?? meanings[failure.cause]
  return { ...failure, meaning, brief, actor: actors[actor], action, ...(runbook && { runbook }) }
}

function tlsFailuresOf(app: string, { tlsFailures }: Counts): TlsFailureSummary[] {
  return [...tlsFailures].map(([error, count]) => ({ app, error, count, explanation: explanations[error] }))
}
