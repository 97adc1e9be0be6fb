/** Alerts about what apps do: their credentials, their domains, their messages, their connections. */

import { acceptedLogins, BY_CLIENT, type Counts, continues, upstreamReplies } from '../promql/counts.ts'
import { DAY, HOUR, MINUTE } from '../promql/durations.ts'
import { joined } from '../promql/expressions.ts'
import type { RuleMaker } from '../promql/rule-maker.ts'
import { type Alert, dashboards } from './alert.ts'
import { IDLE, MESSAGE_FORMAT, RECIPIENTS, REFUSED_LOGINS } from './thresholds.ts'

export function appAlerts(make: RuleMaker, counts: Counts): readonly Alert[] {
  return [
    ...credentialsRejected(make, counts),
    domainNotConfigured(make, counts),
    messageFormatRejected(make, counts),
    recipientsRejected(make, counts),
    idleDisconnects(make, counts),
  ]
}

/**
 * critical: an app that could log in within the last day can no longer do so, and none of its connections carries mail: it
 * sends nothing. warning: the same while older connections still carry mail; an app that never could log in; or an app with
 * some refused logins. Neither covers the two minutes that new credentials take to work at AhaSend.
 */
function credentialsRejected(make: RuleMaker, counts: Counts): Alert[] {
  const refused = `${make.count(counts.loginsRefused, HOUR)} > 0`
  const shared = {
    name: 'AhaSendCredentialsRejected',
    for: MINUTE,
    description: ({ count, label }) =>
      `${label('server.address')} refused ${count} logins of ${label('smtp.client.name')} in the last hour. ` +
      'AhaSend accepts no mail that the app sends with these credentials.',
    panel: [dashboards.refusals, 'By app and cause'],
  } as const satisfies Partial<Alert>
  return [
    {
      ...shared,
      severity: 'critical',
      expr: joined('and', refused, lasts(make, counts), joined('or', ...sendsNothing(make, counts)), couldLogIn(make)),
      summary: 'An app cannot send mail: AhaSend refuses all its logins.',
    },
    {
      ...shared,
      severity: 'warning',
      expr: joined('and', refused, joined('or', noLoginSucceeds(make, counts), someFail(make, counts))),
      summary: 'AhaSend refuses logins of an app.',
    },
  ]
}

/** Refusals that are older than the time that new credentials take to work at AhaSend. */
function lasts(make: RuleMaker, { loginsRefused }: Counts): string {
  return `${make.count(loginsRefused, HOUR)} - ${make.count(loginsRefused, REFUSED_LOGINS.takenUpWithin)} > 0.5`
}

/**
 * All logins were refused and no message was accepted: any one of these conditions is enough. AhaSend closes idle connections
 * after 60 s, so if the shortest window has no accepted message, no logged-in connection is left.
 */
function sendsNothing(make: RuleMaker, counts: Counts): string[] {
  const { windows, fast, slow } = REFUSED_LOGINS
  const least = [...windows.map((window) => [window, fast] as const), [HOUR, slow] as const]
  return least.map(([window, count]) =>
    joined('unless', allRefused(make, counts, window, count), `${make.count(counts.accepted, window)} > 0`),
  )
}

/** All logins were refused. A few refusals are enough only if no older connection carries mail. */
function noLoginSucceeds(make: RuleMaker, counts: Counts): string {
  const often = REFUSED_LOGINS.windows.map((window) => allRefused(make, counts, window, REFUSED_LOGINS.fast))
  return joined('and', lasts(make, counts), joined('or', ...often, ...sendsNothing(make, counts)))
}

/** Some logins are refused and others succeed, or there are too few to judge. */
function someFail(make: RuleMaker, counts: Counts): string {
  const continuesFast = joined(
    'and',
    `${make.count(counts.loginsRefused, 5 * MINUTE)} > 0`,
    `${before(make, counts, 10 * MINUTE)} > 0`,
  )
  return joined('or', continuesFast, continues(make, counts.loginsRefused))
}

/** At least `least` logins were refused within the window, and none was accepted. */
function allRefused(make: RuleMaker, counts: Counts, window: number, least: number): string {
  return joined(
    'unless',
    `${make.count(counts.loginsRefused, window)} >= ${least}`,
    `${make.count(counts.loginsAccepted, window)} > 0`,
  )
}

/** A login was accepted within the last day. */
function couldLogIn(make: RuleMaker): string {
  return `${make.sum(BY_CLIENT, make.increase(acceptedLogins(make), DAY))} > 0`
}

/** Logins refused within five minutes, `ago` seconds ago. */
function before(make: RuleMaker, counts: Counts, ago: number): string {
  const refused = upstreamReplies(make, 'invalid_credentials')
  return make.sum(counts.loginsRefused.by, make.increaseBefore(refused, 5 * MINUTE, ago))
}

function domainNotConfigured(make: RuleMaker, counts: Counts): Alert {
  return {
    name: 'AhaSendDomainNotConfigured',
    severity: 'warning',
    expr: `${make.sumOf(counts.domainNotConfigured, 30 * MINUTE)} > 0`,
    for: 0,
    summary: 'AhaSend refuses a sending domain that is not configured.',
    description: ({ count, label }) =>
      `${label('server.address')} answered 556 to ${label('smtp.client.name')} ${count} times in the last 30 minutes: ` +
      'the account or the sending domain is not configured. AhaSend refuses all mail from that domain.',
    panel: [dashboards.refusals, 'By app and cause'],
  }
}

function messageFormatRejected(make: RuleMaker, counts: Counts): Alert {
  const refused = make.count(counts.wrongFormat, HOUR)
  return {
    name: 'AhaSendMessageFormatRejected',
    severity: 'warning',
    expr: joined(
      'and',
      `${refused} >= ${MESSAGE_FORMAT.count}`,
      `${refused} / ${make.sumOf(counts.ended, HOUR)} > ${MESSAGE_FORMAT.share}`,
    ),
    for: MINUTE,
    summary: 'AhaSend refuses messages from an app because of their format.',
    description: ({ count, label }) =>
      `${label('server.address')} answered 552 to ${count} messages from ${label('smtp.client.name')} in the last ` +
      'hour: their format is invalid. Sending them again does not help.',
    panel: [dashboards.refusals, 'By app and cause'],
  }
}

function recipientsRejected(make: RuleMaker, counts: Counts): Alert {
  const rejected = make.count(counts.recipientsRejected, HOUR)
  return {
    name: 'AhaSendRecipientsRejected',
    severity: 'warning',
    expr: joined(
      'and',
      `${rejected} >= ${RECIPIENTS.count}`,
      `${rejected} / ${make.sum(BY_CLIENT, make.increase(make.select.series('recipients'), HOUR))} > ${RECIPIENTS.share}`,
    ),
    for: 5 * MINUTE,
    summary: "AhaSend refuses many of an app's recipients.",
    description: ({ count, label }) =>
      `${label('server.address')} answered 553 to ${count} recipients of ${label('smtp.client.name')} in the last ` +
      'hour: their domains are toxic, temporary or misspelled. Too many such recipients harm the reputation of the ' +
      'account.',
    panel: [dashboards.refusals, 'By app and cause'],
  }
}

/** Normal for a pool of connections, so the severity is never more than info. */
function idleDisconnects(make: RuleMaker, counts: Counts): Alert {
  const idle = make.count(counts.idleDisconnects, HOUR)
  const ended = make.sum(BY_CLIENT, make.increase(make.select.count('sessionDuration'), HOUR))
  return {
    name: 'AhaSendIdleDisconnects',
    severity: 'info',
    expr: joined('and', `${idle} / ${ended} > ${IDLE.share}`, `${idle} >= ${IDLE.count}`),
    for: 30 * MINUTE,
    summary: "AhaSend's idle limit ends most connections of an app.",
    description: ({ share, label }) =>
      `${label('server.address')} closed ${share} of the connections of ${label('smtp.client.name')} after 60 idle ` +
      "seconds. No mail is lost. The app's pool keeps idle connections longer than AhaSend does.",
    panel: [dashboards.limits, 'Idle disconnects'],
  }
}
