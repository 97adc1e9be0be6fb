/** Alerts about AhaSend itself: the account, its replies, its certificate. */

import { labels } from '../names.ts'
import { BY_JOB, BY_SERVER, type Counts, greetings } from '../promql/counts.ts'
import { HOUR, MINUTE } from '../promql/durations.ts'
import { joined } from '../promql/expressions.ts'
import type { RuleMaker } from '../promql/rule-maker.ts'
import { type Alert, dashboards } from './alert.ts'
import { burnRateAlerts, type ErrorShare } from './burn-rate.ts'
import { connectionAlerts } from './connections.ts'
import { CERTIFICATE, SLOW_FINAL_REPLY, SLOW_QUANTILES } from './thresholds.ts'

export function ahasendAlerts(make: RuleMaker, counts: Counts): readonly Alert[] {
  return [
    accountDisabled(make, counts),
    ...loadShedding(make, counts),
    ...internalErrors(make, counts),
    ...temporaryErrors(make, counts),
    ...connectionAlerts(make, counts),
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
  return burnRateAlerts(make, share, {
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
  return burnRateAlerts(make, share, {
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
  return burnRateAlerts(make, share, {
    name: 'AhaSendTemporaryErrors',
    summary: 'AhaSend temporarily refuses messages with 451.',
    description: ({ share: percent, label }) =>
      `${label('server.address')} temporarily refused ${percent} of the messages with 451. Apps must send them again.`,
    panel: [dashboards.mail, 'Messages by outcome'],
  })
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
      `Too many final replies of ${label('server.address')} take ${time} or longer: one in twenty, or three in ` +
      'ten if few messages are sent. Apps with a shorter timeout give up and resend messages that AhaSend has ' +
      'already queued.',
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
