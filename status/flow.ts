/** Is mail flowing? One word and one reason, from what happened last. */

import { actors, meanings } from '../otel/names/meanings.ts'
import type { ReplyCause } from '../proxy/events/closed-sets.ts'
import { type Counts, type Minute, sumByApp, sumOf } from './minutes.ts'
import type { Moments } from './moments.ts'
import type { UpstreamReport } from './upstreams.ts'

export type Flowing = 'yes' | 'partly' | 'no' | 'idle' | 'draining'

export interface Flow {
  readonly flowing: Flowing
  /** One or two sentences. */
  readonly reason: string
  /** What to do; absent if there is nothing to do. */
  readonly next?: NextStep
}

/** Who must act, and how. */
export interface NextStep {
  readonly actor: string
  readonly action: string
  /** The name of a runbook in dashboards/runbooks. */
  readonly runbook?: string
}

/** What the answer depends on. `now` is in milliseconds since the Unix epoch. */
export interface Evidence {
  readonly now: number
  readonly draining: boolean
  readonly minutes: readonly Minute[]
  readonly moments: Moments
  readonly upstreams: readonly UpstreamReport[]
}

/** The last minutes that decide; arbitrary: long enough for a few messages, short enough to be now. */
const RECENT_MINUTES = 5
/** Fewer failures than this share leave the answer at yes. */
const TOLERATED = 0.05

/** What a refusing greeting most likely means, if no app was refused in the last minutes. */
const GREETING_CAUSES: Readonly<Record<number, ReplyCause>> = { 421: 'load_shedding', 521: 'account_disabled' }

/** The first of these that applies is the answer: the more it stops, the earlier it comes. */
export function flowOf(evidence: Evidence): Flow {
  return (
    draining(evidence) ??
    accountDisabled(evidence) ??
    unreachable(evidence) ??
    loginsRejected(evidence) ??
    recentMessages(evidence)
  )
}

function draining({ draining }: Evidence): Flow | undefined {
  if (!draining) return undefined
  return { flowing: 'draining', reason: 'The proxy is shutting down. It finishes messages and takes no new sessions.' }
}

function accountDisabled({ now, moments }: Evidence): Flow | undefined {
  const { accountDisabledAt, acceptedAt } = moments
  if (accountDisabledAt === undefined || (acceptedAt ?? 0) > accountDisabledAt) return undefined
  const reason = `AhaSend has disabled the account (521, ${ago(now - accountDisabledAt)}) and accepts no mail from it.`
  return { flowing: 'no', reason, next: nextStep('account_disabled') }
}

/** Each upstream that was dialled failed at the last dial, and nothing was accepted since the newest of these. */
function unreachable({ now, minutes, moments, upstreams }: Evidence): Flow | undefined {
  const dialled = upstreams.flatMap(({ last }) => (last ? [last] : []))
  if (dialled.length === 0 || dialled.some(({ ok }) => ok)) return undefined
  const newest = dialled.reduce((one, other) => (other.at > one.at ? other : one))
  if ((moments.acceptedAt ?? 0) > newest.at) return undefined
  const { at, replyCode, explanation, error } = newest
  if (replyCode !== undefined) return refusingConnections(replyCode, ago(now - at), recentCounts(minutes))
  const reason = `AhaSend cannot be reached (${ago(now - at)}): ${explanation ?? error}.`
  return { flowing: 'no', reason, next: nextStep('upstream_unreachable') }
}

/** AhaSend answers, but its greeting refuses every connection. */
function refusingConnections(code: number, when: string, recent: Counts): Flow {
  const common = mostCommon(recent)
  const cause = common?.code === code ? common.cause : GREETING_CAUSES[code]
  const meaning = cause ? `: ${meanings[cause].meaning}` : ''
  const reason = `AhaSend refuses new connections with ${code} (${when})${meaning}.`
  return { flowing: 'no', reason, ...(cause && { next: nextStep(cause) }) }
}

function loginsRejected({ now, moments }: Evidence): Flow | undefined {
  const recent = [...moments.logins].filter(([, { rejectedAt = 0 }]) => now - rejectedAt < RECENT_MINUTES * 60_000)
  const failing = recent.filter(([, { rejectedAt = 0, acceptedAt = 0 }]) => rejectedAt > acceptedAt)
  if (failing.length === 0) return undefined
  const apps = failing.map(([app]) => appName(app)).join(', ')
  const all = (moments.acceptedAt ?? 0) < Math.min(...failing.map(([, { rejectedAt = 0 }]) => rejectedAt))
  const reason = `AhaSend rejects the password of ${apps} (535).`
  return { flowing: all ? 'no' : 'partly', reason, next: nextStep('invalid_credentials') }
}

function recentMessages({ now, minutes, moments }: Evidence): Flow {
  const counts = recentCounts(minutes)
  const { accepted, tempfail, permfail, in_doubt } = counts.outcomes
  const failed = tempfail + permfail + in_doubt + counts.refusedSessions - counts.notAllowed
  const strangers = strangersIn(counts)
  if (accepted + failed === 0) return { flowing: 'idle', reason: `${silence(now, moments)}${strangers}` }
  const first = mostCommon(counts)
  const meaning = first ? `, most often with ${first.code}: ${meanings[first.cause].meaning}` : ''
  const all = `${number(failed)} of ${number(accepted + failed)} messages and logins`
  const failing = {
    reason: `${all} failed in the last 5 minutes${meaning}.${strangers}`,
    ...(first && { next: nextStep(first.cause) }),
  }
  if (failed > accepted) return { flowing: 'no', ...failing }
  if (failed > TOLERATED * (accepted + failed) || in_doubt > 0) return { flowing: 'partly', ...failing }
  const messages = accepted === 1 ? 'message' : 'messages'
  return { flowing: 'yes', reason: `${number(accepted)} ${messages} accepted in the last 5 minutes.${strangers}` }
}

function recentCounts(minutes: readonly Minute[]): Counts {
  return sumOf(sumByApp(minutes.slice(-RECENT_MINUTES)).values())
}

function silence(now: number, { acceptedAt }: Moments): string {
  const last = acceptedAt === undefined ? 'None since the start.' : `The last was accepted ${ago(now - acceptedAt)}.`
  return `No message in the last 5 minutes. ${last}`
}

/** Clients outside PROXY_ALLOW do not change the answer: most are strangers. But one may be a new app. */
function strangersIn({ notAllowed }: Counts): string {
  if (notAllowed === 0) return ''
  const sessions = notAllowed === 1 ? 'session' : 'sessions'
  return ` The proxy refused ${number(notAllowed)} ${sessions} of clients that are not in PROXY_ALLOW.`
}

/** Causes that explain no failure: normal ends, refusals that follow another one, and clients that do not count. */
const OTHER_CAUSES: ReadonlySet<string> = new Set(['idle_timeout', 'none', 'not_allowed'])

/** The refusal that was counted most often. */
function mostCommon({ replies }: Counts): { readonly code: number; readonly cause: ReplyCause } | undefined {
  const refusals = [...replies.values()].filter(({ code, cause }) => code >= 400 && !OTHER_CAUSES.has(cause))
  return refusals.toSorted((one, other) => other.count - one.count)[0]
}

function nextStep(cause: ReplyCause): NextStep {
  const { actor, action, runbook } = meanings[cause]
  return { actor: actors[actor], action, ...(runbook !== undefined && { runbook }) }
}

/** `other` is not a name that people gave. */
export function appName(app: string): string {
  return app === 'other' ? 'apps without a name (PROXY_CLIENTS)' : app
}

/** `12,345` */
function number(value: number): string {
  return value.toLocaleString('en-US')
}

/** `12 s ago`, `3 min ago`, `2 h ago`. */
export function ago(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000))
  if (seconds < 60) return `${seconds} s ago`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`
  return `${Math.floor(seconds / 3600)} h ago`
}
