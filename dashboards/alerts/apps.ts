/** Alerts about what applications do: their secrets, their domains, their mail, their connections. */

import { acceptedLogins, BY_CLIENT, type Counts, goesOn } from '../promql/counts.ts'
import { DAY, HOUR, joined, MINUTE, type RuleMaker } from '../promql/rule-maker.ts'
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
 * critical: no login of an app that could log in today succeeds any more, and none of its connections carries mail: it sends
 * nothing. warning: the same while older connections carry mail, an app that never could log in, or logins of which some
 * are refused. Neither is for the two minutes in which AhaSend takes up new credentials.
 */
function credentialsRejected(make: RuleMaker, counts: Counts): Alert[] {
  const refused = `${make.count(counts.loginsRefused, HOUR)} > 0`
  const told = {
    name: 'AhaSendCredentialsRejected',
    for: MINUTE,
    description: ({ count, label }) =>
      `${label('server.address')} refused ${count} logins of ${label('smtp.client.name')} in the last hour. ` +
      'What an application sends with these credentials is not accepted.',
    panel: [dashboards.refusals, 'By app and cause'],
  } as const satisfies Partial<Alert>
  return [
    {
      ...told,
      severity: 'critical',
      expr: joined('and', refused, lasts(make, counts), joined('or', ...sendsNothing(make, counts)), couldLogIn(make)),
      summary: 'An application cannot send mail: AhaSend refuses every login.',
    },
    {
      ...told,
      severity: 'warning',
      expr: joined('and', refused, joined('or', noLoginSucceeds(make, counts), someFail(make, counts))),
      summary: 'AhaSend refuses credentials of an application.',
    },
  ]
}

/** Refusals that are older than AhaSend takes to make new credentials work. */
function lasts(make: RuleMaker, { loginsRefused }: Counts): string {
  return `${make.count(loginsRefused, HOUR)} - ${make.count(loginsRefused, REFUSED_LOGINS.takenUpWithin)} > 0.5`
}

/**
 * All logins were refused and no mail was accepted: any one of these conditions is enough. AhaSend closes idle connections after
 * 60 s, so without mail in the shortest window no connection is left that is logged in.
 */
function sendsNothing(make: RuleMaker, counts: Counts): string[] {
  const { windows, fast, slow } = REFUSED_LOGINS
  const least = [...windows.map((window) => [window, fast] as const), [HOUR, slow] as const]
  return least.map(([window, count]) =>
    joined('unless', allRefused(make, counts, window, count), `${make.count(counts.accepted, window)} > 0`),
  )
}

/** All logins were refused, whether older connections carry mail or not; a few of them only where none does. */
function noLoginSucceeds(make: RuleMaker, counts: Counts): string {
  const often = REFUSED_LOGINS.windows.map((window) => allRefused(make, counts, window, REFUSED_LOGINS.fast))
  return joined('and', lasts(make, counts), joined('or', ...often, ...sendsNothing(make, counts)))
}

/** Some logins are refused and others are not, or there are too few to judge. */
function someFail(make: RuleMaker, counts: Counts): string {
  const goesOnFast = joined(
    'and',
    `${make.count(counts.loginsRefused, 5 * MINUTE)} > 0`,
    `${before(make, counts, 10 * MINUTE)} > 0`,
  )
  return joined('or', goesOnFast, goesOn(make, counts.loginsRefused))
}

/** At least `least` logins were refused within the window, and none was accepted. */
function allRefused(make: RuleMaker, counts: Counts, window: number, least: number): string {
  return joined(
    'unless',
    `${make.count(counts.loginsRefused, window)} >= ${least}`,
    `${make.count(counts.loginsAccepted, window)} > 0`,
  )
}

/** A login was accepted today. */
function couldLogIn(make: RuleMaker): string {
  return `${make.sum(BY_CLIENT, make.increase(acceptedLogins(make), DAY))} > 0`
}

/** Logins refused in five minutes, some time ago. */
function before(make: RuleMaker, counts: Counts, ago: number): string {
  const refused = make.select.series('replies', {
    'smtp.reply.cause': 'invalid_credentials',
    'smtp.reply.origin': 'upstream',
  })
  return make.sum(counts.loginsRefused.by, make.increaseBefore(refused, 5 * MINUTE, ago))
}

function domainNotConfigured(make: RuleMaker, counts: Counts): Alert {
  return {
    name: 'AhaSendDomainNotConfigured',
    severity: 'warning',
    expr: `${make.sumOf(counts.domainNotConfigured, 30 * MINUTE)} > 0`,
    for: 0,
    summary: 'AhaSend refuses a sending domain that is not set up.',
    description: ({ count, label }) =>
      `${label('server.address')} answered 556 to ${label('smtp.client.name')} ${count} times in the last 30 minutes: ` +
      'the account or the sending domain is not configured. All mail from that domain is refused.',
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
    summary: 'AhaSend refuses mails of an application because of their format.',
    description: ({ count, label }) =>
      `${label('server.address')} answered 552 to ${count} mails of ${label('smtp.client.name')} in the last hour: ` +
      'their format is not valid. Sending them again does not help.',
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
    summary: 'AhaSend refuses many recipients of an application.',
    description: ({ count, label }) =>
      `${label('server.address')} answered 553 to ${count} recipients of ${label('smtp.client.name')} in the last ` +
      'hour: their domains are toxic, temporary or misspelt. Too many of them harm the reputation of the account.',
    panel: [dashboards.refusals, 'By app and cause'],
  }
}

/** Normal for a pool of connections, so never more than a hint. */
function idleDisconnects(make: RuleMaker, counts: Counts): Alert {
  const idle = make.count(counts.idleDisconnects, HOUR)
  const ended = make.sum(BY_CLIENT, make.increase(make.select.count('sessionDuration'), HOUR))
  return {
    name: 'AhaSendIdleDisconnects',
    severity: 'info',
    expr: joined('and', `${idle} / ${ended} > ${IDLE.share}`, `${idle} >= ${IDLE.count}`),
    for: 30 * MINUTE,
    summary: "Most connections of an application end by AhaSend's idle limit.",
    description: ({ share, label }) =>
      `${share} of the connections of ${label('smtp.client.name')} to ${label('server.address')} were closed by ` +
      "AhaSend after 60 idle seconds. No mail is lost; the application's pool keeps connections longer than they live.",
    panel: [dashboards.limits, 'Idle disconnects'],
  }
}
