/** Alerts about AhaSend itself: the account, its servers, the way to them. */

import { labels } from '../names.ts'
import { BY_INSTANCE, BY_JOB, BY_SERVER, type Counts, goesOn, greetings } from '../promql/counts.ts'
import { HOUR, joined, MINUTE, type RuleMaker } from '../promql/rule-maker.ts'
import { type Alert, dashboards } from './alert.ts'
import { burnsAt, type ErrorShare } from './burn-rate.ts'
import {
  BURN_RATES,
  CERTIFICATE,
  DROPPED,
  ENOUGH_FAILED_DIALS,
  SLOW_FINAL_REPLY,
  SLOW_QUANTILES,
} from './thresholds.ts'

export function ahasendAlerts(make: RuleMaker, counts: Counts): readonly Alert[] {
  return [
    accountDisabled(make, counts),
    ...loadShedding(make, counts),
    ...internalErrors(make, counts),
    ...temporaryErrors(make, counts),
    unreachable(make, counts),
    upstreamDead(make),
    droppingSessions(make, counts),
    mailInDoubt(make, counts),
    partiallyQueued(make, counts),
    slowFinalReplies(make),
    ...certificateExpiring(make),
  ]
}

/**
 * Told until the last 521 is half an hour old, so that a mail each twenty minutes or another account under the same name
 * does not end it in between; and until it is an hour old where no mail was accepted in that hour.
 */
function accountDisabled(make: RuleMaker, { accountDisabled: disabled, accepted }: Counts): Alert {
  const recovered = joined('unless', `${make.count(accepted, HOUR)} > 0`, `${make.count(disabled, 30 * MINUTE)} > 0`)
  return {
    name: 'AhaSendAccountDisabled',
    severity: 'critical',
    expr: joined('unless', `${make.count(disabled, HOUR)} > 0`, recovered),
    for: 0,
    summary: 'AhaSend refuses all mail of an account: it is suspended, paused or out of credits.',
    description: ({ count, label }) =>
      `${label('server.address')} answered 521 to ${label('smtp.client.name')} ${count} times in the last hour. ` +
      'AhaSend accepts no mail from this account until it is restored, and apps do not retry after a 521. The account is ' +
      'paused (too many recent bounces, forbidden content, a high spam score, terms of service, manual review, or by ' +
      "its parent account), suspended or out of credits. Only AhaSend's support or the parent account can lift a pause.",
    panel: [dashboards.refusals, 'By cause'],
  }
}

function loadShedding(make: RuleMaker, counts: Counts): Alert[] {
  const share: ErrorShare = {
    what: 'load_shedding',
    bad: counts.loadShedding,
    total: (window) => make.sum(BY_SERVER, make.increase(greetings(make), window)),
  }
  return burning(make, share, {
    name: 'AhaSendLoadShedding',
    summary: 'AhaSend turns connections away to shed load.',
    description: ({ share: percent, label }) =>
      `${label('server.address')} greeted ${percent} of the connections with 421. ` +
      'Applications that do not try again lose that mail; the others send it late.',
    panel: [dashboards.mail, '421 by cause'],
  })
}

/** A 421 that is neither idle nor load shedding ends the session it comes in, so mail is what it is measured by. */
function internalErrors(make: RuleMaker, counts: Counts): Alert[] {
  const share: ErrorShare = {
    what: 'internal_error',
    bad: counts.internalErrors,
    total: (window) => `(${make.count(counts.internalErrors, window)} + ${make.sumOf(counts.endedBut421, window)})`,
  }
  return burning(make, share, {
    name: 'AhaSendInternalErrors',
    summary: 'AhaSend breaks off sessions with 421 for reasons of its own.',
    description: ({ share: percent, label }) =>
      `${label('server.address')} answered ${percent} of what was sent with 421, without idleness or load shedding as ` +
      'the reason. Mail that was under way has to be sent again.',
    panel: [dashboards.mail, '421 by cause'],
  })
}

function temporaryErrors(make: RuleMaker, counts: Counts): Alert[] {
  const share: ErrorShare = {
    what: 'temporary_error',
    bad: counts.temporaryErrors,
    total: (window) => make.sum(BY_SERVER, counts.ended.of(window)),
  }
  return burning(make, share, {
    name: 'AhaSendTemporaryErrors',
    summary: 'AhaSend answers mail with 451.',
    description: ({ share: percent, label }) =>
      `${label('server.address')} refused ${percent} of the mails for now with 451. Applications have to try again.`,
    panel: [dashboards.mail, 'Messages by outcome'],
  })
}

type Told = Pick<Alert, 'name' | 'summary' | 'description' | 'panel'>

/** One alert for each severity in the table of burn rates. */
export function burning(make: RuleMaker, share: ErrorShare, told: Told): Alert[] {
  const at = (severity: Alert['severity'], wait: number): Alert => ({
    ...told,
    severity,
    expr: burnsAt(
      make,
      share,
      BURN_RATES.filter((rate) => rate.severity === severity),
    ),
    for: wait,
  })
  return [at('critical', MINUTE), at('warning', HOUR)]
}

/** Three mails an hour are always three in so many seconds; in an hour they would be now three, now two. */
const SELDOM = 90 * MINUTE

/** Applications are turned away by an instance that reaches nothing and whose older connections carry no mail either. */
function unreachable(make: RuleMaker, counts: Counts): Alert {
  const none = (window: number, unserved = window) =>
    joined(
      'unless',
      `${make.sumOf(counts.unreachable, window)} >= ${ENOUGH_FAILED_DIALS}`,
      `${make.sum(BY_INSTANCE, dials(make, '', unserved))} > 0`,
      `${make.sum(BY_INSTANCE, counts.accepted.of(unserved))} > 0`,
    )
  return {
    name: 'AhaSendUnreachable',
    severity: 'critical',
    expr: joined('or', none(5 * MINUTE), none(SELDOM, HOUR)),
    for: MINUTE,
    summary: 'No connection to AhaSend succeeds: applications are turned away.',
    description: ({ count, label }) =>
      `${count} connections of applications were answered 421 by ${label('instance')}, because no upstream could be ` +
      'reached inside trusted TLS, and none was served. No mail leaves there.',
    panel: [dashboards.limits, 'Failed dials by reason'],
  }
}

/** One upstream of several is dead, or connections are dialled ahead in vain. Over two hours where little is sent. */
function upstreamDead(make: RuleMaker): Alert {
  const dead = (window: number) =>
    joined(
      `unless on (${labels(...BY_SERVER)})`,
      `${make.sum([...BY_SERVER, 'error.type'], dials(make, FAILED, window))} >= ${ENOUGH_FAILED_DIALS}`,
      `${make.sum(BY_SERVER, dials(make, '', window))} > 0`,
    )
  return {
    name: 'AhaSendUnreachable',
    severity: 'warning',
    expr: joined('or', dead(15 * MINUTE), dead(2 * HOUR)),
    for: 5 * MINUTE,
    summary: 'One of the upstreams cannot be reached.',
    description: ({ count, label }) =>
      `${count} attempts to reach ${label('server.address')} failed lately with ${label('error.type')}, and none ` +
      'succeeded. If PROXY_UPSTREAM names another, mail takes that way.',
    panel: [dashboards.limits, 'Failed dials by reason'],
  }
}

/** Dials that failed. What the proxy's own machine lacked is no fault of the upstream: see SmtpProxyOutOfResources. */
const FAILED = { noneOf: ['', 'local_resources_exhausted'] } as const

/** Dials that succeeded (no error) or failed. */
function dials(make: RuleMaker, error: '' | typeof FAILED, window: number): string {
  return make.increase(make.select.series('dials', { 'error.type': error }), window)
}

/**
 * No reply says it, so no other alert counts it. One restart of AhaSend that closes the connections of a pool is nothing,
 * so it has to last: five minutes, or both halves of an hour.
 */
function droppingSessions(make: RuleMaker, { dropped, accepted }: Counts): Alert {
  const none = (least: number, window: number, unserved = window) =>
    joined('unless', `${make.count(dropped, window)} >= ${least}`, `${make.sum(BY_SERVER, accepted.of(unserved))} > 0`)
  return {
    name: 'AhaSendDroppingSessions',
    severity: 'critical',
    expr: joined(
      'or',
      none(DROPPED.fast, 5 * MINUTE),
      joined('and', none(DROPPED.slow, SELDOM, HOUR), goesOn(make, dropped)),
    ),
    for: 5 * MINUTE,
    summary: 'AhaSend ends sessions without a word, and accepts no mail.',
    description: ({ count, label }) =>
      `${count} sessions with ${label('server.address')} were closed or reset without a reply that says why, and no ` +
      'mail was accepted meanwhile. What was under way has to be sent again.',
    panel: [dashboards.limits, 'Why do sessions end?'],
  }
}

function mailInDoubt(make: RuleMaker, counts: Counts): Alert {
  return {
    name: 'AhaSendMailInDoubt',
    severity: 'warning',
    expr: `${make.sumOf(counts.inDoubt, 30 * MINUTE)} > 0`,
    for: 0,
    summary: 'Mails were sent whole and got no answer: recipients may get them twice.',
    description: ({ count, label }) =>
      `${count} mails of ${label('smtp.client.name')} to ${label('server.address')} ended in doubt in the last 30 ` +
      'minutes. AhaSend may have queued them; an application that sends them again doubles them.',
    panel: [dashboards.mail, 'In doubt'],
  }
}

function partiallyQueued(make: RuleMaker, counts: Counts): Alert {
  return {
    name: 'AhaSendPartiallyQueued',
    severity: 'warning',
    expr: `${make.sumOf(counts.partiallyQueued, 30 * MINUTE)} > 0`,
    for: 0,
    summary: 'AhaSend accepted mails for some of their recipients only.',
    description: ({ count, label }) =>
      `${count} mails of ${label('smtp.client.name')} were answered 250 by ${label('server.address')} in the last 30 ` +
      'minutes with a list of ids that is not complete. The application believes that all recipients get them.',
    panel: [dashboards.refusals, 'By cause'],
  }
}

/** Over half an hour, or where little is sent over six hours and still in the last one. */
function slowFinalReplies(make: RuleMaker): Alert {
  const final = { 'smtp.command': 'END-OF-MESSAGE' } as const
  const slow = (quantile: number, window: number) => {
    const buckets = make.increase(make.select.bucket('commandDuration', final), window)
    return `histogram_quantile(${quantile}, ${make.sum([...BY_SERVER, 'le'], buckets)}) > ${SLOW_FINAL_REPLY}`
  }
  const enough = (replies: number, window: number) => {
    const all = make.increase(make.select.count('commandDuration', final), window)
    return `${make.sum(BY_SERVER, all)} >= ${replies}`
  }
  const conditions = SLOW_QUANTILES.flatMap(({ quantile, replies }) => [
    joined('and', slow(quantile, 30 * MINUTE), enough(replies, 30 * MINUTE)),
    joined('and', slow(quantile, 6 * HOUR), slow(quantile, HOUR), enough(replies, 6 * HOUR)),
  ])
  return {
    name: 'AhaSendSlowFinalReplies',
    severity: 'warning',
    expr: joined('or', ...conditions),
    for: 5 * MINUTE,
    summary: 'AhaSend takes long to confirm mails.',
    description: ({ time, label }) =>
      `Too many final replies of ${label('server.address')} take ${time} or longer: one in twenty, or where few mails ` +
      'are sent three in ten. Applications whose timeout is shorter give up and send again what AhaSend has queued.',
    panel: [dashboards.mail, 'Time to the final reply'],
  }
}

function certificateExpiring(make: RuleMaker): Alert[] {
  const left = `min by (${labels(...BY_JOB)}) (${make.select.series('certificateNotAfter', { 'tls.side': 'upstream' })}) - time()`
  const at = (severity: 'critical' | 'warning'): Alert => ({
    name: 'AhaSendCertificateExpiring',
    severity,
    expr: `${left} < ${CERTIFICATE.upstream[severity]}`,
    for: 15 * MINUTE,
    summary: "AhaSend's certificate is about to end.",
    description: ({ time }) =>
      `The certificate that an upstream showed last ends in ${time}. If AhaSend does not renew it, no connection ` +
      'succeeds from then on: the proxy trusts no certificate that has ended.',
    panel: [dashboards.proxy, 'Days left on certificates'],
  })
  return [at('critical'), at('warning')]
}
