/** The targets, windows and thresholds of the alerts. */

import { DAY, HOUR, MINUTE } from '../promql/durations.ts'
import type { Severity } from './alert.ts'

/** The scrape job of the proxy. Only `up` needs it. */
export const JOB = 'ahasend-smtp-proxy'

/** The scrape job of Alertmanager. */
export const ALERTMANAGER_JOB = 'alertmanager'

/** The share of attempts that must succeed over 30 days: AhaSend's greetings, its replies, mail as a whole. */
export const OBJECTIVE = 0.995

/**
 * When errors spend the objective's budget too fast (Site Reliability Workbook, chapter 5): `factor` times as fast as the
 * budget of 30 days allows, over the long window and still over the short one. A factor of 14.4 spends 2% of the budget in
 * an hour.
 */
export const BURN_RATES: readonly BurnRate[] = [
  { severity: 'critical', factor: 14.4, long: HOUR, short: 5 * MINUTE },
  { severity: 'critical', factor: 6, long: 6 * HOUR, short: 30 * MINUTE },
  { severity: 'warning', factor: 1, long: 3 * DAY, short: 6 * HOUR },
]

/** A rate at which errors spend the budget. The windows are in seconds. */
export interface BurnRate {
  readonly severity: Severity
  readonly factor: number
  readonly long: number
  readonly short: number
}

/**
 * The number of errors in the long window from which a burn rate is meaningful: at three messages an hour, a single error is
 * a third of the hour's mail. An outage still reaches this number, in one hour or in six.
 */
export const ENOUGH_ERRORS = 5

/** Failed attempts to connect to AhaSend, without a success, from which it counts as unreachable. */
export const ENOUGH_FAILED_DIALS = 3

/** Sessions closed without a reply while no message was accepted: in five minutes or, if little mail is sent, in 90. */
export const DROPPED = { fast: 5, slow: 3 } as const

/** Seconds that a final reply may take. */
export const SLOW_FINAL_REPLY = 5

/** The quantile of final replies that must be slow, and the replies that this needs: so more than three replies are slow. */
export const SLOW_QUANTILES = [
  { quantile: 0.95, replies: 60 },
  { quantile: 0.7, replies: 10 },
] as const

/** The share of an app's mail, and the number in an hour, from which refusals are a fault of the app and no accident. */
export const MESSAGE_FORMAT = { share: 0.01, count: 3 } as const
export const RECIPIENTS = { share: 0.05, count: 10 } as const

/**
 * Refused logins without a success in between: `fast` within one of the windows (in seconds) or, for apps that send little,
 * `slow` within an hour. New credentials work at AhaSend within two minutes.
 */
export const REFUSED_LOGINS = {
  windows: [2 * MINUTE, 5 * MINUTE, 10 * MINUTE],
  fast: 5,
  slow: 2,
  takenUpWithin: 2 * MINUTE,
} as const

/**
 * Failures of an app to establish TLS that raise an alert. `none`: without a success, in 5 or 15 minutes or in an hour.
 * `some`: although other attempts succeed, in an hour. `outage`: seconds without a success and without an accepted message.
 */
export const TLS_FAILURES = { none: 3, some: 6, outage: 20 * MINUTE } as const

/** Idle disconnects in an hour, and their share of the sessions that ended. */
export const IDLE = { count: 10, share: 0.5 } as const

/** Seconds until a certificate expires. AhaSend renews its own; the operator renews that of the listeners. */
export const CERTIFICATE = {
  listener: { warning: 14 * DAY, critical: 3 * DAY },
  upstream: { warning: 7 * DAY, critical: 2 * DAY },
} as const

/** AhaSend's limits. */
export const LIMITS = { messageSize: 20_971_520, messageRecipients: 50, sessionMessages: 10_000 } as const

/** Sessions that telemetry lost track of, in an hour, and their share of all sessions. */
export const OPAQUE = { count: 3, share: 0.01 } as const

/** Starts of one process within a quarter of an hour. */
export const RESTARTS = 3

/** Failed runs of the probe in a row: one may be a restart of the proxy, and two a restart that takes long. */
export const PROBE_FAILURES = 3

/** Sessions refused within five minutes that make an outage: at the session limit, or for lack of resources. */
export const TURNED_AWAY = 5

/**
 * When sessions without a valid PROXY header are an outage: `count` of them within `window` seconds, and as many more than
 * in the hour before, while no message is accepted; and `messages` were accepted in an hour in which that was to be expected.
 */
export const WITHOUT_HEADER = { count: 10, window: 10 * MINUTE, messages: 10 } as const
