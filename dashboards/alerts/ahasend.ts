/** Alerts about AhaSend itself: the account, its servers, the network path to them. */

import { labels } from '../names.ts'
import { BY_INSTANCE, BY_JOB, BY_SERVER, type Counts, continues, greetings } from '../promql/counts.ts'
import { HOUR, MINUTE } from '../promql/durations.ts'
import { joined } from '../promql/expressions.ts'
import type { RuleMaker } from '../promql/rule-maker.ts'
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
 * Fires until the last 521 is half an hour old. So one message every twenty minutes, or another account under the same client
 * name, does not resolve it in between. If no message was accepted in the last hour, it fires until the last 521 is an hour
 * old.
 */
function accountDisabled(make: RuleMaker, { accountDisabled: disabled, accepted }: Counts): Alert {
  const recovered = joined('unless', `${make.count(accepted, HOUR)} > 0`, `${make.count(disabled, 30 * MINUTE)} > 0`)
  return {
    name: 'AhaSendAccountDisabled',
    severity: 'critical',
    expr: joined('unless', `${make.count(disabled, HOUR)} > 0`, recovered),
    for: 0,
    summary: 'AhaSend refuses all mail from an account: it is suspended, paused or out of credits.',
    description: ({ count, label }) =>
      `${label('server.address')} answered 521 to ${label('smtp.client.name')} ${count} times in the last hour. ` +
      'AhaSend accepts no mail from this account until the account is restored, and apps do not retry after a 521. The ' +
      'account is suspended, out of credits or paused. AhaSend pauses an account for too many recent bounces, forbidden ' +
      'content, a high spam score, a violation of the terms of service or a manual review; a parent account can also ' +
      "pause it. Only AhaSend's support or the parent account can lift a pause.",
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
    summary: 'AhaSend is overloaded or short of disk space and temporarily refuses new connections.',
    description: ({ share: percent, label }) =>
      `${label('server.address')} refused ${percent} of new connections with 421. ` +
      'Apps that retry send their mail late. Apps that do not retry lose it.',
    panel: [dashboards.mail, '421 by cause'],
  })
}

/** A 421 that is neither for idleness nor for load shedding ends its session, so the share is that of messages. */
function internalErrors(make: RuleMaker, counts: Counts): Alert[] {
  const share: ErrorShare = {
    what: 'internal_error',
    bad: counts.internalErrors,
    total: (window) => `(${make.count(counts.internalErrors, window)} + ${make.sumOf(counts.endedBut421, window)})`,
  }
  return burning(make, share, {
    name: 'AhaSendInternalErrors',
    summary: 'AhaSend ends sessions with 421 because of an internal error or a shutdown.',
    description: ({ share: percent, label }) =>
      `${label('server.address')} answered 421 to ${percent} of the attempts to send a message. The reason is neither ` +
      'an idle connection nor load shedding. Apps must send the interrupted messages again.',
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
    summary: 'AhaSend temporarily refuses messages with 451.',
    description: ({ share: percent, label }) =>
      `${label('server.address')} temporarily refused ${percent} of the messages with 451. Apps must send them again.`,
    panel: [dashboards.mail, 'Messages by outcome'],
  })
}

type Texts = Pick<Alert, 'name' | 'summary' | 'description' | 'panel'>

/** One alert for each severity in the table of burn rates. */
export function burning(make: RuleMaker, share: ErrorShare, texts: Texts): Alert[] {
  const at = (severity: Alert['severity'], wait: number): Alert => ({
    ...texts,
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

/** Seconds. At three messages an hour, this window always has three of them. A window of an hour often has only two. */
const SELDOM = 90 * MINUTE

/** An instance refuses apps because it reaches no upstream, and its older connections carry no mail either. */
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
    summary: 'The proxy cannot connect to AhaSend and refuses connections from apps.',
    description: ({ count, label }) =>
      `${label('instance')} refused ${count} connections from apps with 421, and served none. This instance cannot ` +
      'reach any upstream over verified TLS. It sends no mail.',
    panel: [dashboards.limits, 'Failed dials by reason'],
  }
}

/** One of several upstreams is dead, or preconnecting fails. The window is two hours for proxies that send little mail. */
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
    summary: 'The proxy cannot connect to one of its upstreams.',
    description: ({ count, label }) =>
      `${count} recent attempts to connect to ${label('server.address')} failed with ${label('error.type')}, and ` +
      'none succeeded. If PROXY_UPSTREAM names another upstream, the proxy sends mail through that one.',
    panel: [dashboards.limits, 'Failed dials by reason'],
  }
}

/** Dials that failed, except for lack of resources on the proxy's own machine: see SmtpProxyOutOfResources. */
const FAILED = { noneOf: ['', 'local_resources_exhausted'] } as const

/** Dials that succeeded (no error) or failed. */
function dials(make: RuleMaker, error: '' | typeof FAILED, window: number): string {
  return make.increase(make.select.series('dials', { 'error.type': error }), window)
}

/**
 * No reply announces these closes, so no other alert counts them. A single restart of AhaSend that closes the connections of
 * a pool is harmless, so the closes must continue for five minutes, or occur in both halves of an hour.
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
      joined('and', none(DROPPED.slow, SELDOM, HOUR), continues(make, dropped)),
    ),
    for: 5 * MINUTE,
    summary: 'Sessions with AhaSend close without a reply, and AhaSend accepts no mail.',
    description: ({ count, label }) =>
      `${count} sessions with ${label('server.address')} were closed or reset without a reply that gives the reason. ` +
      'In the same period, AhaSend accepted no messages. Apps must send the interrupted messages again.',
    panel: [dashboards.limits, 'Why do sessions end?'],
  }
}

function mailInDoubt(make: RuleMaker, counts: Counts): Alert {
  return {
    name: 'AhaSendMailInDoubt',
    severity: 'warning',
    expr: `${make.sumOf(counts.inDoubt, 30 * MINUTE)} > 0`,
    for: 0,
    summary: 'Messages were sent in full but AhaSend never confirmed them. Retries may create duplicates.',
    description: ({ count, label }) =>
      `${count} messages from ${label('smtp.client.name')} to ${label('server.address')} ended in doubt in the last 30 ` +
      'minutes. AhaSend may have queued them. If the app sends them again, recipients may get them twice.',
    panel: [dashboards.mail, 'In doubt'],
  }
}

function partiallyQueued(make: RuleMaker, counts: Counts): Alert {
  return {
    name: 'AhaSendPartiallyQueued',
    severity: 'warning',
    expr: `${make.sumOf(counts.partiallyQueued, 30 * MINUTE)} > 0`,
    for: 0,
    summary: 'AhaSend queued messages for only some of their recipients.',
    description: ({ count, label }) =>
      `${label('server.address')} confirmed ${count} messages from ${label('smtp.client.name')} with 250 in the last 30 ` +
      'minutes, but with an incomplete list of ids. The app assumes that all recipients get the message.',
    panel: [dashboards.refusals, 'By cause'],
  }
}

/** Over half an hour or, for proxies that send little mail, over six hours and still in the last hour. */
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
    summary: 'AhaSend is slow to confirm messages.',
    description: ({ time, label }) =>
      `Too many final replies of ${label('server.address')} take ${time} or longer: one in twenty, or three in ten if ` +
      'few messages are sent. Apps with a shorter timeout give up and send messages again that AhaSend has queued.',
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
    summary: "AhaSend's certificate expires soon.",
    description: ({ time }) =>
      `The last certificate that an upstream presented expires in ${time}. If AhaSend does not renew it, all ` +
      'connections fail from then on: the proxy does not accept an expired certificate.',
    panel: [dashboards.proxy, 'Days left on certificates'],
  })
  return [at('critical'), at('warning')]
}
