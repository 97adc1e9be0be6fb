/** Alerts about what applications do: their secrets, their domains, their mail, their connections. */
import { type Alert, dashboards } from './alert.ts'
import { IDLE, MESSAGE_FORMAT, RECIPIENTS, REFUSED_LOGINS } from './alert-settings.ts'
import { acceptedLogins, BY_CLIENT, type Counts, goesOn } from './counts.ts'
import { DAY, HOUR, joined, MINUTE, type RuleMaker } from './rule-maker.ts'

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
 * critical: an app that could log in today cannot any more, and has no connection left that carries mail. warning: an app
 * that never could, or logins of which some are refused: not for the minutes in which AhaSend takes up new credentials.
 */
function credentialsRejected(make: RuleMaker, counts: Counts): Alert[] {
  const refused = (window: number) => make.count(counts.loginsRefused, window)
  const none = (window: number, least: number) =>
    joined(
      'unless',
      `${refused(window)} >= ${least}`,
      `${make.count(counts.loginsAccepted, window)} > 0`,
      `${make.count(counts.accepted, window)} > 0`,
    )
  const noneSucceeds = joined('or', none(10 * MINUTE, REFUSED_LOGINS.fast), none(HOUR, REFUSED_LOGINS.slow))
  const someFail = joined(
    'or',
    joined('and', `${refused(5 * MINUTE)} > 0`, `${before(make, counts, 10 * MINUTE)} > 0`),
    goesOn(make, counts.loginsRefused),
  )
  const couldLogIn = make.sum(BY_CLIENT, make.increase(acceptedLogins(make), DAY))
  const when = (condition: string) => joined('and', `${refused(HOUR)} > 0`, condition)
  const told = {
    name: 'AhaSendCredentialsRejected',
    for: 5 * MINUTE,
    description: ({ count, label }) =>
      `${label('server.address')} refused ${count} logins of ${label('smtp.client.name')} in the last hour. ` +
      'What an application sends with these credentials is not accepted.',
    panel: [dashboards.refusals, 'By app and cause'],
  } as const satisfies Partial<Alert>
  return [
    {
      ...told,
      severity: 'critical',
      expr: when(joined('and', noneSucceeds, `${couldLogIn} > 0`)),
      summary: "AhaSend refuses an application's credentials, which worked before.",
    },
    {
      ...told,
      severity: 'warning',
      expr: when(joined('or', noneSucceeds, someFail)),
      summary: 'AhaSend refuses credentials of an application.',
    },
  ]
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
