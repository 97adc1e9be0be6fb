/** Alerts about connections to AhaSend: whether the proxy can open them, and whether they last. */
import { labels } from '../names.ts'
import { BY_INSTANCE, BY_SERVER, type Counts, continues } from '../promql/counts.ts'
import { HOUR, MINUTE } from '../promql/durations.ts'
import { joined } from '../promql/expressions.ts'
import type { RuleMaker } from '../promql/rule-maker.ts'
import { type Alert, dashboards } from './alert.ts'
import { DROPPED, ENOUGH_FAILED_DIALS } from './thresholds.ts'

export function connectionAlerts(make: RuleMaker, counts: Counts): readonly Alert[] {
  return [unreachable(make, counts), upstreamDead(make), droppingSessions(make, counts)]
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
