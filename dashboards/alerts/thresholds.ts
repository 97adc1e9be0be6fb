/** What the alerts' judgement rests on: targets, windows and thresholds. */

import { DAY, HOUR, MINUTE } from '../promql/rule-maker.ts'
import type { Severity } from './alert.ts'

/** The job that the proxy is scraped as; only `up` needs it. */
export const JOB = 'ahasend-smtp-proxy'

/** The job that Alertmanager is scraped as. */
export const ALERTMANAGER_JOB = 'alertmanager'

/** Where runbooks are read. */
export const RUNBOOKS = 'https://github.com/AhaSend/ahasend-smtp-proxy/blob/main/dashboards/runbooks/'

/** The share of attempts that is to succeed over 30 days: AhaSend's greetings, its answers, mail as a whole. */
export const OBJECTIVE = 0.995

/**
 * When errors eat the objective's budget too fast (Site Reliability Workbook, chapter 5): so many times faster than 30
 * days would allow, over the long window and still over the short one. 14.4 times is 2 % of the budget in an hour.
 */
export const BURN_RATES: readonly BurnRate[] = [
  { severity: 'critical', factor: 14.4, long: HOUR, short: 5 * MINUTE },
  { severity: 'critical', factor: 6, long: 6 * HOUR, short: 30 * MINUTE },
  { severity: 'warning', factor: 1, long: 3 * DAY, short: 6 * HOUR },
]

export interface BurnRate {
  readonly severity: Severity
  readonly factor: number
  /** Seconds. */
  readonly long: number
  readonly short: number
}

/**
 * So many errors in the long window before a burn rate means anything: with three mails an hour one error is a third of
 * an hour's mail. An outage still passes it, in the hour or in the six.
 */
export const ENOUGH_ERRORS = 5

/** Failed attempts to reach AhaSend, none successful, before it counts as unreachable. */
export const ENOUGH_FAILED_DIALS = 3

/** Sessions that ended without a word while no mail was accepted: in five minutes, or where little is sent in 90. */
export const DROPPED = { fast: 5, slow: 3 } as const

/** Seconds that final replies may take. */
export const SLOW_FINAL_REPLY = 5

/** Which quantile of final replies must be slow, from how many replies on: so that more than three are slow. */
export const SLOW_QUANTILES = [
  { quantile: 0.95, replies: 60 },
  { quantile: 0.7, replies: 10 },
] as const

/** The share of an app's mail, and how much in an hour, from which on a refusal is a fault of the app and no accident. */
export const MESSAGE_FORMAT = { share: 0.01, count: 3 } as const
export const RECIPIENTS = { share: 0.05, count: 10 } as const

/**
 * Refused logins with no success in between: `fast` in one of the windows (in seconds), or for apps that send little, `slow`
 * in an hour. AhaSend takes up new credentials within two minutes.
 */
export const REFUSED_LOGINS = {
  windows: [2 * MINUTE, 5 * MINUTE, 10 * MINUTE],
  fast: 5,
  slow: 2,
  takenUpWithin: 2 * MINUTE,
} as const

/**
 * Failures of an application to enter TLS that mean something: without a success in 5 or 15 minutes or in an hour; beside
 * successes, in an hour. An outage lasts for 20 minutes without a success and without an accepted message.
 */
export const TLS_FAILURES = { none: 3, some: 6, outage: 20 * MINUTE } as const

/** Idle disconnects in an hour, and their share of the sessions that ended. */
export const IDLE = { count: 10, share: 0.5 } as const

/** Seconds until a certificate ends. AhaSend renews its own; the listeners' certificate is ours. */
export const CERTIFICATE = {
  listener: { warning: 14 * DAY, critical: 3 * DAY },
  upstream: { warning: 7 * DAY, critical: 2 * DAY },
} as const

/** AhaSend's limits. */
export const LIMITS = { messageSize: 20_971_520, messageRecipients: 50, sessionMessages: 10_000 } as const

/** Sessions that the telemetry lost the thread of, in an hour, and their share. */
export const OPAQUE = { count: 3, share: 0.01 } as const

/** Starts of one process in a quarter of an hour. */
export const RESTARTS = 3

/** Sessions refused within five minutes that are an outage: at the session limit, or because resources are missing. */
export const TURNED_AWAY = 5

/**
 * When sessions without a valid PROXY header are an outage: `count` of them within `window` seconds, and as many more than
 * in the hour before, while no message is accepted; and `messages` were accepted in an hour in which that was to be expected.
 */
export const WITHOUT_HEADER = { count: 10, window: 10 * MINUTE, messages: 10 } as const
